//! Data that keeps flowing is a sign of life, in both directions, within a bound.

use sockless::test_util::{Frame, OwnedEvent, Role};
use sockless::{CloseCode, Connection, Delivery, ReadBuffer, Timeout};

use super::simulation::Simulation;
use super::{START, config, seconds, strict};

/// A message of 100 s, longer than a Ping and its Pong may take together. No Pong can come inside its frame.
#[test]
fn a_steady_message_is_not_taken_for_silence() {
    for role in Role::BOTH {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            let config = config()
                .with_max_message_size(1 << 20)
                .with_delivery(delivery);
            let message = Frame::new(0x82, vec![7; 1_000_000]).encode(role);
            let mut side = Simulation::opened(role.connection(&config));
            for piece in message.chunks(10_000) {
                side.pass(seconds(1));
                side.send(piece);
            }
            assert_eq!(side.closed, None);
            let received: usize = side
                .events
                .iter()
                .map(|event| match event {
                    OwnedEvent::Binary(data) | OwnedEvent::BinaryPart(data) => data.len(),
                    other => panic!("{other:?}"),
                })
                .sum();
            assert_eq!(received, 1_000_000);
            // When it is whole, the Pong is due.
            assert_eq!(side.silence(), Some(seconds(121)));
        }
    }
}

/// The bound of the strict mode is the deadline itself.
#[test]
fn in_the_strict_mode_a_steady_message_is_cut_off() {
    for role in Role::BOTH {
        let config = strict().with_max_message_size(1 << 20);
        let message = Frame::new(0x82, vec![7; 1_000_000]).encode(role);
        let mut side = Simulation::opened(role.connection(&config));
        for piece in message.chunks(10_000) {
            side.pass(seconds(1));
            side.send(piece);
        }
        assert_eq!(side.closed(), Some(seconds(40)));
        assert_eq!(side.close_event().unwrap().timeout, Some(Timeout::Pong));
    }
}

/// Lets the transport take so many bytes every second, until all is written or the connection has ended. Returns how
/// many seconds that took and how much was written.
fn write_steadily(connection: &mut Connection, rate: usize) -> (u64, usize) {
    let (mut time, mut written) = (0, 0);
    while connection.output_len() > 0 && time < 3600 {
        for _ in 0..2 {
            connection.handle_timeout(START + seconds(time));
        }
        if connection
            .close_event()
            .is_some_and(|it| it.timeout.is_some())
        {
            break;
        }
        let n = connection.output_len().min(rate);
        connection.advance_output(n);
        written += n;
        time += 1;
    }
    (time, written)
}

/// A peer that reads slowly and steadily gets all of the output and the Close frame at its end.
#[test]
fn a_steady_reader_gets_everything_before_the_close() {
    for role in Role::BOTH {
        for own in [true, false] {
            let mut connection = role.connection(&config());
            connection.send_binary(&vec![7; 157_000]).unwrap();
            if own {
                connection.close(CloseCode::NORMAL, "").unwrap();
            } else {
                let mut buffer = ReadBuffer::new();
                buffer.extend_from_slice(&Frame::close(1000, "").encode(role));
                while connection.next_event(&mut buffer).unwrap().is_some() {}
            }
            let all = connection.output_len();
            let (time, written) = write_steadily(&mut connection, 3000);
            assert_eq!((time, written), (53, all));
            assert!(
                connection
                    .close_event()
                    .is_none_or(|it| it.timeout.is_none())
            );
        }
    }
}

#[test]
fn in_the_strict_mode_a_slow_reader_is_cut_off() {
    for role in Role::BOTH {
        let mut connection = role.connection(&strict());
        connection.send_binary(&vec![7; 157_000]).unwrap();
        connection.close(CloseCode::NORMAL, "").unwrap();
        let (time, _) = write_steadily(&mut connection, 3000);
        assert_eq!(time, 10);
    }
}

/// A peer that takes single bytes holds the output no longer than documented.
#[test]
fn a_reader_of_single_bytes_is_given_up_at_the_bound() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        connection.send_binary(&vec![7; 157_000]).unwrap();
        connection.close(CloseCode::NORMAL, "").unwrap();
        let (time, _) = write_steadily(&mut connection, 1);
        assert_eq!(time, 610);
    }
}

/// A Ping waits for the output before it. While that is being taken, it is not late.
#[test]
fn a_ping_behind_much_output_is_not_late() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        connection.send_binary(&vec![7; 157_000]).unwrap();
        let (time, _) = write_steadily(&mut connection, 3000);
        assert!(connection.can_send() && time >= 52, "{time}");
    }
}

/// A peer that sends Pongs it cannot know, and never reads the Pings.
#[test]
fn a_guessed_pong_does_not_count() {
    for role in Role::BOTH {
        let mut side = Simulation::opened(role.connection(&config()));
        side.peer_reads = false;
        // Fills the transport, so that the Ping stays in the output.
        side.act(|connection| connection.send_binary(&[0; 4000]))
            .unwrap();
        let mut guesses = Vec::new();
        for guess in 1_u32..4 {
            guesses.extend(Frame::new(0x8a, guess.to_be_bytes()).encode(role));
        }
        assert_eq!(side.trickle(&guesses), Some(seconds(40)));
        assert_eq!(side.connection().round_trip_time(), None);
        assert_eq!(side.close_event().unwrap().timeout, Some(Timeout::Pong));
    }
}

/// The same for a Ping of the application's that was not written.
#[test]
fn a_guessed_pong_to_a_ping_of_the_application_does_not_count() {
    for role in Role::BOTH {
        let mut side = Simulation::opened(role.connection(&config()));
        side.pass(seconds(20));
        side.peer_reads = false;
        side.act(|connection| connection.send_binary(&[0; 4000]))
            .unwrap();
        side.act(|connection| connection.send_ping(b"mine"))
            .unwrap();
        let guess = Frame::new(0x8a, "mine").encode(role);
        assert_eq!(side.trickle(&guess), Some(seconds(40)));
    }
}

/// Frames of messages count, however short, in whatever state and delivery mode. Control frames do not.
#[test]
fn empty_data_frames_count_and_control_frames_do_not() {
    for role in Role::BOTH {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            for closing in [false, true] {
                for (first, counts) in [(0x82, true), (0x02, true), (0x00, true), (0x8a, false)] {
                    let config = config().with_delivery(delivery);
                    let mut connection = role.connection(&config);
                    let mut buffer = ReadBuffer::new();
                    let mut receive = |connection: &mut Connection, first| {
                        buffer.extend_from_slice(&Frame::new(first, "").encode(role));
                        while connection.next_event(&mut buffer).unwrap().is_some() {}
                    };
                    if first == 0x00 {
                        receive(&mut connection, 0x02);
                    }
                    connection.handle_timeout(START);
                    if closing {
                        connection.close(CloseCode::NORMAL, "").unwrap();
                        connection.handle_timeout(START);
                    } else {
                        connection.handle_timeout(START + seconds(20));
                    }
                    let output = connection.output_len();
                    connection.advance_output(output);
                    let now = connection.timeout_at().unwrap() - seconds(1);
                    receive(&mut connection, first);
                    connection.handle_timeout(now);
                    let more = if closing { 10 } else { 20 };
                    let next = now + seconds(if counts { more } else { 1 });
                    assert_eq!(connection.timeout_at(), Some(next), "{first:#x} {closing}");
                }
            }
        }
    }
}

/// The transport takes something now and then, and the loop sleeps in between. However a loop orders writing and the
/// time, what was taken last counts from then on.
#[test]
fn output_that_is_taken_now_and_then_extends_the_deadlines() {
    for role in Role::BOTH {
        for write_first in [true, false] {
            for (closing, gap) in [(false, 11), (false, 15), (false, 19), (true, 6), (true, 9)] {
                let mut connection = role.connection(&config());
                connection.send_binary(&vec![7; 60_000]).unwrap();
                if closing {
                    connection.close(CloseCode::NORMAL, "").unwrap();
                }
                connection.handle_timeout(START);
                let mut now = START;
                while connection.output_len() > 0 {
                    // Woken when the transport takes something, or when a deadline has come.
                    let taken = now + seconds(gap);
                    while let Some(next) = connection.timeout_at()
                        && next < taken
                    {
                        now = now.max(next);
                        connection.handle_timeout(now);
                        let case = (write_first, closing, gap);
                        assert!(connection.close_event().is_none(), "{case:?} at {now:?}");
                    }
                    now = taken;
                    let n = connection.output_len().min(10_000);
                    if write_first {
                        connection.advance_output(n);
                        connection.handle_timeout(now);
                    } else {
                        connection.handle_timeout(now);
                        connection.advance_output(n);
                    }
                }
            }
        }
    }
}

/// A peer that only pings is answered, and no answer is taken for a transfer.
#[test]
fn answers_to_pings_extend_nothing() {
    for role in Role::BOTH {
        let mut side = Simulation::opened(role.connection(&config()));
        let ping = Frame::new(0x89, "").encode(role);
        let closed = side.trickle(&ping).unwrap();
        assert!(closed <= seconds(61), "{closed:?}");
        assert_eq!(side.close_event().unwrap().timeout, Some(Timeout::Pong));
    }
}
