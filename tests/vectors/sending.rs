//! Sending (sections 5.4, 5.5 and 6.1).

use super::{heard, writes};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role};
use sockless::{CloseCode, Config, SendError};

#[test]
fn a_failed_send_changes_nothing() {
    for role in Role::BOTH {
        let mut connection = role.connection(&Config::default());
        let long = [0; 126];
        assert_eq!(
            [connection.send_ping(&long), connection.send_pong(&long)],
            [Err(SendError::ControlFrameTooLong); 2]
        );
        connection.send_text_fragment("a", false).unwrap();
        let before = connection.output().to_vec();
        let refusals = [
            connection.send_text("x"),
            connection.send_binary(b"x"),
            connection.send_binary_fragment(b"x", true),
            connection.send_ping(&long),
            connection.close(CloseCode::ABNORMAL_CLOSURE, ""),
        ];
        assert_eq!(refusals[..3], [Err(SendError::MessageOpen); 3]);
        let invalid_code = SendError::InvalidCloseCode(CloseCode::ABNORMAL_CLOSURE);
        let errors = [Err(SendError::ControlFrameTooLong), Err(invalid_code)];
        assert_eq!(refusals[3..], errors);
        assert_eq!(connection.output(), before);
        connection.send_text_fragment("", false).unwrap();
        connection.send_text_fragment("b", true).unwrap();
        connection.send_binary_fragment(b"c", false).unwrap();
        assert_eq!(
            connection.send_text_fragment("x", true),
            Err(SendError::MessageOpen)
        );
        connection.send_binary_fragment(b"d", true).unwrap();
        connection.send_binary(b"e").unwrap();
        let [cd, e] = [&b"cd"[..], b"e"].map(OwnedEvent::binary);
        let written = heard(role, connection.output());
        assert_eq!(written, [OwnedEvent::text("ab"), cd, e]);
    }
}

#[test]
fn a_full_output_refuses_until_some_is_written() {
    for role in Role::BOTH {
        let config = Config::new().with_max_output(10);
        let mut peer = Peer::new(role, &config);
        // If the output has room, it takes a message of any size.
        peer.connection.send_text("longer than ten bytes").unwrap();
        let before = peer.connection.output().to_vec();
        let refusals = [
            peer.connection.send_text("x"),
            peer.connection.send_binary_fragment(b"x", false),
            peer.connection.send_ping(b""),
        ];
        assert_eq!(refusals, [Err(SendError::Full); 3]);
        assert_eq!(peer.connection.output(), before);
        peer.connection.advance_output(before.len() - 10);
        assert_eq!(peer.connection.send_text("x"), Err(SendError::Full));
        peer.connection.advance_output(1);
        peer.connection.send_text("y").unwrap();
        peer.connection.advance_output(9);
        assert_eq!(
            heard(role, peer.connection.output()),
            [OwnedEvent::text("y")],
            "the failed fragment began no message"
        );

        // The limit does not apply to automatic answers and the Close frame.
        peer.connection.send_text("longer than ten bytes").unwrap();
        peer.receive(&Frame::new(0x89, "?").encode(role));
        peer.connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(
            heard(role, peer.connection.output())[2..],
            [OwnedEvent::pong(b"?"), OwnedEvent::close(1000, "")]
        );
    }
}

#[test]
fn this_side_may_close_inside_a_message() {
    for role in Role::BOTH {
        let mut peer = Peer::new(role, &Config::default());
        peer.connection.send_text_fragment("a", false).unwrap();
        peer.connection.close(CloseCode::NORMAL, "").unwrap();
        writes(&mut peer, &[OwnedEvent::close(1000, "")]);
    }
}

#[test]
fn taken_output_does_not_come_again() {
    for role in Role::BOTH {
        let mut connection = role.connection(&Config::default());
        let mut output = b"left over".to_vec();
        connection.send_text("one").unwrap();
        connection.send_text("two").unwrap();
        let first = connection.output().len() / 2;
        connection.advance_output(first);
        connection.take_output(&mut output);
        assert_eq!(heard(role, &output), [OwnedEvent::text("two")]);
        assert_eq!(connection.output(), []);
        connection.send_text("three").unwrap();
        assert_eq!(
            heard(role, connection.output()),
            [OwnedEvent::text("three")]
        );
    }
}
