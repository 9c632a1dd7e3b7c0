//! Parses, writes and shortens the payload of a Close frame (RFC 6455, sections 5.5.1 and 7.4).

use sockless::{CloseCode, CloseFrame, ProtocolError};

/// See the module.
pub fn run(data: &[u8]) {
    parse(data);
    write(data);
}

/// Any payload gets the verdict of the rules below. A legal payload is written back unchanged.
fn parse(payload: &[u8]) {
    let parsed = CloseFrame::parse(payload);
    let mut buffer = [0; CloseFrame::MAX_SIZE];
    match payload {
        [] => {
            assert_eq!(parsed.map(|close| u16::from(close.code)), Ok(1005));
        }
        [_] => assert_eq!(parsed, Err(ProtocolError::CloseTooShort)),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                let code = CloseCode::new(code);
                assert_eq!(parsed, Err(ProtocolError::InvalidCloseCode(code)));
            } else if let Ok(reason) = str::from_utf8(reason) {
                let close = parsed.expect("the payload is legal");
                assert_eq!((u16::from(close.code), close.reason), (code, reason));
                let written = close
                    .write(&mut buffer)
                    .expect("a received code can be sent");
                if payload.len() <= CloseFrame::MAX_SIZE {
                    assert_eq!(written, payload);
                }
            } else {
                assert_eq!(parsed, Err(ProtocolError::InvalidCloseReason));
            }
        }
    }
}

/// Any code and any reason give a legal payload or none. A long reason loses only whole characters.
fn write(data: &[u8]) {
    let Some((code, reason)) = data.split_first_chunk::<2>() else {
        return;
    };
    let code = CloseCode::new(u16::from_be_bytes(*code));
    let reason = String::from_utf8_lossy(reason);
    let close = CloseFrame {
        code,
        reason: &reason,
    };
    let mut buffer = [0; CloseFrame::MAX_SIZE];
    let Some(payload) = close.write(&mut buffer) else {
        assert!(!code.is_sendable() && code != CloseCode::NO_STATUS_RECEIVED);
        return;
    };
    let read = CloseFrame::parse(payload).expect("a written payload is legal");
    assert_eq!(read.code, code);
    if payload.is_empty() {
        assert_eq!(code, CloseCode::NO_STATUS_RECEIVED);
    } else {
        assert!(reason.starts_with(read.reason));
        let lost = reason[read.reason.len()..].chars().next();
        // The next character does not fit.
        assert!(lost.is_none_or(|next| payload.len() + next.len_utf8() > CloseFrame::MAX_SIZE));
    }
}
