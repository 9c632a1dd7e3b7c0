//! Frames, written by hand. sockless has no part in them, so a bug in sockless cannot hide itself.

/// The masking key of all frames. It has no zero, so a server must unmask every byte.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A binary message in one masked frame, as a client sends it (RFC 6455, section 5.2).
#[must_use]
pub fn masked(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(payload.len(), 0x80);
    frame.extend(KEY);
    let key = KEY.iter().cycle();
    frame.extend(payload.iter().zip(key).map(|(byte, key)| byte ^ key));
    frame
}

/// The same message, as a server sends it back.
#[must_use]
pub fn echo(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(payload.len(), 0);
    frame.extend(payload);
    frame
}

/// The first bytes of a frame. The length has its shortest form.
fn header(length: usize, mask: u8) -> Vec<u8> {
    let mut header = vec![0x82];
    if let Ok(short @ 0..=125) = u8::try_from(length) {
        header.push(mask | short);
    } else if let Ok(middle) = u16::try_from(length) {
        header.push(mask | 0x7e);
        header.extend(middle.to_be_bytes());
    } else {
        header.push(mask | 0x7f);
        header.extend((length as u64).to_be_bytes());
    }
    header
}

/// A payload of this length. Other numbers give other bytes.
#[must_use]
pub fn payload(length: usize, number: usize) -> Vec<u8> {
    // The constants of Knuth's MMIX generator.
    let mut state = number as u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6455, section 5.7, with the opcode of binary messages.
    #[test]
    fn frames_of_the_rfc() {
        assert_eq!(
            masked(b"Hello"),
            b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        );
        assert_eq!(echo(b"Hello"), b"\x82\x05Hello");
        assert!(echo(&[0; 256]).starts_with(b"\x82\x7e\x01\x00"));
        assert!(echo(&vec![0; 65536]).starts_with(b"\x82\x7f\0\0\0\0\0\x01\0\0"));
        assert!(masked(&[0; 126]).starts_with(b"\x82\xfe\0\x7e"));
    }

    #[test]
    fn payloads_differ() {
        assert_ne!(payload(16, 1), payload(16, 2));
        assert_eq!(payload(1 << 16, 1).len(), 1 << 16);
    }
}
