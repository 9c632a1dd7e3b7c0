//! Progress in either direction extends the deadlines, up to a limit.

use sockless::test_util::{Frame, Role};
use sockless::{CloseCode, Connection, Delivery, ReadBuffer, Timeout};

use super::simulation::Simulation;
use super::{START, config, open, seconds, strict};

/// The message takes 100 s, longer than the deadlines of a Ping and its Pong. No Pong can arrive inside its frame.
#[test]
fn a_long_steady_message_does_not_time_out() {
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
            let lengths = side.events.iter().map(|event| event.data().len());
            assert_eq!(lengths.sum::<usize>(), 1_000_000);
            // After the message, the deadline of the Pong applies again.
            assert_eq!(side.silence(), Some(seconds(121)));
        }
    }
}

#[test]
fn without_an_extension_a_long_steady_message_times_out() {
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

/// The transport accepts `rate` bytes each second, until all output is written or the connection times out. Returns the
/// number of seconds and the number of written bytes.
fn write_steadily(connection: &mut Connection, rate: usize) -> (u64, usize) {
    let (mut time, mut written) = (0, 0);
    while connection.output_len() > 0 && time < 3600 {
        for _ in 0..2 {
            connection.handle_timeout(START + seconds(time));
        }
        let ending = connection.close_event();
        if ending.is_some_and(|it| it.timeout.is_some()) {
            break;
        }
        let n = connection.output_len().min(rate);
        connection.advance_output(n);
        written += n;
        time += 1;
    }
    (time, written)
}

/// A peer that reads slowly but steadily gets all output, including the Close frame.
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
            let ending = connection.close_event();
            assert!(ending.is_none_or(|it| it.timeout.is_none()));
        }
    }
}

/// The documentation states both limits.
#[test]
fn a_slow_reader_times_out_at_the_limit() {
    for role in Role::BOTH {
        for (config, rate, end) in [(strict(), 3000, 10), (config(), 1, 610)] {
            let mut connection = role.connection(&config);
            connection.send_binary(&vec![7; 157_000]).unwrap();
            connection.close(CloseCode::NORMAL, "").unwrap();
            let (time, _) = write_steadily(&mut connection, rate);
            assert_eq!(time, end);
        }
    }
}

#[test]
fn taken_output_is_progress_once_it_is_reported() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        for time in 0..100 {
            connection.handle_timeout(START + seconds(time));
            connection.send_binary(&[7; 1000]).unwrap();
            let mut output = Vec::new();
            connection.take_output(&mut output);
            connection.advance_output(output.len());
        }
        assert_eq!(connection.close_event(), None);
    }
}

/// The Ping waits for the output before it. Progress extends its deadline.
#[test]
fn a_ping_after_much_output_does_not_time_out() {
    for role in Role::BOTH {
        let mut connection = role.connection(&config());
        connection.send_binary(&vec![7; 157_000]).unwrap();
        let (time, _) = write_steadily(&mut connection, 3000);
        assert!(connection.can_send() && time >= 52, "{time}");
    }
}

/// The peer sends Pongs to Pings that it has not read.
#[test]
fn a_guessed_pong_does_not_count() {
    for role in Role::BOTH {
        let mut side = open(role);
        side.peer_reads = false;
        // This fills the transport, so the Ping stays in the output.
        side.act(|it| it.send_binary(&[0; 4000])).unwrap();
        let mut guesses = Vec::new();
        for guess in 1_u32..4 {
            guesses.extend(Frame::new(0x8a, guess.to_be_bytes()).encode(role));
        }
        assert_eq!(side.trickle(&guesses), Some(seconds(40)));
        assert_eq!(side.connection().round_trip_time(), None);
        assert_eq!(side.close_event().unwrap().timeout, Some(Timeout::Pong));

        // An unwritten Ping of the application is no different.
        let mut side = open(role);
        side.pass(seconds(20));
        side.peer_reads = false;
        side.act(|it| it.send_binary(&[0; 4000])).unwrap();
        side.act(|it| it.send_ping(b"mine")).unwrap();
        let guess = Frame::new(0x8a, "mine").encode(role);
        assert_eq!(side.trickle(&guess), Some(seconds(40)));
    }
}
#[test]
fn empty_data_frames_extend_a_deadline_and_control_frames_do_not() {
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

/// The transport sometimes accepts bytes, and the loop sleeps between. The order of writing and passing the time does
/// not matter.
#[test]
fn each_write_extends_the_deadlines() {
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
                    // The loop wakes up when the transport is writable or a deadline passes.
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

#[test]
fn answers_to_pings_do_not_extend_a_deadline() {
    for role in Role::BOTH {
        let mut side = Simulation::opened(role.connection(&config()));
        let ping = Frame::new(0x89, "").encode(role);
        let closed = side.trickle(&ping).unwrap();
        assert!(closed <= seconds(61), "{closed:?}");
        assert_eq!(side.close_event().unwrap().timeout, Some(Timeout::Pong));

        // The same for the control frames of the application.
        for send in [Connection::send_ping, Connection::send_pong] {
            let mut side = open(role);
            for _ in 0..61 {
                side.pass(seconds(1));
                // This fails after the deadline.
                _ = side.act(|it| send(it, b""));
            }
            assert_eq!(side.close_event().unwrap().timeout, Some(Timeout::Pong));
        }
    }
}
