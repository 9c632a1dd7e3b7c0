//! Pings and Pongs (sections 5.5.2 and 5.5.3).

use super::{accepts, heard, start, writes};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role, encode};
use sockless::{CloseCode, Config, Reply};

#[test]
fn ten_pings_get_ten_pongs_in_order() {
    let pings: Vec<Frame> = (b'0'..=b'9').map(|i| Frame::new(0x89, [i; 9])).collect();
    let events: Vec<OwnedEvent> = (b'0'..=b'9').map(|i| OwnedEvent::ping(&[i; 9])).collect();
    let replies: Vec<OwnedEvent> = (b'0'..=b'9').map(|i| OwnedEvent::pong(&[i; 9])).collect();
    for role in Role::BOTH {
        let bytes = encode(&pings, role);
        accepts(role, &Config::default(), &bytes, &events, &replies);
    }
}

#[test]
fn over_the_limit_only_the_newest_ping_is_answered() {
    let pong = |payload: &[u8]| OwnedEvent::pong(payload);
    for role in Role::BOTH {
        let frame = if role == Role::Client { 7 } else { 3 };
        // Even with the limit 0, one Pong may wait.
        for (limit, fit) in [(2 * frame, 2), (3 * frame - 1, 2), (frame, 1), (0, 1)] {
            let config = Config::new().with_max_unsent_pongs(limit);
            let mut peer = Peer::new(role, &config);
            peer.connection.send_text("first").unwrap();
            let pings = [b"a", b"b", b"c", b"d"].map(|payload| Frame::new(0x89, payload));
            let pings = encode(&pings, role);
            peer.receive(&pings);
            assert_eq!(peer.events().len(), 4, "every Ping is an event");
            let waiting = [OwnedEvent::text("first"), pong(b"a"), pong(b"b")];
            assert_eq!(heard(role, peer.connection.output()), waiting[..=fit]);

            // The next Pong goes into the output only after all waiting Pongs are written.
            let size = peer.connection.output().len();
            peer.connection.advance_output(size - 1);
            assert_eq!(peer.connection.output().len(), 1);
            peer.receive(&Frame::new(0x89, b"e").encode(role));
            assert_eq!(peer.connection.output().len(), 1);
            peer.connection.advance_output(1);
            writes(&mut peer, &[pong(b"e")]);
            assert_eq!(peer.write_all(), []);

            // Now the limit starts again at 0.
            peer.receive(&Frame::new(0x89, b"f").encode(role));
            writes(&mut peer, &[pong(b"f")]);

            // Taken output counts as waiting until all of it is reported.
            peer.receive(&pings);
            let mut output = Vec::new();
            peer.connection.take_output(&mut output);
            assert!(heard(role, &output).starts_with(&[pong(b"a")]));
            peer.connection.advance_output(output.len() - 1);
            assert_eq!(peer.connection.output(), []);
            peer.connection.advance_output(1);
            writes(&mut peer, &[pong(b"d")]);
        }
    }
}

#[test]
fn any_end_drops_a_pong_that_waits_for_room() {
    let ends: [(&str, fn(&mut Peer, Role)); 4] = [
        ("peer's Close", |peer, role| {
            peer.receive(&Frame::close(1000, "").encode(role));
        }),
        ("our Close", |peer, _| {
            peer.connection.close(CloseCode::NORMAL, "").unwrap();
        }),
        ("violation", |peer, role| {
            peer.receive(&start(role, 0x83, 0, true));
        }),
        ("end of stream", |peer, _| peer.connection.handle_eof()),
    ];
    for role in Role::BOTH {
        for (what, end) in ends {
            let config = Config::new().with_max_unsent_pongs(0);
            let mut peer = Peer::new(role, &config);
            let pings = [Frame::new(0x89, "a"), Frame::new(0x89, "b")];
            peer.receive(&encode(&pings, role));
            end(&mut peer, role);
            let said = heard(role, &peer.write_all());
            assert_eq!(said[0], OwnedEvent::pong(b"a"), "{what}");
            assert!(
                matches!(said[1..], [] | [OwnedEvent::Close(..)]),
                "{what}: {said:?}"
            );
            assert_eq!(peer.write_all(), [], "{what}");
        }
    }
}

#[test]
fn the_application_may_answer_pings() {
    let config = Config::new().with_ping_reply(Reply::Manual);
    for role in Role::BOTH {
        let ping = Frame::new(0x89, "who?").encode(role);
        accepts(role, &config, &ping, &[OwnedEvent::ping(b"who?")], &[]);
        let mut peer = Peer::new(role, &config);
        peer.receive(&ping);
        peer.connection.send_pong(b"who?").unwrap();
        writes(&mut peer, &[OwnedEvent::pong(b"who?")]);
    }
}
