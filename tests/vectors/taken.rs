//! Output that the caller takes, writes elsewhere, and reports when it is written.

use super::{heard, writes};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role};
use sockless::{
    CloseCode, Config, Connection, Deadlines, ReadBuffer, SendError, SharedMessage, TransportAction,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn take(connection: &mut Connection) -> Vec<u8> {
    let mut output = b"left over".to_vec();
    connection.take_output(&mut output);
    assert_eq!(connection.output(), b"");
    assert_eq!(connection.output_parts().count(), 0);
    output
}

/// All bytes that were not taken.
fn rest(connection: &Connection) -> Vec<u8> {
    connection.output_parts().collect::<Vec<_>>().concat()
}

#[test]
fn taken_bytes_count_for_the_limit_until_they_are_reported() {
    for role in Role::BOTH {
        let mut connection = role.connection(&Config::new().with_max_output(50));
        connection.send_binary(&[7; 60]).unwrap();
        let taken = take(&mut connection);
        for reported in 0..taken.len() {
            let left = taken.len() - reported;
            assert_eq!(connection.output_len(), left);
            assert_eq!(connection.has_room(), left < 50);
            let full = if left < 50 {
                Ok(())
            } else {
                Err(SendError::Full)
            };
            if full.is_err() {
                assert_eq!(connection.send_text(""), full);
                assert_eq!(connection.send_ping(b""), full);
                let borrowed = connection.send_binary_borrowed(b"").map(|_| ());
                assert_eq!(borrowed, full);
                assert_eq!(connection.send_shared(&SharedMessage::text("")), full);
            }
            assert_eq!(connection.transport_action(), TransportAction::Wait);
            connection.advance_output(1);
        }
        assert!(connection.has_room() && connection.output_len() == 0);
        // The Close frame goes out all the same.
        connection.send_binary(&[7; 60]).unwrap();
        _ = take(&mut connection);
        connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(connection.transport_action(), TransportAction::Write);
        assert_eq!(
            heard(role, connection.output()),
            [OwnedEvent::close(1000, "")]
        );
    }
}

/// Every way to cut the bytes of three messages: the first part is taken in one call, the second in another, the rest
/// stays. Reports of any length count the bytes in this order.
#[test]
fn reports_count_taken_bytes_first() {
    for role in Role::BOTH {
        for reported_first in 0..12 {
            for reported in 0..24 {
                let mut connection = role.connection(&Config::default());
                let mut all = Vec::new();
                connection.send_text("one").unwrap();
                all.extend(take(&mut connection));
                let first = reported_first.min(all.len());
                connection.advance_output(first);
                connection.send_text("two").unwrap();
                all.extend(take(&mut connection));
                let taken = all.len();
                connection.send_text("three").unwrap();
                all.extend_from_slice(connection.output());
                assert_eq!(connection.output_len(), all.len() - first);

                let written = (first + reported).min(all.len());
                connection.advance_output(written - first);
                assert_eq!(connection.output(), &all[written.max(taken)..]);
                assert_eq!(connection.output_len(), all.len() - written);
                // New output follows.
                connection.send_text("four").unwrap();
                assert!(rest(&connection).starts_with(&all[written.max(taken)..]));
                all.truncate(written.max(taken));
                all.extend(rest(&connection));
                let said = ["one", "two", "three", "four"].map(OwnedEvent::text);
                assert_eq!(heard(role, &all), said);
                connection.advance_output(connection.output_len());
                assert_eq!(connection.output(), b"");
            }
        }
    }
}

/// The action is `Write` exactly while there is something to write. Otherwise a loop would spin.
#[test]
fn the_action_is_wait_while_everything_is_taken() {
    type Act = fn(&mut Peer, Role);
    let states: [(&str, Act, TransportAction, TransportAction); 5] = [
        (
            "open",
            |peer, _| peer.connection.send_text("a").unwrap(),
            TransportAction::Wait,
            TransportAction::Wait,
        ),
        (
            "closed",
            |peer, role| peer.receive(&Frame::close(1000, "").encode(role)),
            TransportAction::Wait,
            TransportAction::Close,
        ),
        (
            "failed",
            |peer, role| peer.receive(&Frame::new(0x83, "").encode(role)),
            TransportAction::ShutdownWrite,
            TransportAction::ShutdownWrite,
        ),
        (
            "refused",
            |peer, _| {
                let answer = b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec();
                peer.connection = Connection::refused(answer, &Config::default());
            },
            TransportAction::ShutdownWrite,
            TransportAction::ShutdownWrite,
        ),
        (
            "end of stream",
            |peer, _| {
                peer.connection.send_text("a").unwrap();
                peer.connection.handle_eof();
            },
            TransportAction::Close,
            TransportAction::Close,
        ),
    ];
    for (what, act, client, server) in states {
        for (role, end) in [(Role::Client, client), (Role::Server, server)] {
            let mut peer = Peer::new(role, &Config::default());
            act(&mut peer, role);
            let connection = &mut peer.connection;
            assert_eq!(connection.transport_action(), TransportAction::Write);
            let taken = take(connection);
            for left in (1..=taken.len()).rev() {
                let action = connection.transport_action();
                assert_eq!(action, TransportAction::Wait, "{what} {role:?} {left}");
                // No shutdown is due, so it is not noted.
                connection.handle_shutdown();
                connection.advance_output(1);
            }
            assert_eq!(connection.transport_action(), end, "{what} {role:?}");
        }
    }
}

/// `max_unsent_pongs` bounds Pongs that were taken, too. Then only the newest Ping is answered.
#[test]
fn pongs_count_as_unsent_until_they_are_reported() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::new().with_max_unsent_pongs(20));
        let ping = |n: u8| Frame::new(0x89, [n]).encode(role);
        let mut taken = Vec::new();
        for n in 0..100 {
            peer.receive(&ping(n));
            taken.extend(take(&mut peer.connection));
        }
        let said = heard(role, &taken);
        assert!(said.len() < 7 && said[0] == OwnedEvent::pong(&[0]));
        peer.connection.advance_output(taken.len() - 1);
        assert_eq!(peer.connection.output(), b"");
        peer.connection.advance_output(1);
        writes(&mut peer, &[OwnedEvent::pong(&[99])]);
    }
}

/// A write fails while its bytes are taken. Its report comes late and does nothing.
#[test]
fn an_error_forgets_taken_bytes() {
    let errors: [fn(&mut Connection); 2] =
        [Connection::handle_write_error, Connection::handle_reset];
    for role in Role::BOTH {
        for error in errors {
            for (untaken, reported) in [(false, 0), (true, 0), (true, 2)] {
                let mut connection = role.connection(&Config::default());
                connection.close(CloseCode::NORMAL, "").unwrap();
                let taken = take(&mut connection);
                connection.advance_output(reported);
                if !untaken {
                    let mut buffer = ReadBuffer::new();
                    buffer.extend_from_slice(&Frame::close(1000, "").encode(role));
                    while let Ok(Some(_)) = connection.next_event(&mut buffer) {}
                }
                error(&mut connection);
                assert_eq!(connection.output_len(), 0);
                let action = connection.transport_action();
                connection.advance_output(taken.len() - reported);
                assert_eq!(connection.output_len(), 0);
                assert_eq!(connection.transport_action(), action);
                // The Close frame was perhaps not written.
                assert!(
                    connection
                        .close_event()
                        .is_none_or(|event| !event.was_clean)
                );
            }
        }
    }
}

#[test]
fn a_late_report_after_a_deadline_does_nothing() {
    for role in Role::BOTH {
        let config = Config::new().with_deadlines(Deadlines::default());
        let mut connection = role.connection(&config);
        connection.close(CloseCode::NORMAL, "").unwrap();
        let taken = take(&mut connection);
        for time in [0, 100, 100] {
            connection.handle_timeout(Duration::from_secs(time));
        }
        assert_eq!(connection.transport_action(), TransportAction::Close);
        for _ in 0..2 {
            connection.advance_output(taken.len());
            assert_eq!(connection.output_len(), 0);
        }
    }
}

#[test]
fn reporting_too_much_panics_and_changes_nothing() {
    for role in Role::BOTH {
        let mut connection = role.connection(&Config::default());
        connection.send_text("one").unwrap();
        let taken = take(&mut connection);
        connection
            .send_shared(&SharedMessage::binary(&[7; 5000]))
            .unwrap();
        let all = connection.output_len();
        for n in [all + 1, usize::MAX] {
            catch_unwind(AssertUnwindSafe(|| connection.advance_output(n))).expect_err("too far");
            assert_eq!(connection.output_len(), all);
        }
        connection.advance_output(all);
        assert!(connection.output_len() == 0 && !taken.is_empty());
    }
}

/// The bytes of a borrowed message follow the taken ones. One write may contain both.
#[test]
fn a_borrowed_message_follows_taken_bytes() {
    for role in Role::BOTH {
        for written in 0..40 {
            let mut connection = role.connection(&Config::default());
            connection.send_text("first").unwrap();
            let mut all = take(&mut connection);
            let taken = all.len();
            let mut message = connection.send_text_borrowed("second").unwrap();
            all.extend(message.parts().collect::<Vec<_>>().concat());
            let written = written.min(all.len());
            message.advance(written);
            let left: Vec<u8> = message.parts().collect::<Vec<_>>().concat();
            assert_eq!(left, &all[written.max(taken)..]);
            drop(message);
            assert_eq!(connection.output_len(), all.len() - written);
            assert_eq!(connection.output(), &all[written.max(taken)..]);
            let said = ["first", "second"].map(OwnedEvent::text);
            assert_eq!(heard(role, &all), said);
        }
    }
}

/// A server does not copy a shared message after taken bytes. A second call takes a copy of it.
#[test]
fn shared_messages_follow_taken_bytes() {
    let message = SharedMessage::binary(&[7; 5000]);
    for role in Role::BOTH {
        for written in [0, 1, 4, 5, 11, 12, 13, 5000, 5015, 5030] {
            let mut connection = role.connection(&Config::default());
            connection.send_text("one").unwrap();
            let mut all = take(&mut connection);
            let taken = all.len();
            connection.send_text("two").unwrap();
            connection.send_shared(&message).unwrap();
            connection.send_text("three").unwrap();
            let parts = connection.output_parts().count();
            assert_eq!(parts, if role == Role::Server { 3 } else { 1 });
            all.extend(rest(&connection));
            assert_eq!(connection.output_len(), all.len());
            let written = written.min(all.len());
            connection.advance_output(written);
            assert_eq!(rest(&connection), &all[written.max(taken)..]);
            let again = take(&mut connection);
            assert_eq!(again, &all[written.max(taken)..]);
            assert_eq!(connection.output_len(), all.len() - written);
            connection.send_text("four").unwrap();
            all.extend_from_slice(connection.output());
            let said = heard(role, &all);
            assert_eq!((said.len(), said[4].data()), (5, &b"four"[..]));
        }
    }
}

/// `write_to` would write later bytes before the taken ones.
#[test]
fn write_to_waits_for_taken_bytes() {
    for role in Role::BOTH {
        let mut connection = role.connection(&Config::default());
        connection.send_text("one").unwrap();
        let taken = take(&mut connection);
        let mut transport = Vec::new();
        connection.write_to(&mut transport);
        connection.send_text("two").unwrap();
        connection.write_to(&mut transport);
        assert!(transport.is_empty() && connection.can_send());
        connection.advance_output(taken.len());
        connection.write_to(&mut transport);
        assert_eq!(heard(role, &transport), [OwnedEvent::text("two")]);
    }
}

/// The connection keeps the memory that the caller gives, and the caller has the connection's.
#[test]
fn taking_exchanges_memory() {
    let mut server = Role::Server.connection(&Config::default());
    server.send_binary(&[7; 1000]).unwrap();
    let place = server.output().as_ptr();
    let mut output = Vec::with_capacity(3000);
    let given = output.as_ptr();
    server.take_output(&mut output);
    assert_eq!(output.as_ptr(), place);
    server.send_binary(&[7; 2000]).unwrap();
    assert_eq!(server.output().as_ptr(), given);
    assert!(
        format!("{server:?}").contains("taken: 1004 B"),
        "{server:?}"
    );
}
