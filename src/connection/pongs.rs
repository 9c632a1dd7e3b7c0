//! Automatic answers to Pings, bounded (RFC 6455 sections 5.5.2 and 5.5.3).

use alloc::boxed::Box;
use core::fmt;

use crate::wire::{Bytes, MAX_CONTROL_PAYLOAD};

/// Keeps the Pongs that wait in the output under a limit.
///
/// Section 5.5.3: "if an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to
/// previous Ping frame(s), the endpoint MAY elect to send a Pong frame for only the most recently
/// processed Ping frame". That choice is made here once the limit is reached, and never before.
#[derive(Debug)]
pub(crate) struct Pongs {
    /// Bytes from the start of the unsent output to the end of the last Pong in it. (4 GiB at most.)
    ahead: u32,
    /// The same to the end of the last Pong, or Ping that is waited for.
    watched: u32,
    /// Bytes of Pong frames since `ahead` was last none: `limit` at most, or one frame.
    unsent: u32,
    limit: u32,
    /// The newest Ping that found no room.
    newest: Option<Box<Payload>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Payload {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    length: usize,
}

#[expect(
    clippy::indexing_slicing,
    reason = "`length` is at most that of the array"
)]
impl Payload {
    /// The payload of a control frame, which is short enough.
    fn new(payload: &[u8]) -> Self {
        let mut bytes = [0; MAX_CONTROL_PAYLOAD];
        let length = payload.len().min(MAX_CONTROL_PAYLOAD);
        bytes[..length].copy_from_slice(&payload[..length]);
        Self { bytes, length }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Shows how long it is, not what it says.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Bytes(self.length).fmt(f)
    }
}

impl Pongs {
    /// None so far. `limit` is how many bytes of them may wait (4 GiB at most); one always may.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            ahead: 0,
            watched: 0,
            unsent: 0,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            newest: None,
        }
    }

    /// Whether a Pong of `size` bytes may go into the output: one always may.
    pub(crate) fn has_room(&self, size: u8) -> bool {
        let left = self.limit.saturating_sub(self.unsent);
        self.newest.is_none() && (self.unsent == 0 || u32::from(size) <= left)
    }

    /// A Pong of `size` bytes, which [had room](Self::has_room), went into the output, which now holds `output` bytes.
    pub(crate) fn sent(&mut self, size: u8, output: usize) {
        // At most `limit`, or one frame.
        self.unsent = self.unsent.saturating_add(size.into());
        self.ahead = u32::try_from(output).unwrap_or(u32::MAX);
        self.watched = self.ahead;
    }

    /// A Ping, whose way out matters too, went into the output, which now holds `output` bytes.
    pub(crate) fn ping_sent(&mut self, output: usize) {
        self.watched = u32::try_from(output).unwrap_or(u32::MAX);
    }

    /// Keeps the answer for later, in place of one kept before.
    pub(crate) fn defer(&mut self, payload: &[u8]) {
        let payload = Payload::new(payload);
        match &mut self.newest {
            Some(newest) => **newest = payload,
            None => self.newest = Some(Box::new(payload)),
        }
    }

    /// Whether a Pong, or a Ping whose way out matters, is in the output. If there is none, no Pong was kept for later.
    #[inline]
    pub(crate) const fn are_unsent(&self) -> bool {
        self.watched > 0
    }

    /// The output was dropped.
    pub(crate) fn clear(&mut self) {
        self.ahead = 0;
        self.watched = 0;
        self.unsent = 0;
        self.newest = None;
    }

    /// `n` bytes of output were written. Takes note if that is the usual case: it was all, and no answer was kept. If not,
    /// changes nothing.
    #[inline]
    pub(crate) fn all_written(&mut self, n: usize) -> bool {
        let all = self.newest.is_none() && n as u64 >= u64::from(self.watched);
        if all {
            self.ahead = 0;
            self.watched = 0;
            self.unsent = 0;
        }
        all
    }

    /// `n` bytes of output were written. Returns the answer that was kept, if there is room for it now.
    pub(crate) fn written(&mut self, n: usize) -> Option<Box<Payload>> {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        self.watched = self.watched.saturating_sub(n);
        self.ahead = self.ahead.saturating_sub(n);
        if self.ahead > 0 {
            return None;
        }
        self.unsent = 0;
        self.newest.take()
    }
}
