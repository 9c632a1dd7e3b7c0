//! Frames that several connections send without a copy for each.

use alloc::collections::{VecDeque, vec_deque};
use alloc::sync::Arc;

use crate::connection::output::Output;

/// Shared frames in the output, and their places between the connection's own bytes.
#[derive(Default)]
pub(super) struct Shared {
    frames: VecDeque<Frame>,
    /// Unwritten bytes of all frames.
    length: usize,
    /// Unwritten own bytes before the last frame.
    own: usize,
}

struct Frame {
    /// Unwritten own bytes between the frame before and this one.
    gap: usize,
    bytes: Arc<[u8]>,
    written: usize,
}

impl Frame {
    fn unsent(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }
}

impl Output {
    /// Adds a whole frame that other connections send too.
    pub(crate) fn push_shared(&mut self, frame: &Arc<[u8]>) {
        let own = self.own().len();
        self.shared
            .get_or_insert_default()
            .push(own, Arc::clone(frame));
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "lengths in memory do not overflow, and each difference takes a part from its whole"
)]
impl Shared {
    /// Adds a frame at the end. `own` is the number of own bytes before it.
    pub(super) fn push(&mut self, own: usize, frame: Arc<[u8]>) {
        self.length += frame.len();
        self.frames.push_back(Frame {
            gap: own - self.own,
            bytes: frame,
            written: 0,
        });
        self.own = own;
    }

    /// Drops the first `n` bytes, where `mine` own bytes wait in all. Returns how many of the dropped bytes are own
    /// ones. If `n` is more than all bytes, it drops none and returns `n`.
    #[cold]
    pub(super) fn advance(&mut self, n: usize, mine: usize) -> usize {
        if n > mine + self.length {
            return n;
        }
        let (mut left, mut own) = (n, 0);
        while let Some(frame) = self.frames.front_mut() {
            let gap = frame.gap.min(left);
            frame.gap -= gap;
            own += gap;
            left -= gap;
            let shared = frame.unsent().len().min(left);
            frame.written += shared;
            self.length -= shared;
            left -= shared;
            if frame.gap > 0 || !frame.unsent().is_empty() {
                self.own -= own;
                return own;
            }
            self.frames.pop_front();
        }
        self.own = 0;
        own + left
    }

    /// The unwritten part of each frame, with the number of own bytes before it.
    pub(super) fn frames(&self) -> Frames<'_> {
        Frames(self.frames.iter())
    }

    /// Unwritten bytes of all frames.
    pub(super) const fn len(&self) -> usize {
        self.length
    }
}

pub(super) struct Frames<'a>(vec_deque::Iter<'a, Frame>);

impl<'a> Iterator for Frames<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|frame| (frame.gap, frame.unsent()))
    }
}
