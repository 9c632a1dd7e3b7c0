//! Streams of frames, legal or nearly legal.

use std::string::String;
use std::vec;
use std::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::test_util::{Cuts, Frame, Length, Role, cuts_at, encode};
use crate::{CloseCode, CloseFrame};

/// The stream of one peer: legal items, changes that make them illegal, and bytes at the end that are no frame.
///
/// `Arbitrary` generates mostly legal streams, with at most 2 changes. For proptest, see `strategies::legal_frames`
/// and `strategies::nearly_legal_frames`.
///
/// # Example
///
/// ```
/// use arbitrary::{Arbitrary, Unstructured};
/// use sockless::test_util::{Frames, Role, judge, Rules};
/// use sockless::Config;
///
/// let noise: Vec<u8> = (0..500).map(|i| (i * i / 7) as u8).collect();
/// let mut frames = Frames::arbitrary(&mut Unstructured::new(&noise))?;
/// frames.changes.clear();
/// frames.tail.clear();
/// let verdict = judge(&Rules::new(Role::Server, &Config::default()), &frames.encode(Role::Server));
/// assert_eq!(verdict.error, None);
/// # Ok::<(), arbitrary::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests make streams up, and change every part of them"
)]
pub struct Frames {
    /// The messages and control frames, in order.
    pub items: Vec<Item>,
    /// The masking keys, which the frames use in turn. If empty, the key is [`Frame::MASKING_KEY`].
    pub masking_keys: Vec<[u8; 4]>,
    /// The changes, applied in order.
    pub changes: Vec<Change>,
    /// The bytes after the last frame.
    pub tail: Vec<u8>,
}

/// A message or a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the RFC has two kinds of messages and three control frames"
)]
pub enum Item {
    /// A text message.
    Text(String, Vec<Split>),
    /// A binary message.
    Binary(Vec<u8>, Vec<Split>),
    /// A Ping with at most 125 bytes of payload.
    Ping(Vec<u8>),
    /// A Pong with at most 125 bytes of payload.
    Pong(Vec<u8>),
    /// A Close frame with this payload. The receiver ignores all frames after it.
    Close(Vec<u8>),
}

/// A place to split a message. The number is the place, from 0 (start) to 65,535 (end). The bytes are the payload of
/// a Ping after the fragment, if there is one.
pub type Split = (u16, Option<Vec<u8>>);

/// A change of a stream of frames. Most changes make it illegal.
///
/// The first number selects the frame, modulo the number of frames.
#[derive(Clone, Debug, PartialEq, Eq, Arbitrary)]
#[non_exhaustive]
pub enum Change {
    /// Flips these bits of the first byte.
    First(usize, u8),
    /// Violates the masking rule.
    Masking(usize),
    /// Changes the form of the length.
    Length(usize, Length),
    /// Replaces a byte of the payload. The second number selects it, modulo the length.
    Byte(usize, usize, u8),
    /// Swaps two frames.
    Swap(usize, usize),
    /// Removes the frame.
    Drop(usize),
    /// Inserts a frame of any kind before it.
    Insert(usize, Frame),
}

impl Frames {
    /// Returns the frames in order, with all changes applied.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        let mut frames: Vec<Frame> = self.items.iter().flat_map(Item::frames).collect();
        for (frame, key) in frames.iter_mut().zip(self.masking_keys.iter().cycle()) {
            frame.masking_key = *key;
        }
        for change in &self.changes {
            change.apply(&mut frames);
        }
        frames
    }

    /// Returns the bytes of the stream, as the receiver `to` gets them. If `to` is a server, they are masked.
    #[must_use]
    pub fn encode(&self, to: Role) -> Vec<u8> {
        let mut bytes = encode(&self.frames(), to);
        bytes.extend_from_slice(&self.tail);
        bytes
    }
}

impl Item {
    /// Returns its frames: one, or the fragments of a message with Pings between them.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        match self {
            Self::Text(text, splits) => fragments(0x01, text.as_bytes(), splits),
            Self::Binary(data, splits) => fragments(0x02, data, splits),
            Self::Ping(payload) => vec![Frame::new(0x89, payload)],
            Self::Pong(payload) => vec![Frame::new(0x8a, payload)],
            Self::Close(payload) => vec![Frame::new(0x88, payload)],
        }
    }
}

fn fragments(opcode: u8, body: &[u8], splits: &[Split]) -> Vec<Frame> {
    let places = Cuts(splits.iter().map(|(at, _)| *at).collect()).places(body.len());
    let pings = splits.iter().map(|(_, ping)| ping.as_ref());
    let mut frames = Vec::new();
    // No Ping follows the last piece.
    for (piece, ping) in cuts_at(body, &places).zip(pings.chain([None])) {
        frames.push(Frame::new(0x00, piece));
        frames.extend(ping.map(|ping| Frame::new(0x89, ping)));
    }
    if let Some(first) = frames.first_mut() {
        first.first |= opcode;
    }
    if let Some(last) = frames.last_mut() {
        last.first |= 0x80;
    }
    frames
}

impl Change {
    /// Applies the change. Without such a frame or byte, it does nothing.
    pub fn apply(&self, frames: &mut Vec<Frame>) {
        let count = frames.len();
        match self {
            Self::First(i, bits) => change_one(frames, *i, |frame| frame.first ^= bits),
            Self::Masking(i) => change_one(frames, *i, |frame| frame.wrongly_masked ^= true),
            Self::Length(i, length) => change_one(frames, *i, |frame| frame.length = *length),
            Self::Byte(i, at, byte) => change_one(frames, *i, |frame| {
                change_one(&mut frame.payload, *at, |it| *it = *byte);
            }),
            Self::Swap(i, j) => {
                if let (Some(i), Some(j)) = (i.checked_rem(count), j.checked_rem(count)) {
                    frames.swap(i, j);
                }
            }
            Self::Drop(i) => {
                if let Some(i) = i.checked_rem(count) {
                    frames.remove(i);
                }
            }
            Self::Insert(i, frame) => {
                let i = i.checked_rem(count.saturating_add(1)).unwrap_or(count);
                frames.insert(i, frame.clone());
            }
        }
    }
}

/// Changes the item with this number, modulo the number of items. Without items it does nothing.
fn change_one<T>(items: &mut [T], i: usize, change: impl FnOnce(&mut T)) {
    let i = i.checked_rem(items.len());
    if let Some(item) = i.and_then(|i| items.get_mut(i)) {
        change(item);
    }
}

impl<'a> Arbitrary<'a> for Frames {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut changes = Vec::new();
        for _ in 0..u.int_in_range(0..=2)? {
            changes.push(u.arbitrary()?);
        }
        let tail = if u.ratio(1, 4)? {
            u.arbitrary()?
        } else {
            Vec::new()
        };
        Ok(Self {
            masking_keys: u.arbitrary()?,
            changes,
            tail,
            items: u.arbitrary()?,
        })
    }
}

impl<'a> Arbitrary<'a> for Item {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15)? {
            0..=5 => Self::Text(u.arbitrary()?, splits(u)?),
            6..=10 => Self::Binary(u.arbitrary()?, splits(u)?),
            11 | 12 => Self::Ping(control_payload(u)?),
            13 | 14 => Self::Pong(control_payload(u)?),
            _ => Self::close(&u.arbitrary()?),
        })
    }
}

impl Item {
    /// Makes a Close frame. If the code must not be sent, the frame is empty.
    #[must_use]
    pub fn close(close: &CloseFrame<'_>) -> Self {
        let mut buffer = [0; CloseFrame::MAX_SIZE];
        let payload = close.write(&mut buffer).unwrap_or_default();
        debug_assert!(close.code == CloseCode::NO_STATUS_RECEIVED || !payload.is_empty());
        Self::Close(payload.to_vec())
    }
}

fn splits(u: &mut Unstructured<'_>) -> Result<Vec<Split>> {
    let mut splits = Vec::new();
    for _ in 0..u.int_in_range(0..=4)? {
        let ping = if u.ratio(1, 3)? {
            Some(control_payload(u)?)
        } else {
            None
        };
        splits.push((u.arbitrary()?, ping));
    }
    Ok(splits)
}

fn control_payload(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = u.int_in_range(0..=125)?;
    Ok(u.bytes(length.min(u.len()))?.to_vec())
}
