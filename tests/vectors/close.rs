//! Close frames (sections 5.5.1 and 7.4).

use super::support::hex;
use super::{KOSME, accepts, heard, refuses};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role, encode, run, same_however_cut};
use sockless::{CloseCode, CloseFrame, Config, Connection, Initiator, ProtocolError, SendError};

#[test]
fn every_received_close_code_is_legal_or_refused() {
    for code in 0..=u16::MAX {
        let legal = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        // Section 7.4.2: no code over 4999 is legal. There, one role for each code is enough.
        let last = usize::from(code % 2);
        let roles = if code > 4999 {
            &Role::BOTH[last..=last]
        } else {
            &Role::BOTH[..]
        };
        for &role in roles {
            let bytes = Frame::close(code, "why").encode(role);
            let outcome = run(role, &Config::default(), &bytes, &[]);
            if legal {
                assert_eq!(outcome.error, None, "{code}");
                assert_eq!(outcome.events, [OwnedEvent::close(code, "why")]);
                assert_eq!(heard(role, &outcome.output), [OwnedEvent::close(code, "")]);
            } else {
                let error = ProtocolError::InvalidCloseCode(CloseCode::new(code));
                assert_eq!(outcome.error, Some(error), "{code}");
                assert_eq!(outcome.events, []);
                assert_eq!(heard(role, &outcome.output), [OwnedEvent::close(1002, "")]);
            }
        }
    }
}

#[test]
fn a_close_frame_is_delivered_and_echoed() {
    let long = "\u{20ac}".repeat(41);
    let table = [
        (Frame::new(0x88, ""), 1005, ""),
        (Frame::close(1000, ""), 1000, ""),
        (Frame::close(1001, "bye"), 1001, "bye"),
        (Frame::close(1014, "\u{1f600}"), 1014, "\u{1f600}"),
        (Frame::close(4999, &long), 4999, &long),
    ];
    for role in Role::BOTH {
        for (frame, code, reason) in &table {
            let events = [OwnedEvent::close(*code, reason)];
            let bytes = [
                frame.encode(role),
                // The connection ignores all bytes after the Close frame, even illegal ones.
                Frame::new(0x89, "never answered").encode(role),
                Frame::new(0x83, "").encode(role),
            ]
            .concat();
            let echo = [OwnedEvent::close(*code, "")];
            accepts(role, &Config::default(), &bytes, &events, &echo);
            let ending = run(role, &Config::default(), &bytes, &[]).ending.unwrap();
            assert_eq!((ending.code, &*ending.reason), (*code, *reason));
            assert!(ending.was_clean);
            assert_eq!((ending.initiator, ending.error), (Initiator::Peer, None));
        }
    }
    // These are the exact bytes.
    for (bytes, echo) in [
        ("88 82 37 fa 21 3d 34 12", "88 02 03 e8"),
        ("88 80 37 fa 21 3d", "88 00"),
    ] {
        let outcome = same_however_cut(Role::Server, &Config::default(), &hex(bytes));
        assert_eq!(outcome.output, hex(echo));
    }
}

#[test]
fn a_close_frame_inside_a_message_is_legal() {
    for role in Role::BOTH {
        let (begin, end) = (Frame::new(0x01, "unfini\u{e9}"), Frame::new(0x80, "shed"));
        let bytes = encode(&[begin, Frame::close(1000, ""), end], role);
        let close = [OwnedEvent::close(1000, "")];
        accepts(role, &Config::default(), &bytes, &close, &close);
    }
}

#[test]
fn illegal_close_frames_are_refused() {
    let reason = |bytes: &[u8]| Frame::new(0x88, [b"\x03\xe8", bytes].concat());
    let code = |code| ProtocolError::InvalidCloseCode(CloseCode::new(code));
    let table = [
        (Frame::new(0x88, [3]), ProtocolError::CloseTooShort),
        (Frame::new(0x88, [0x61]), ProtocolError::CloseTooShort),
        (reason(b"\xff"), ProtocolError::InvalidCloseReason),
        (reason(b"ok\xe2\x82"), ProtocolError::InvalidCloseReason),
        (reason(&hex(KOSME)), ProtocolError::InvalidCloseReason),
        (reason(b"\xed\xa0\x80"), ProtocolError::InvalidCloseReason),
        (Frame::close(1005, ""), code(1005)),
        (Frame::close(999, "text"), code(999)),
    ];
    for role in Role::BOTH {
        for (frame, error) in &table {
            let bad = frame.encode(role);
            let good = [Frame::new(0x81, "x"), Frame::new(0x89, "y")];
            refuses(role, &Config::default(), &good, &bad, *error, bad.len());
        }
    }
    let one_byte = hex("88 81 37 fa 21 3d 56");
    let error = ProtocolError::CloseTooShort;
    refuses(Role::Server, &Config::default(), &[], &one_byte, error, 7);
}

#[test]
fn no_illegal_close_code_is_ever_written() {
    for code in (0..=u16::MAX).map(CloseCode::new) {
        let mut server = Connection::server(&Config::default());
        if code.is_sendable() {
            server.close(code, "").unwrap();
            assert_eq!(server.output()[2..], u16::from(code).to_be_bytes());
        } else if code == CloseCode::NO_STATUS_RECEIVED {
            server.close(code, "a reason without a code").unwrap();
            assert_eq!(server.output(), [0x88, 0x00]);
        } else {
            let refused = server.close(code, "");
            assert_eq!(refused, Err(SendError::InvalidCloseCode(code)));
            assert!(server.output().is_empty() && server.can_send());
        }
    }
}

/// Sections 5.5 and 5.5.1: a Close frame holds at most 123 bytes of reason.
#[test]
fn a_long_reason_is_cut_at_a_character() {
    let table = [
        ("x".repeat(123), 123),
        ("x".repeat(124), 123),
        ("\u{20ac}".repeat(41), 123),
        ("\u{20ac}".repeat(42), 123),
        (format!("{}\u{e9}", "x".repeat(122)), 122),
        (format!("{}\u{20ac}tail", "x".repeat(121)), 121),
        (format!("{}\u{1f600}", "x".repeat(120)), 120),
        (format!("{}\u{1f600}", "x".repeat(119)), 123),
        ("\r\n\0".into(), 3),
    ];
    for (reason, kept) in table {
        for role in Role::BOTH {
            let mut peer = Peer::new(role.other(), &Config::default());
            let mut connection = role.connection(&Config::default());
            connection.close(CloseCode::GOING_AWAY, &reason).unwrap();
            peer.receive(connection.output());
            assert_eq!(peer.events(), [OwnedEvent::close(1001, &reason[..kept])]);
        }
    }
    let mut buffer = [0; CloseFrame::MAX_SIZE];
    let close = CloseFrame {
        code: CloseCode::ABNORMAL_CLOSURE,
        reason: "",
    };
    assert_eq!(close.write(&mut buffer), None);
}
