//! Parses any bytes as a frame header, whole and in part, and writes any header (RFC 6455, section 5.2).

use sockless::{FrameHeader, ProtocolError};

use crate::input::structured;

/// See the module.
pub fn run(data: &[u8]) {
    parse(data);
    if let Some(header) = structured::<FrameHeader>(data) {
        let mut buffer = [0; FrameHeader::MAX_SIZE];
        let written = header.write(&mut buffer);
        assert_eq!(
            FrameHeader::parse(written),
            Ok(Some((header, written.len())))
        );
    }
}

fn parse(data: &[u8]) {
    let whole = FrameHeader::parse(data);
    let mut decided = false;
    for n in 0..=data.len().min(FrameHeader::MAX_SIZE) {
        let so_far = FrameHeader::parse(&data[..n]);
        // A verdict does not depend on later bytes.
        decided |= so_far != Ok(None);
        assert!(
            !decided || so_far == whole,
            "{so_far:?} after {n} bytes, then {whole:?}"
        );
    }
    assert_eq!(whole != Ok(None), decided);
    match whole {
        Ok(Some((header, size))) => {
            let mut buffer = [0; FrameHeader::MAX_SIZE];
            assert_eq!(header.write(&mut buffer), &data[..size]);
            assert!(header.payload_length < 1 << 63);
            if header.opcode.is_control() {
                assert!(header.fin && header.payload_length <= 125);
            }
        }
        Ok(None) => assert!(data.len() < FrameHeader::MAX_SIZE),
        Err(error) => {
            // An extended length shows its violation when it is whole. Two bytes show all others.
            let at = match error {
                ProtocolError::LengthNotMinimal | ProtocolError::LengthTooLarge => {
                    match data[1] & 0x7f {
                        126 => 4,
                        _ => 10,
                    }
                }
                _ => 2,
            };
            assert_eq!(FrameHeader::parse(&data[..at - 1]), Ok(None));
            assert_eq!(FrameHeader::parse(&data[..at]), Err(error));
        }
    }
}
