//! Streams of frames, legal or nearly so.

use std::string::String;
use std::vec;
use std::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::test_util::{Cuts, Frame, Length, Role, cuts_at, encode};
use crate::{CloseCode, CloseFrame};

/// What one peer sends: legal items, then the changes that make it less legal, then bytes of no frame.
///
/// [`Arbitrary`] makes mostly legal ones of it with at most 2 changes; for proptest see
/// `strategies::legal_frames` and `strategies::nearly_legal_frames`.
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
    /// Messages and control frames in their order.
    pub items: Vec<Item>,
    /// The masking keys, used in turn; without any it is [`Frame::MASKING_KEY`].
    pub masking_keys: Vec<[u8; 4]>,
    /// What is then changed, one after the other.
    pub changes: Vec<Change>,
    /// Bytes that follow the last frame.
    pub tail: Vec<u8>,
}

/// One thing a peer may send at any time between messages.
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
    /// A Close frame with this payload; frames behind it are no part of the connection.
    Close(Vec<u8>),
}

/// Where a message is cut into fragments (a fraction of its length, as in [`Cuts`](super::Cuts)), and the
/// payload of a Ping behind the fragment, if there is one.
pub type Split = (u16, Option<Vec<u8>>);

/// One thing that is changed in a stream of frames, and mostly makes it wrong.
///
/// The first number says which frame, modulo their number.
#[derive(Clone, Debug, PartialEq, Eq, Arbitrary)]
#[non_exhaustive]
pub enum Change {
    /// Bits of the first byte are turned over.
    First(usize, u8),
    /// The frame is masked if it should not be, and the reverse.
    Masking(usize),
    /// The length is written in another way.
    Length(usize, Length),
    /// A byte of the payload, at the second number modulo its length, is replaced.
    Byte(usize, usize, u8),
    /// Two frames change places.
    Swap(usize, usize),
    /// The frame is left out.
    Drop(usize),
    /// A frame of any kind is put in front of it.
    Insert(usize, Frame),
}

impl Frames {
    /// The frames in their order, changes applied.
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

    /// The stream of bytes on its way to `to`.
    #[must_use]
    pub fn encode(&self, to: Role) -> Vec<u8> {
        let mut bytes = encode(&self.frames(), to);
        bytes.extend_from_slice(&self.tail);
        bytes
    }
}

impl Item {
    /// Its frames: one, or the fragments of a message with the Pings between.
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
    /// Makes the change; where there is no such frame or byte there is nothing to change.
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

/// Changes the item with this number modulo how many there are, if there is one.
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
    /// A Close frame that says this; one with a code that must not be sent is empty.
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
