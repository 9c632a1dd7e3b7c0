//! As much of a frame as has come (RFC 6455 section 5.2). Uses nothing of sockless.

/// A frame, perhaps not whole.
pub struct Frame {
    pub fin: bool,
    /// Whether any of the three is set.
    pub rsv: bool,
    pub opcode: u8,
    pub masked: bool,
    /// The 7 bits of the second byte.
    pub short_length: u8,
    /// The payload length, once it is complete.
    pub length: Option<u64>,
    /// What has come of the payload.
    pub payload: Vec<u8>,
    /// How much has come.
    reached: Moment,
    /// Of what has come.
    pub size: usize,
}

/// How much of a frame has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Two bytes.
    Start,
    /// All of the payload length.
    Length,
    /// The masking key, too.
    Header,
    /// The first byte of the payload, or an empty payload.
    Payload,
    /// All of it.
    Whole,
}

impl Frame {
    /// What `bytes` begin with; nothing if there are less than two. The payload is unmasked if `unmask`.
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

    /// The least length that needs the form it is written in.
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
