//! The client's key, which the server must answer (RFC 6455, sections 4.1 and 4.2.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The value of `Sec-WebSocket-Key` for 16 random bytes (section 4.1, item 7).
pub(crate) fn encode_key(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    // 16 bytes always give 24 characters, so the buffer is never too short.
    let _ = STANDARD.encode_slice(nonce, &mut key);
    key
}

/// Whether a value is 16 bytes in base64: 22 characters of the alphabet and `==` (section 4.2.1, item 5).
///
/// The last character carries 4 unused bits. They may have any value: they are zero in the example of section 1.3, but
/// not in the example of section 4.1.
pub(crate) fn is_valid_key(value: &[u8]) -> bool {
    value.len() == 24
        && value.strip_suffix(b"==").is_some_and(|characters| {
            // Without an early exit, the compiler uses vector instructions.
            characters.iter().fold(true, |all, byte| {
                all & (byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/'))
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        assert_eq!(
            &encode_key(*b"the sample nonce"),
            b"dGhlIHNhbXBsZSBub25jZQ=="
        );
        assert!(is_valid_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(is_valid_key(b"AQIDBAUGBwgJCgsMDQ4PEC=="));
        for wrong in [
            &b""[..],
            b"dGhlIHNhbXBsZSBub25jZQ=",
            b"dGhlIHNhbXBsZSBub25jZQ===",
            b"dGhlIHNhbXBsZSBub25jZQAA",
            b"dGhlIHNhbXBsZSBub25j!Q==",
            b"dGhlIHNhbXBsZSBub25jZ===",
        ] {
            assert!(!is_valid_key(wrong), "{wrong:?}");
        }
    }
}
