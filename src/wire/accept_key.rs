//! The value that proves that a server understands WebSocket (RFC 6455, sections 4.1 and 4.2.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Returns the value of `Sec-WebSocket-Accept`, in ASCII, for a value of `Sec-WebSocket-Key` (RFC 6455, section 4.2.2,
/// step 5).
///
/// The key may be any bytes. This function does not check it.
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
    // 20 bytes always give 28 characters, so the buffer is long enough.
    let _ = STANDARD.encode_slice(sha1.digest().bytes(), &mut accept);
    accept
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
}
