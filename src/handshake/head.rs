//! The head of an HTTP/1.1 message: the search for its end, and its lines (RFC 9112, sections 2 to 5).

use alloc::vec::Vec;

use crate::connection::Config;
use crate::handshake::head_error::HeadError;
#[cfg(test)]
use crate::handshake::headers::work;
use crate::handshake::headers::{Header, is_token_byte};

/// The result of one step of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The head is complete. This is its size, with the empty line at its end.
    End(usize),
    /// The head is not complete. This many lines end in the bytes so far.
    Lines(usize),
}

/// The search for the end of a head. It looks at every byte once, even if the head arrives in many reads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Search {
    /// How many bytes the search has looked at.
    searched: usize,
    /// How many lines end in these bytes.
    lines: usize,
}

impl Search {
    /// The size of the head at the start of `bytes`, with the empty line at its end. `None` if it is not complete. Then
    /// call again with the same bytes and more.
    pub(crate) fn find_end(
        &mut self,
        bytes: &[u8],
        config: &Config,
    ) -> Result<Option<usize>, HeadError> {
        // There are fewer bytes than before only if the caller has mixed up two buffers.
        let searched = self.searched.min(bytes.len());
        match search(bytes, searched, self.lines, config)? {
            Found::End(size) => {
                *self = Self::default();
                Ok(Some(size))
            }
            Found::Lines(lines) => {
                let searched = bytes.len();
                *self = Self { searched, lines };
                Ok(None)
            }
        }
    }

    /// Whether `bytes` may be exactly one head. This is possible only before the first search.
    pub(crate) fn may_be_whole(&self, bytes: &[u8], config: &Config) -> bool {
        self.searched == 0 && bytes.len() <= config.max_head_size && bytes.ends_with(b"\r\n\r\n")
    }
}

/// Searches for the end of the head at the start of `bytes`. It begins at `searched`, and `lines` end before that.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "`i` is a position in `visible`; an LF that passes has a CR before it; lines are fewer than bytes"
)]
pub(crate) fn search(
    bytes: &[u8],
    searched: usize,
    mut lines: usize,
    config: &Config,
) -> Result<Found, HeadError> {
    let visible = &bytes[..bytes.len().min(config.max_head_size)];
    // The start of the current line. `None` if the line began before `searched`.
    let mut start = None;
    let mut i = searched;
    while i < visible.len() {
        #[cfg(test)]
        work::add(1);
        let before = &visible[..i];
        match visible[i] {
            // RFC 9112, section 2.2: a recipient may accept a bare LF as the end of a line, but never a bare CR. If two
            // parsers disagree here, they disagree on where a message ends. So both are refused.
            b'\n' if !before.ends_with(b"\r") => return Err(HeadError::Malformed),
            b'\n' if before.ends_with(b"\r\n\r") => return Ok(Found::End(i + 1)),
            b'\n' => {
                let before = &before[..i - 1];
                let start = start.replace(i + 1);
                let start = start.unwrap_or_else(|| line_start(before));
                check_line(&before[start..], lines, config)?;
                lines += 1;
            }
            _ if before.ends_with(b"\r") => return Err(HeadError::Malformed),
            // RFC 9112, section 5.2: a line that begins with white space continues the line before. Only `message/http`
            // may contain such a line.
            b' ' | b'\t' if before.is_empty() || before.ends_with(b"\n") => {
                return Err(HeadError::Malformed);
            }
            // The first line must be a start line, so it cannot be empty.
            b'\r' if before.is_empty() => return Err(HeadError::Malformed),
            0 => return Err(HeadError::Malformed),
            b'\r' => {}
            // Inside a line, only CR, LF and NUL matter.
            _ => i += inside(&visible[i + 1..]),
        }
        i += 1;
    }
    if visible.len() == config.max_head_size {
        let one_line = !visible.contains(&b'\n');
        return Err(if one_line {
            HeadError::StartLineTooLong
        } else {
            HeadError::TooLarge
        });
    }
    Ok(Found::Lines(lines))
}

/// The number of bytes before the first CR, LF or NUL.
fn inside(bytes: &[u8]) -> usize {
    let shows = |byte: &u8| matches!(byte, 0 | b'\n' | b'\r');
    // Without an early exit, the compiler uses vector instructions for a block.
    let blocks = bytes.chunks_exact(16);
    let before =
        blocks.take_while(|block| !block.iter().fold(false, |any, byte| any | shows(byte)));
    let before = before.count().saturating_mul(16);
    let rest = bytes.get(before..).unwrap_or_default();
    let inside = before.saturating_add(rest.iter().take_while(|byte| !shows(byte)).count());
    #[cfg(test)]
    work::add(inside);
    inside
}

/// The start of the last line in `head`.
fn line_start(head: &[u8]) -> usize {
    let line = head.rsplit(|byte| *byte == b'\n').next().unwrap_or(head);
    #[cfg(test)]
    work::add(line.len());
    head.len().saturating_sub(line.len())
}

/// Checks a complete line. `lines` is the number of lines before it.
fn check_line(line: &[u8], lines: usize, config: &Config) -> Result<(), HeadError> {
    if lines == 0 {
        return match version(line) {
            Some([b'1', b'.', b'0' | b'1']) => Ok(()),
            Some(_) => Err(HeadError::UnsupportedVersion),
            None => Err(HeadError::Malformed),
        };
    }
    if lines > config.max_headers {
        return Err(HeadError::TooManyHeaders);
    }
    // RFC 9112, section 5.1: a name and directly after it a colon.
    let name = line.iter().take_while(|byte| is_token_byte(**byte)).count();
    #[cfg(test)]
    work::add(name);
    match line.get(name) {
        Some(b':') if name > 0 => Ok(()),
        _ => Err(HeadError::Malformed),
    }
}

/// The HTTP version in a start line. It is the last word of a request line and the first word of a status line.
fn version(line: &[u8]) -> Option<[u8; 3]> {
    let version = |word: &[u8]| match *word {
        [b'H', b'T', b'T', b'P', b'/', a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit() => {
            Some([a, b'.', b])
        }
        _ => None,
    };
    let mut words = line.split(|byte| *byte == b' ');
    let words = [words.next(), words.next(), words.next(), words.next()];
    match words {
        [Some(first), Some(_), ..] if version(first).is_some() => version(first),
        [Some(_), Some(_), Some(last), None] => version(last),
        _ => None,
    }
}

/// The number of header lines that are parsed without an allocation.
pub(crate) const FEW: usize = 32;

/// Whether no line ends in a bare LF. The parser must have accepted `head` with that many headers.
///
/// The parser allows a CR only at the end of a line. So the CRs must be one for each header, the start line and the
/// empty line.
pub(crate) fn has_lines(head: &[u8], headers: usize) -> bool {
    #[cfg(test)]
    work::add(head.len());
    // A block is so short that its count fits a byte. The compiler then uses vector instructions.
    let count = |block: &[u8]| {
        block
            .iter()
            .fold(0_u8, |n, b| n.wrapping_add((*b == b'\r').into()))
    };
    let count: usize = head
        .chunks(128)
        .map(|block| usize::from(count(block)))
        .sum();
    // The parser skips a bare LF before the start line, but it must be refused.
    count == headers.saturating_add(2) && !head.starts_with(b"\n")
}

/// Memory for the header lines of a complete head.
pub(crate) fn lines<'b>(head: &[u8]) -> Vec<httparse::Header<'b>> {
    // Three pieces are not headers: the start line, the empty line, and the empty piece after the last LF.
    let headers = head.split(|byte| *byte == b'\n').count().saturating_sub(3);
    alloc::vec![httparse::EMPTY_HEADER; headers]
}

/// The parsed header lines as headers of this crate.
pub(crate) fn headers<'b>(parsed: &[httparse::Header<'b>]) -> Vec<Header<'b>> {
    // RFC 9112, section 5.1: white space around a value is not part of it. The parser removes it.
    let header = |header: &httparse::Header<'b>| Header {
        name: header.name,
        value: header.value,
    };
    parsed.iter().map(header).collect()
}

/// Converts the parser's result for a head of `size` bytes.
pub(crate) fn check(verdict: httparse::Result<usize>, size: usize) -> Result<(), HeadError> {
    match verdict {
        Ok(httparse::Status::Complete(parsed)) if parsed == size => Ok(()),
        // If the parser and the search disagree on the end of the head, they disagree on where the frames begin.
        Ok(_) | Err(_) => Err(HeadError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::ReadBuffer;

    /// The search looks at each byte once, however many reads and lines there are, and begins again for a second head.
    /// A parser that starts again with every read would look at 128 MiB for a head of 16 KiB in single bytes
    /// (CVE-2023-43669).
    #[test]
    fn finds_the_end_in_linear_time() {
        let one_line = [&b"GET / HTTP/1.1\r\na: "[..], &[b'x'; 16_300], b"\r\n\r\n"].concat();
        let many_lines = [
            &b"GET / HTTP/1.1\r\n"[..],
            &[&b"a: "[..], &[b'x'; 150], b"\r\n"].concat().repeat(100),
            b"\r\n",
        ]
        .concat();
        for head in [one_line, many_lines] {
            for read in [1, 7, 4096, head.len()] {
                let mut buffer = ReadBuffer::new();
                let mut search = Search::default();
                for _ in 0..2 {
                    let mut found = None;
                    work::take();
                    for piece in head.chunks(read) {
                        assert_eq!(found, None);
                        buffer.extend_from_slice(piece);
                        found = search
                            .find_end(buffer.unread(), &Config::default())
                            .expect("well-formed");
                    }
                    assert_eq!(found, Some(head.len()));
                    // Each byte once, then each line and its name once more.
                    let work = work::take();
                    assert!((head.len()..=3 * head.len()).contains(&work), "{work}");
                    buffer.received_mut().consume(head.len());
                }
            }
        }
    }

    /// A forbidden byte is refused when it arrives, and again in the next call.
    #[test]
    fn refuses_at_the_byte() {
        for (head, at) in [
            (&b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..], 15),
            (b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 25),
            (b"GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", 24),
            (b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 26),
            (b" GET / HTTP/1.1\r\n\r\n", 1),
            (b"\nGET / HTTP/1.1\r\n\r\n", 1),
            (b"\r\nGET / HTTP/1.1\r\n\r\n", 1),
        ] {
            let mut buffer = ReadBuffer::new();
            let mut search = Search::default();
            for (i, byte) in head[..at].iter().enumerate() {
                buffer.extend_from_slice(&[*byte]);
                let expected = if i + 1 == at {
                    Err(HeadError::Malformed)
                } else {
                    Ok(None)
                };
                assert_eq!(
                    search.find_end(buffer.unread(), &Config::default()),
                    expected,
                    "{head:?} at {i}"
                );
                assert_eq!(
                    search.find_end(buffer.unread(), &Config::default()),
                    expected,
                    "{head:?} at {i}, again"
                );
            }
        }
    }
}
