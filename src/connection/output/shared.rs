//! Frames that several connections send, each without a copy of its own.

use alloc::collections::{VecDeque, vec_deque};
use alloc::sync::Arc;

use crate::connection::output::Output;

/// Shared frames in the output, and where they stand between the bytes that are the connection's own.
#[derive(Default)]
pub(super) struct Shared {
    frames: VecDeque<Frame>,
    /// Unwritten bytes of all frames.
    length: usize,
    /// Unwritten bytes of the connection's own before the last frame.
    own: usize,
}

struct Frame {
    /// Unwritten bytes of the connection's own between the frame before this one and this one.
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
    /// Adds a whole frame that others send, too.
    pub(crate) fn push_shared(&mut self, frame: &Arc<[u8]>) {
        let own = self.own().len();
        self.shared
            .get_or_insert_default()
            .push(own, Arc::clone(frame));
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "sums and differences of lengths of what is in memory; no more is taken off than there is"
)]
impl Shared {
    /// Adds a frame behind all there is, of which `own` bytes are the connection's own.
    pub(super) fn push(&mut self, own: usize, frame: Arc<[u8]>) {
        self.length += frame.len();
        self.frames.push_back(Frame {
            gap: own - self.own,
            bytes: frame,
            written: 0,
        });
        self.own = own;
    }

    /// Drops the first `n` bytes of all, of which `mine` are the connection's own, and says how many of the dropped
    /// ones were. If `n` is more than all, it drops none and says `n`.
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

    /// What is unwritten of each frame, and the number of the connection's own bytes in front of it.
    pub(super) fn frames(&self) -> Frames<'_> {
        Frames(self.frames.iter())
    }

    /// Unwritten bytes of all frames.
    pub(super) const fn len(&self) -> usize {
        self.length
    }
}

/// See [`Shared::frames`].
pub(super) struct Frames<'a>(vec_deque::Iter<'a, Frame>);

impl<'a> Iterator for Frames<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|frame| (frame.gap, frame.unsent()))
    }
}
