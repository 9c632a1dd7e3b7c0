//! The key that proves a server speaks WebSocket (RFC 6455 sections 4.1 and 4.2.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` value, in ASCII, for a `Sec-WebSocket-Key` value as it stands in the request
/// (RFC 6455 section 4.2.2, step 5).
///
/// # Example
///
/// ```
/// assert_eq!(&sockless::accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    let mut accept = [0; 28];
    // 20 bytes make 28 characters always, so the result is never the error for a short buffer.
    let _ = STANDARD.encode_slice(sha1.digest().bytes(), &mut accept);
    accept
}

/// The `Sec-WebSocket-Key` value for 16 random bytes (section 4.1, item 7).
#[cfg(feature = "alloc")]
pub(crate) fn encode_key(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    // 16 bytes make 24 characters always, so the result is never the error for a short buffer.
    let _ = STANDARD.encode_slice(nonce, &mut key);
    key
}

/// Whether a value is 16 bytes in base64 (section 4.2.1, item 5): 22 characters of the alphabet and `==`.
///
/// The 4 bits of the last character that carry nothing may be anything: the RFC's own sample in section
/// 1.3 leaves them at zero, the one in section 4.1 does not.
#[cfg(feature = "alloc")]
pub(crate) fn is_valid_key(value: &[u8]) -> bool {
    value.len() == 24
        && value.strip_suffix(b"==").is_some_and(|characters| {
            // Without a way out it becomes a few vector instructions.
            characters.iter().fold(true, |all, byte| {
                all & (byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/'))
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_of_the_rfc() {
        assert_eq!(
            &accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
            b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(
            &accept_key(b"AQIDBAUGBwgJCgsMDQ4PEC=="),
            b"OfS0wDaT5NoxF2gqm7Zj2YtetzM="
        );
    }

    #[cfg(feature = "alloc")]
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
