//! Output that was taken counts as unwritten until it is reported.

use sockless::test_util::{Frame, Role};
use sockless::{CloseCode, Connection, ReadBuffer, Timeout, TransportAction};
use std::time::Duration;

use super::{START, config, seconds};

/// A transport that takes all output in every turn, and reports how much it has written.
struct Taker {
    connection: Connection,
    buffer: ReadBuffer,
    /// How many of the taken bytes were not reported.
    unreported: usize,
    /// How many taken bytes the transport writes and reports in each turn.
    rate: usize,
}

impl Taker {
    fn new(role: Role, rate: usize) -> Self {
        Self {
            connection: role.connection(&config()),
            buffer: ReadBuffer::new(),
            unreported: 0,
            rate,
        }
    }

    /// One turn of a loop at this time. `sent` is what the peer sent before.
    fn turn(&mut self, time: u64, sent: &[u8]) {
        self.buffer.extend_from_slice(sent);
        while let Ok(Some(_)) = self.connection.next_event(&mut self.buffer) {}
        let n = self.unreported.min(self.rate);
        self.connection.advance_output(n);
        self.unreported -= n;
        self.connection.handle_timeout(START + seconds(time));
        let mut output = Vec::new();
        self.connection.take_output(&mut output);
        self.unreported += output.len();
        assert_ne!(self.connection.transport_action(), TransportAction::Write);
        assert_eq!(self.connection.output_len(), self.unreported);
    }

    /// Turns, two in each second, until the action is `Close`. Before each second, `act` may send. Returns the second.
    fn run(&mut self, mut act: impl FnMut(u64, &mut Connection) -> Vec<u8>) -> Option<u64> {
        (0..1000).find(|&time| {
            let sent = act(time, &mut self.connection);
            self.turn(time, &sent);
            self.turn(time, &[]);
            self.connection.transport_action() == TransportAction::Close
        })
    }

    fn timeout(&self) -> Option<Timeout> {
        self.connection.close_event()?.timeout
    }
}

/// The default deadlines: a Ping after 20 s without a message, and a Pong 20 s later.
#[test]
fn taken_output_is_no_progress() {
    for role in Role::BOTH {
        let mut taker = Taker::new(role, 0);
        let end = taker.run(|_, connection| {
            _ = connection.send_binary(&[7; 100]);
            Vec::new()
        });
        assert_eq!((end, taker.timeout()), (Some(40), Some(Timeout::Pong)));

        // If the transport reports its writes, they extend the deadline up to its limit of 10 minutes.
        let mut taker = Taker::new(role, usize::MAX);
        let end = taker.run(|_, connection| {
            _ = connection.send_binary(&[7; 100]);
            Vec::new()
        });
        assert_eq!((end, taker.timeout()), (Some(641), Some(Timeout::Pong)));
    }
}

/// The peer guesses the payload of the Ping. The guess counts only if the Ping was reported as written.
#[test]
fn a_pong_counts_only_after_the_taken_ping_is_reported() {
    for role in Role::BOTH {
        for reports in [false, true] {
            let mut taker = Taker::new(role, if reports { usize::MAX } else { 0 });
            let guess = |counter: u32| Frame::new(0x8a, counter.to_be_bytes()).encode(role);
            let end = taker.run(|time, _| match time {
                25 => guess(1),
                50 => guess(2),
                _ => Vec::new(),
            });
            let expected = if reports { 90 } else { 40 };
            assert_eq!(end, Some(expected), "{role:?} {reports}");
            assert_eq!(taker.timeout(), Some(Timeout::Pong));
            let round_trip_time = reports.then_some(Duration::from_secs(5));
            assert_eq!(taker.connection.round_trip_time(), round_trip_time);
        }
    }
}

#[test]
fn a_ping_of_the_application_counts_only_after_it_is_reported() {
    for role in Role::BOTH {
        for reports in [false, true] {
            let mut taker = Taker::new(role, if reports { usize::MAX } else { 0 });
            let end = taker.run(|time, connection| {
                if time == 25 {
                    connection.send_ping(b"mine").unwrap();
                }
                match time {
                    30 => Frame::new(0x8a, "mine").encode(role),
                    _ => Vec::new(),
                }
            });
            assert_eq!(end, Some(if reports { 70 } else { 40 }), "{role:?}");
            assert_eq!(taker.timeout(), Some(Timeout::Pong));
        }
    }
}

/// The Close frame was taken and never written. So the peer did not get it, and the end is not clean.
#[test]
fn the_deadline_of_the_close_expires_while_its_frame_is_taken() {
    for role in Role::BOTH {
        for answers in [false, true] {
            let mut taker = Taker::new(role, 0);
            let end = taker.run(|time, connection| {
                if time == 5 && !answers {
                    connection.close(CloseCode::NORMAL, "").unwrap();
                }
                match time {
                    5 if answers => Frame::close(1000, "").encode(role),
                    _ => Vec::new(),
                }
            });
            assert_eq!(end, Some(15), "{role:?} {answers}");
            let event = taker.connection.close_event().unwrap();
            assert!(!event.was_clean, "{role:?} {answers}: {event:?}");
            let timeout = if answers {
                Timeout::EndOfStream
            } else {
                Timeout::Close
            };
            assert_eq!(event.timeout, Some(timeout), "{role:?} {answers}");
            // The write ends now. The transport is to be closed all the same.
            taker.connection.advance_output(taker.unreported);
            let action = taker.connection.transport_action();
            assert_eq!(action, TransportAction::Close);
        }
    }
}

/// With the answer written, a server closes at once, and the end is clean.
#[test]
fn a_reported_close_frame_ends_the_wait() {
    for role in Role::BOTH {
        let mut taker = Taker::new(role, 0);
        taker.turn(0, &Frame::close(1000, "").encode(role));
        let connection = &mut taker.connection;
        assert_eq!(connection.transport_action(), TransportAction::Wait);
        assert!(connection.wants_read());
        connection.advance_output(taker.unreported - 1);
        assert_eq!(connection.transport_action(), TransportAction::Wait);
        connection.advance_output(1);
        let action = match role {
            Role::Server => TransportAction::Close,
            Role::Client => TransportAction::Wait,
        };
        assert_eq!(connection.transport_action(), action);
        assert!(connection.close_event().unwrap().was_clean);
    }
}

/// The transport writes the taken bytes slowly. Each report extends the deadline of the close.
#[test]
fn reports_of_taken_bytes_extend_a_deadline() {
    for role in Role::BOTH {
        let mut taker = Taker::new(role, 100);
        taker.connection.send_binary(&[7; 3000]).unwrap();
        taker.connection.close(CloseCode::NORMAL, "").unwrap();
        // 15 s for all bytes, and 10 s for the peer's Close frame.
        let end = taker.run(|_, _| Vec::new());
        assert_eq!((end, taker.timeout()), (Some(25), Some(Timeout::Close)));
    }
}
