//! Automatic Pings beside compressed messages of this side (RFC 6455 section 5.5.2).

use std::time::Duration;

use super::{agreed, everything, sent};
use sockless::test_util::Role;
use sockless::{Connection, Deadlines, Timeout};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn open(role: Role) -> Connection {
    let config = everything().with_deadlines(Deadlines::default());
    let mut connection = agreed(role, &config);
    let handshake = connection.output_len();
    connection.advance_output(handshake);
    connection.handle_timeout(seconds(0));
    connection
}

/// The first bytes of the frames in the output, which are written then.
fn written(connection: &mut Connection) -> Vec<u8> {
    let output: Vec<u8> = connection.output_parts().flatten().copied().collect();
    connection.advance_output(output.len());
    sent(&output).iter().map(|(first, _)| *first).collect()
}

/// Some peers fail on a Ping between the fragments of a compressed message, so it waits for the last one.
#[test]
fn a_ping_waits_for_the_end_of_a_compressed_message() {
    for role in Role::BOTH {
        let mut connection = open(role);
        connection.send_text_fragment("Hel", false).unwrap();
        assert_eq!(written(&mut connection), [0x41]);
        connection.handle_timeout(seconds(20));
        assert_eq!(written(&mut connection), []);
        // No reason to come back at once.
        assert_eq!(connection.timeout_at(), Some(seconds(40)));
        connection.send_text_fragment("lo", true).unwrap();
        assert_eq!(connection.timeout_at(), Some(seconds(0)));
        connection.handle_timeout(seconds(21));
        assert_eq!(written(&mut connection), [0x80, 0x89]);
        // The peer has the usual time from there.
        assert_eq!(connection.timeout_at(), Some(seconds(41)));
    }
}

/// An application that never finishes its message does not keep a dead peer alive.
#[test]
fn a_ping_waits_for_one_interval_at_most() {
    for role in Role::BOTH {
        let mut connection = open(role);
        connection.send_text_fragment("Hel", false).unwrap();
        written(&mut connection);
        connection.handle_timeout(seconds(20));
        connection.handle_timeout(seconds(40));
        assert_eq!(written(&mut connection), [0x89]);
        assert_eq!(connection.timeout_at(), Some(seconds(60)));
        for _ in 0..2 {
            connection.handle_timeout(seconds(60));
        }
        let ending = connection.close_event().unwrap();
        assert_eq!(ending.timeout, Some(Timeout::Pong));
    }
}

/// Fragments that are not compressed hold up nothing, nor does a whole message.
#[test]
fn a_ping_goes_out_between_plain_fragments() {
    for role in Role::BOTH {
        let mut connection = open(role);
        connection.compress_messages(false);
        connection.send_text_fragment("Hel", false).unwrap();
        connection.handle_timeout(seconds(20));
        assert_eq!(written(&mut connection), [0x01, 0x89]);
        let mut connection = open(role);
        connection.send_text("Hello").unwrap();
        connection.handle_timeout(seconds(20));
        assert_eq!(written(&mut connection), [0xc1, 0x89]);
    }
}
