//! Automatic answers to Pings, within a limit (RFC 6455, sections 5.5.2 and 5.5.3).

use alloc::boxed::Box;
use core::fmt;

use crate::wire::{Bytes, MAX_CONTROL_PAYLOAD};

/// Keeps the Pongs that wait in the output below a limit.
///
/// Section 5.5.3: "if an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous Ping
/// frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed Ping frame". This happens
/// here only once the limit is reached.
#[derive(Debug)]
pub(crate) struct Pongs {
    /// Bytes from the start of the unsent output to the end of the last Pong in it. At most 4 GiB.
    ahead: u32,
    /// Bytes from the start of the unsent output to the end of the last Pong, or of the last Ping that
    /// [`Self::ping_sent`] noted.
    watched: u32,
    /// Bytes of Pong frames since `ahead` was last 0. At most `limit`, or one frame.
    unsent: u32,
    limit: u32,
    /// The newest Ping whose Pong found no room.
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
    /// Copies the payload of a control frame, which has at most 125 bytes.
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

/// Shows how long it is, not its bytes.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Bytes(self.length).fmt(f)
    }
}

impl Pongs {
    /// `limit` is how many bytes of Pongs may wait, at most 4 GiB. One Pong may always wait.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            ahead: 0,
            watched: 0,
            unsent: 0,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            newest: None,
        }
    }

    /// Whether a Pong of `size` bytes may go into the output. One Pong always may.
    pub(crate) fn has_room(&self, size: u8) -> bool {
        let left = self.limit.saturating_sub(self.unsent);
        self.newest.is_none() && (self.unsent == 0 || u32::from(size) <= left)
    }

    /// Notes that a Pong of `size` bytes went into the output, which now holds `output` bytes. It [had
    /// room](Self::has_room).
    pub(crate) fn sent(&mut self, size: u8, output: usize) {
        // At most `limit`, or one frame.
        self.unsent = self.unsent.saturating_add(size.into());
        self.ahead = u32::try_from(output).unwrap_or(u32::MAX);
        self.watched = self.ahead;
    }

    /// Notes that a Ping went into the output, which now holds `output` bytes. The caller needs to know when it is
    /// written.
    pub(crate) fn ping_sent(&mut self, output: usize) {
        self.watched = u32::try_from(output).unwrap_or(u32::MAX);
    }

    /// Stores the answer for later. It replaces an answer that was stored before.
    pub(crate) fn defer(&mut self, payload: &[u8]) {
        let payload = Payload::new(payload);
        match &mut self.newest {
            Some(newest) => **newest = payload,
            None => self.newest = Some(Box::new(payload)),
        }
    }

    /// Whether the output holds a Pong, or a Ping from [`Self::ping_sent`]. If it holds neither, no answer is stored.
    #[inline]
    pub(crate) const fn are_unsent(&self) -> bool {
        self.watched > 0
    }

    /// Notes that the output was dropped.
    pub(crate) fn clear(&mut self) {
        self.ahead = 0;
        self.watched = 0;
        self.unsent = 0;
        self.newest = None;
    }

    /// Notes that `n` bytes of output were written, in the usual case: they were all of it, and no answer is stored. In
    /// any other case this returns false and changes nothing.
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

    /// Notes that `n` bytes of output were written. Returns the stored answer, if it has room now.
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
