//! Arbitrary, legal values.

use crate::wire::close_code::CloseCode;
use crate::wire::close_frame::CloseFrame;
use crate::wire::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode};

/// Generates a payload that [`CloseFrame::parse`] accepts and [`CloseFrame::write`] writes unchanged.
impl<'a> arbitrary::Arbitrary<'a> for CloseFrame<'a> {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let code = u.int_in_range(999..=4999)?;
        let code = CloseCode::new(code);
        if !code.is_sendable() {
            return Ok(Self {
                code: CloseCode::NO_STATUS_RECEIVED,
                reason: "",
            });
        }
        let mut reason: &str = u.arbitrary()?;
        while reason.len() > Self::MAX_SIZE - 2 {
            let mut characters = reason.chars();
            characters.next_back();
            reason = characters.as_str();
        }
        Ok(Self { code, reason })
    }
}

/// Generates a header that [`FrameHeader::parse`] accepts.
impl<'a> arbitrary::Arbitrary<'a> for FrameHeader {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let opcode: Opcode = u.arbitrary()?;
        let (fin, payload_length) = if opcode.is_control() {
            (true, u.int_in_range(0..=MAX_CONTROL_PAYLOAD as u64)?)
        } else {
            // Half of the lengths are near a bound between two forms of the length.
            let length = match u.int_in_range(0..=3)? {
                0 => u.int_in_range(0..=256)?,
                1 => u.int_in_range(0xff00..=0x1_00ff)?,
                _ => u.int_in_range(0..=u64::MAX >> 1)?,
            };
            (u.arbitrary()?, length)
        };
        Ok(Self {
            fin,
            rsv: u.int_in_range(0..=7)?,
            opcode,
            masking_key: u.arbitrary()?,
            payload_length,
        })
    }
}

#[cfg(test)]
mod tests {
    use arbitrary::Arbitrary;

    use super::*;

    #[test]
    fn close_frames_are_legal() {
        let noise: [u8; 4096] = core::array::from_fn(|i| (i * i * 31 + i / 7) as u8);
        for start in 0..2048 {
            let mut u = arbitrary::Unstructured::new(&noise[start..start + 300]);
            let close = CloseFrame::arbitrary(&mut u).expect("enough noise");
            let mut buffer = [0; CloseFrame::MAX_SIZE];
            let payload = close.write(&mut buffer).expect("sendable");
            assert_eq!(CloseFrame::parse(payload), Ok(close));
        }
        // A reason that is too long for a frame is cut.
        let mut u = arbitrary::Unstructured::new(&[b'k'; 4000]);
        let close = CloseFrame::arbitrary(&mut u).expect("enough bytes");
        assert_eq!(close.reason.len(), CloseFrame::MAX_SIZE - 2);
    }

    #[test]
    fn headers_are_legal() {
        let noise: [u8; 4096] = core::array::from_fn(|i| (i * i * 31 + i / 7) as u8);
        let (mut short, mut medium) = (0, 0);
        for start in 0..4000 {
            let mut u = arbitrary::Unstructured::new(&noise[start..start + 64]);
            let header = FrameHeader::arbitrary(&mut u).expect("enough noise");
            let mut buffer = [0; FrameHeader::MAX_SIZE];
            let written = header.write(&mut buffer);
            assert_eq!(
                FrameHeader::parse(written),
                Ok(Some((header, written.len())))
            );
            if !header.opcode.is_control() {
                short += usize::from(header.payload_length <= 256);
                medium += usize::from((0xff00..=0x1_00ff).contains(&header.payload_length));
            }
        }
        // Lengths near the bounds must occur.
        assert!(short > 200 && medium > 200, "{short} {medium}");
    }
}
