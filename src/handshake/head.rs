//! The head of an HTTP/1.1 message: finding its end, parsing its lines (RFC 9112 sections 2 to 5).

use alloc::vec::Vec;

use crate::connection::Config;
use crate::handshake::head_error::HeadError;
#[cfg(test)]
use crate::handshake::headers::work;
use crate::handshake::headers::{Header, is_token_byte};

/// How far a step of the search came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The size of the head, with the empty line that ends it.
    End(usize),
    /// All bytes were searched, and this many lines end in them.
    Lines(usize),
}

/// The search for the end of a head. It looks at every byte once, however many reads the head takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Search {
    /// How many bytes were searched already.
    searched: usize,
    /// How many lines end in them.
    lines: usize,
}

impl Search {
    /// The size of the head that `bytes` begin with, with the empty line that ends it. `None` if it has not all come yet;
    /// then call again with the same bytes and more.
    pub(crate) fn find_end(
        &mut self,
        bytes: &[u8],
        config: &Config,
    ) -> Result<Option<usize>, HeadError> {
        // Fewer bytes than before are only there if the caller mixed up two buffers.
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

    /// Whether `bytes` may be a whole head and nothing else, none of them searched yet.
    pub(crate) fn may_be_whole(&self, bytes: &[u8], config: &Config) -> bool {
        self.searched == 0 && bytes.len() <= config.max_head_size && bytes.ends_with(b"\r\n\r\n")
    }
}

/// Searches `bytes` for the end of the head they begin with, from `searched` on; `lines` end before.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "`i` is a position in `visible`; a line feed that is not refused has a CR before it; lines are fewer than bytes"
)]
pub(crate) fn search(
    bytes: &[u8],
    searched: usize,
    mut lines: usize,
    config: &Config,
) -> Result<Found, HeadError> {
    let visible = &bytes[..bytes.len().min(config.max_head_size)];
    // Where the line begins, unless that is in what was searched before.
    let mut start = None;
    let mut i = searched;
    while i < visible.len() {
        #[cfg(test)]
        work::add(1);
        let before = &visible[..i];
        match visible[i] {
            // RFC 9112 section 2.2: a recipient may take a bare LF for the end of a line, and a bare CR is
            // never one. Two parsers that disagree here disagree on where a message ends, so both are refused.
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
            // RFC 9112 section 5.2: a line that begins with white space continues the one before, which
            // only `message/http` may do.
            b' ' | b'\t' if before.is_empty() || before.ends_with(b"\n") => {
                return Err(HeadError::Malformed);
            }
            // An empty line is no start line.
            b'\r' if before.is_empty() => return Err(HeadError::Malformed),
            0 => return Err(HeadError::Malformed),
            b'\r' => {}
            // Inside a line only these three show anything.
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

/// How many bytes come before the first CR, LF or NUL.
fn inside(bytes: &[u8]) -> usize {
    let shows = |byte: &u8| matches!(byte, 0 | b'\n' | b'\r');
    // Without a way out a block becomes a few vector instructions.
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

/// Where the last line of `head` begins.
fn line_start(head: &[u8]) -> usize {
    let line = head.rsplit(|byte| *byte == b'\n').next().unwrap_or(head);
    #[cfg(test)]
    work::add(line.len());
    head.len().saturating_sub(line.len())
}

/// Judges a line that `lines` came before, as soon as it is whole.
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
    // RFC 9112 section 5.1: a name, and the colon right behind it.
    let name = line.iter().take_while(|byte| is_token_byte(**byte)).count();
    #[cfg(test)]
    work::add(name);
    match line.get(name) {
        Some(b':') if name > 0 => Ok(()),
        _ => Err(HeadError::Malformed),
    }
}

/// The version where it belongs in the start line, whichever it is: last in a request, first in a response.
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

/// Header lines for which there is room without asking for memory.
pub(crate) const FEW: usize = 32;

/// Whether a head that the parser accepts with that many headers has as many lines with a CR at the end, the
/// start line and the empty one included: then none ends in a bare LF, as CRs are nowhere else.
pub(crate) fn has_lines(head: &[u8], headers: usize) -> bool {
    #[cfg(test)]
    work::add(head.len());
    // A block has few enough to count them in bytes, which a few vector instructions do.
    let count = |block: &[u8]| {
        block
            .iter()
            .fold(0_u8, |n, b| n.wrapping_add((*b == b'\r').into()))
    };
    let count: usize = head
        .chunks(128)
        .map(|block| usize::from(count(block)))
        .sum();
    // The parser skips empty lines, which are not to be skipped.
    count == headers.saturating_add(2) && !head.starts_with(b"\n")
}

/// Room for the header lines of a whole head.
pub(crate) fn lines<'b>(head: &[u8]) -> Vec<httparse::Header<'b>> {
    // What follows the last LF is empty, and the start line and the empty line are no headers.
    let headers = head.split(|byte| *byte == b'\n').count().saturating_sub(3);
    alloc::vec![httparse::EMPTY_HEADER; headers]
}

/// The parsed header lines, in the crate's own type.
pub(crate) fn headers<'b>(parsed: &[httparse::Header<'b>]) -> Vec<Header<'b>> {
    // RFC 9112 section 5.1: white space around a value is no part of it, and the parser leaves it out.
    let header = |header: &httparse::Header<'b>| Header {
        name: header.name,
        value: header.value,
    };
    parsed.iter().map(header).collect()
}

/// What the parser's verdict on a head of `size` bytes means.
pub(crate) fn check(verdict: httparse::Result<usize>, size: usize) -> Result<(), HeadError> {
    match verdict {
        Ok(httparse::Status::Complete(parsed)) if parsed == size => Ok(()),
        // Two opinions on where the head ends would be two on where the frames begin.
        Ok(_) | Err(_) => Err(HeadError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::ReadBuffer;

    /// Every byte is searched once, however many reads bring the head and however many lines it has, and a
    /// second head is searched anew. Parsed again from its beginning with every read, a head of 16 KiB in
    /// single bytes would cost 128 MiB (CVE-2023-43669).
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
                    // Each byte, then each line, its name once more.
                    let work = work::take();
                    assert!((head.len()..=3 * head.len()).contains(&work), "{work}");
                    buffer.received_mut().consume(head.len());
                }
            }
        }
    }

    /// What no head may contain is refused at its byte, and again when asked again.
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
