//! A frame, as far as it has come (RFC 6455, section 5.2). This uses nothing of sockless.

/// A frame, which may be incomplete.
pub struct Frame {
    pub fin: bool,
    /// Whether any reserved bit is set.
    pub rsv: bool,
    pub opcode: u8,
    pub masked: bool,
    /// The 7 bits of the second byte.
    pub short_length: u8,
    /// The payload length, once it is complete.
    pub length: Option<u64>,
    /// The part of the payload that has come.
    pub payload: Vec<u8>,
    reached: Moment,
    /// The number of bytes that have come.
    pub size: usize,
}

/// How much of a frame has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The first two bytes.
    Start,
    /// The payload length.
    Length,
    /// The masking key.
    Header,
    /// The first byte of the payload, or an empty payload.
    Payload,
    /// The whole frame.
    Whole,
}

impl Frame {
    /// Reads the first frame of `bytes`. `None` if there are fewer than two bytes. `unmask` says whether to unmask the
    /// payload.
    pub fn read(bytes: &[u8], unmask: bool) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (masked, short_length) = (second >= 0x80, second & 0x7f);
        let mut frame = Self {
            fin: first >= 0x80,
            rsv: first & 0x70 != 0,
            opcode: first & 0x0f,
            masked,
            short_length,
            length: None,
            payload: Vec::new(),
            reached: Moment::Start,
            size: bytes.len(),
        };
        let form = match short_length {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((extended, rest)) = rest.split_at_checked(form) else {
            return Some(frame);
        };
        let length = match extended {
            [] => u64::from(short_length),
            _ => extended
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        frame.length = Some(length);
        frame.reached = Moment::Length;
        let Some((key, rest)) = rest.split_at_checked(if masked { 4 } else { 0 }) else {
            return Some(frame);
        };
        let here = usize::try_from(length).map_or(rest.len(), |length| length.min(rest.len()));
        frame.reached = match here {
            _ if here as u64 == length => Moment::Whole,
            0 => Moment::Header,
            _ => Moment::Payload,
        };
        frame.payload = rest[..here].into();
        if masked && unmask {
            for (byte, key) in frame.payload.iter_mut().zip(key.iter().cycle()) {
                *byte ^= key;
            }
        }
        frame.size = 2 + form + key.len() + here;
        Some(frame)
    }

    pub const fn is_control(&self) -> bool {
        self.opcode >= 8
    }

    /// The least length that needs the form in which the length is written (RFC 6455, section 5.2).
    pub const fn least_length(&self) -> u64 {
        match self.short_length {
            126 => 126,
            127 => 1 << 16,
            _ => 0,
        }
    }

    pub fn has_reached(&self, moment: Moment) -> bool {
        self.reached >= moment
    }

    pub fn is_whole(&self) -> bool {
        self.has_reached(Moment::Whole)
    }
}
