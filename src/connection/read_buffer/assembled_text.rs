//! Text messages that come in several pieces.

use alloc::string::String;

use crate::connection::read_buffer::region::is_worth_taking;

/// The part of a text message that has come, if the message takes several reads or frames.
///
/// Section 8.1 wants text to be validated piece by piece. If the pieces were kept as bytes, making a `str` of the whole
/// message would validate them again. So they are kept as text. Short ASCII text stays where it was received, because
/// validating it again costs less than the copy.
#[derive(Default)]
pub(crate) struct AssembledText {
    text: String,
    /// How many bytes of ASCII stay where they were received.
    ascii: usize,
    /// The length of the last text whose memory was taken. The next one may be as long.
    expected: usize,
    /// Whether the message is still to be delivered. If not, the text is no longer needed.
    is_open: bool,
}

impl AssembledText {
    /// No text, and no memory.
    pub(crate) const fn new() -> Self {
        Self {
            text: String::new(),
            ascii: 0,
            expected: 0,
            is_open: false,
        }
    }

    /// Whether the text that has come can stay where it is. This looks at each byte once.
    pub(crate) fn can_leave(&mut self, text: &[u8]) -> bool {
        let fresh = text.get(self.ascii..).unwrap_or_default();
        if self.is_open || !fresh.is_ascii() {
            return false;
        }
        self.ascii = text.len();
        true
    }

    /// Adds a piece. A message has at most `limit` bytes, and so has the memory.
    pub(crate) fn add(&mut self, piece: &str, limit: usize) {
        if !self.is_open {
            self.text.clear();
            self.is_open = true;
        }
        let length = self.text.len();
        let needed = length.saturating_add(piece.len());
        if needed > self.text.capacity() {
            // Growth to twice the size keeps the bytes moved linear in the bytes received.
            let mut size = needed.saturating_mul(2);
            if needed >= self.expected / 8 {
                // A text like the last one has begun. So its memory is made in one step.
                size = size.max(self.expected);
            }
            let size = size.min(limit).max(needed);
            self.text.reserve_exact(size.saturating_sub(length));
        }
        self.text.push_str(piece);
    }

    /// Ends the message. The joined text is valid until the next message begins.
    pub(crate) const fn close(&mut self) {
        self.is_open = false;
        self.ascii = 0;
    }

    /// Frees the memory that no open message needs.
    pub(crate) fn shrink(&mut self) {
        if !self.is_open {
            self.text.clear();
        }
        self.text.shrink_to_fit();
        self.expected = 0;
    }

    /// Whether the joined text is long enough to be taken with its memory.
    pub(crate) const fn is_worth_taking(&self) -> bool {
        is_worth_taking(self.text.len(), self.text.capacity())
    }

    /// Takes the joined text with its memory. The message was closed.
    pub(crate) fn take(&mut self) -> String {
        self.expected = self.text.len();
        core::mem::take(&mut self.text)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a message is being put together.
    pub(crate) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// How many bytes were looked at and left where they are.
    #[cfg(test)]
    pub(super) const fn looked_at(&self) -> usize {
        self.ascii
    }

    /// The memory it owns, in bytes.
    pub(crate) const fn capacity(&self) -> usize {
        self.text.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    #[test]
    fn joins_pieces_and_begins_anew_after_each_message() {
        let mut joined = AssembledText::new();
        for _ in 0..3 {
            joined.add("caf", LIMIT);
            assert!(joined.is_open());
            joined.add("\u{e9}", LIMIT);
            joined.close();
            assert_eq!((joined.text(), joined.is_open()), ("caf\u{e9}", false));
        }
    }

    #[test]
    fn leaves_text_while_it_is_ascii() {
        let mut joined = AssembledText::new();
        for _ in 0..2 {
            assert!(joined.can_leave(b""));
            assert!(joined.can_leave(b"caf"));
            assert!(joined.can_leave(b"caf"));
            assert!(!joined.can_leave(b"caf\xc3"));
            assert!(!joined.can_leave(b"caf\xc3\xa9"));
            // No byte of the next message was looked at.
            joined.close();
            assert!(!joined.can_leave(b"\xc3"));
            joined.add("caf\u{e9}", LIMIT);
            assert!(!joined.can_leave(b"s"));
            joined.close();
        }
    }

    #[test]
    fn after_a_take_the_memory_grows_to_the_same_length_at_once() {
        let mut joined = AssembledText::new();
        joined.add(&"x".repeat(80_000), LIMIT);
        joined.close();
        assert!(joined.is_worth_taking());
        assert_eq!(joined.take().len(), 80_000);
        assert_eq!((joined.text(), joined.capacity()), ("", 0));
        // A short text needs little memory.
        joined.add("short", LIMIT);
        assert!(joined.capacity() < 100);
        joined.add(&"x".repeat(9_995), LIMIT);
        assert_eq!(joined.capacity(), 80_000);
        joined.close();
        assert!(!joined.is_worth_taking());
        // The limit holds, and shrinking forgets the length.
        _ = joined.take();
        joined.expected = 80_000;
        joined.add(&"x".repeat(10_000), 30_000);
        assert_eq!(joined.capacity(), 30_000);
        joined.close();
        joined.shrink();
        assert_eq!(joined.expected, 0);
    }

    #[test]
    fn shrinking_keeps_the_text_of_an_open_message() {
        let mut joined = AssembledText::new();
        joined.add(&"x".repeat(1000), LIMIT);
        joined.close();
        joined.add("text", LIMIT);
        assert!(joined.capacity() >= 1000);
        joined.shrink();
        assert_eq!((joined.capacity(), joined.text()), (4, "text"));
        joined.close();
        joined.shrink();
        assert_eq!(joined.capacity(), 0);
    }

    /// Section 10.4: memory is bounded by twice the text and by the limit, and it grows in few steps.
    #[test]
    fn memory_grows_with_the_text_and_stays_within_the_limit() {
        for limit in [1000, LIMIT] {
            let mut joined = AssembledText::new();
            let (mut length, mut growths) = (0, 0);
            while length < 1000 {
                let before = joined.capacity();
                joined.add("0123456789", limit);
                length += 10;
                growths += usize::from(joined.capacity() != before);
                assert!(joined.capacity() <= (2 * length).min(limit));
            }
            assert!(growths <= 8, "{growths} times");
        }
    }
}
