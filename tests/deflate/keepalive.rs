//! Automatic Pings during compressed messages of this side (RFC 6455, section 5.5.2).

use std::time::Duration;

use sockless::test_util::Role;
use sockless::{Connection, Deadlines, Timeout};

use super::{agreed, everything, sent, written};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn both(test: impl Fn(Connection)) {
    for role in Role::BOTH {
        let config = everything().with_deadlines(Deadlines::default());
        let mut connection = agreed(role, &config);
        connection.advance_output(connection.output_len());
        connection.handle_timeout(seconds(0));
        test(connection);
    }
}

/// Takes the output, and returns the first bytes of its frames.
fn take(connection: &mut Connection) -> Vec<u8> {
    let output = written(connection);
    connection.advance_output(output.len());
    sent(&output).iter().map(|(first, _)| *first).collect()
}

/// Some peers fail on a Ping between the fragments of a compressed message.
#[test]
fn a_ping_waits_for_the_end_of_a_compressed_message() {
    both(|mut connection| {
        connection.send_text_fragment("Hel", false).unwrap();
        assert_eq!(take(&mut connection), [0x41]);
        connection.handle_timeout(seconds(20));
        assert_eq!(take(&mut connection), []);
        // The next timeout is not immediate.
        assert_eq!(connection.timeout_at(), Some(seconds(40)));
        connection.send_text_fragment("lo", true).unwrap();
        assert_eq!(connection.timeout_at(), Some(seconds(0)));
        connection.handle_timeout(seconds(21));
        assert_eq!(take(&mut connection), [0x80, 0x89]);
        // The peer has the usual time from the Ping.
        assert_eq!(connection.timeout_at(), Some(seconds(41)));
    });
}

/// An application that never ends its message does not keep a dead peer alive.
#[test]
fn a_ping_waits_for_one_interval_at_most() {
    both(|mut connection| {
        connection.send_text_fragment("Hel", false).unwrap();
        take(&mut connection);
        connection.handle_timeout(seconds(20));
        connection.handle_timeout(seconds(40));
        assert_eq!(take(&mut connection), [0x89]);
        assert_eq!(connection.timeout_at(), Some(seconds(60)));
        for _ in 0..2 {
            connection.handle_timeout(seconds(60));
        }
        let ending = connection.close_event().unwrap();
        assert_eq!(ending.timeout, Some(Timeout::Pong));
    });
}

#[test]
fn a_ping_does_not_wait_for_other_messages() {
    both(|mut connection| {
        connection.compress_messages(false);
        connection.send_text_fragment("Hel", false).unwrap();
        connection.handle_timeout(seconds(20));
        assert_eq!(take(&mut connection), [0x01, 0x89]);
    });
    both(|mut connection| {
        connection.send_text("Hello").unwrap();
        connection.handle_timeout(seconds(20));
        assert_eq!(take(&mut connection), [0xc1, 0x89]);
    });
}
