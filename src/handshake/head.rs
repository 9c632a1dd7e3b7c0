//! The head of an HTTP/1.1 message: finding its end, parsing its lines (RFC 9112 sections 2 to 5).

use alloc::vec::Vec;

use crate::config::Config;
use crate::handshake::error::HeadError;
#[cfg(test)]
use crate::handshake::headers::work;
use crate::handshake::headers::{Header, is_token_byte, trim};
use crate::read_buffer::ReadBuffer;

/// A head that has all come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes, with the empty line that ends it.
    pub(crate) size: usize,
    /// Header lines.
    pub(crate) headers: usize,
}

/// The head at the start of the unread bytes; `None` if it has not all come yet.
///
/// Every byte is looked at once, however many reads the head takes: the buffer remembers how far the
/// search came.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "`i` is a position in `visible`, or its end; a line feed that is not refused has a CR before it; lines are fewer than bytes, and the last one that ends a head is behind its start line"
)]
pub(crate) fn find_end(
    buffer: &mut ReadBuffer,
    config: &Config,
) -> Result<Option<Head>, HeadError> {
    let bytes = buffer.unread();
    let visible = &bytes[..bytes.len().min(config.max_head_size)];
    let (mut i, mut lines) = buffer.searched();
    // Where the line begins, unless that was in an earlier read.
    let mut line = (i == 0).then_some(0);
    while let Some(&byte) = visible.get(i) {
        let before = &visible[..i];
        match (before.last(), byte) {
            (Some(b'\r'), b'\n') if before.ends_with(b"\r\n\r") => {
                buffer.set_searched(0, 0);
                return Ok(Some(Head {
                    size: i + 1,
                    headers: lines - 1,
                }));
            }
            (Some(b'\r'), b'\n') => {
                let start = line.unwrap_or_else(|| start_of_line(before));
                check_line(&visible[start..i - 1], lines, config)?;
                lines += 1;
                i += 1;
                line = Some(i);
                continue;
            }
            // RFC 9112 section 2.2: a bare CR is never the end of a line. RFC 9112 section 5.2: a line that
            // begins with white space continues the one before, which only `message/http` may do. And an empty
            // line is no start line.
            (Some(b'\r'), _) | (None | Some(b'\n'), b' ' | b'\t') | (None, b'\r') => {
                return Err(HeadError::Malformed);
            }
            _ => {}
        }
        i = next_control(visible, i);
        match visible.get(i) {
            // RFC 9112 section 2.2: a recipient may take a bare LF for the end of a line. Two parsers that
            // disagree here disagree on where a message ends, so it is refused.
            Some(b'\n' | 0) => return Err(HeadError::Malformed),
            Some(_) => i += 1,
            None => {}
        }
    }
    let searched = visible.len();
    if searched == config.max_head_size {
        let one_line = !visible.contains(&b'\n');
        return Err(if one_line {
            HeadError::StartLineTooLong
        } else {
            HeadError::TooLarge
        });
    }
    buffer.set_searched(searched, lines);
    Ok(None)
}

/// The position of the next byte of CR, LF, NUL and some controls that mean as little as a letter; or the end.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "positions in `bytes`, and words that wrap where it says so"
)]
fn next_control(bytes: &[u8], from: usize) -> usize {
    const BELOW: u8 = b'\r' + 1;
    const LIMITS: u64 = u64::from_ne_bytes([BELOW; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, rest) = bytes.get(from..).unwrap_or_default().as_chunks::<8>();
    let mut at = from;
    for word in words {
        // The top bit of every byte that is less than the limit. A borrow can set it in bytes behind such a one,
        // but not in the first.
        let word = u64::from_le_bytes(*word);
        let found = word.wrapping_sub(LIMITS) & !word & TOPS;
        if found != 0 {
            let place = (found.trailing_zeros() / 8) as usize;
            #[cfg(test)]
            work::add(at + place - from);
            return at + place;
        }
        at += 8;
    }
    let place = rest.iter().position(|byte| *byte < BELOW);
    let place = at + place.unwrap_or(rest.len());
    #[cfg(test)]
    work::add(place - from);
    place
}

fn start_of_line(before: &[u8]) -> usize {
    let feed = before.iter().rposition(|byte| *byte == b'\n');
    let start = feed.map_or(0, |feed| feed.saturating_add(1));
    #[cfg(test)]
    work::add(before.len() - start);
    start
}

/// Judges a line, which `lines` came before, as soon as it is whole.
fn check_line(line: &[u8], lines: usize, config: &Config) -> Result<(), HeadError> {
    #[cfg(test)]
    work::add(line.len());
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
    let name = line.iter().position(|byte| !is_token_byte(*byte));
    match name.map(|end| (end, line.get(end))) {
        Some((1.., Some(b':'))) => Ok(()),
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

/// Room for the header lines of a head, on the stack for as many as most have.
pub(crate) struct Lines<'b> {
    few: [httparse::Header<'b>; FEW],
    many: Vec<httparse::Header<'b>>,
}

const FEW: usize = 24;

impl<'b> Lines<'b> {
    pub(crate) const fn new() -> Self {
        Self {
            few: [httparse::EMPTY_HEADER; FEW],
            many: Vec::new(),
        }
    }

    /// Room for `n` lines.
    pub(crate) fn take(&mut self, n: usize) -> &mut [httparse::Header<'b>] {
        if let Some(few) = self.few.get_mut(..n) {
            return few;
        }
        self.many.resize(n, httparse::EMPTY_HEADER);
        &mut self.many
    }
}

/// The parsed header lines, in the crate's own type.
pub(crate) fn headers<'b>(parsed: &[httparse::Header<'b>]) -> Vec<Header<'b>> {
    // RFC 9112 section 5.1: white space around a value is no part of it.
    parsed
        .iter()
        .map(|header| Header {
            name: header.name,
            value: trim(header.value),
        })
        .collect()
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
                for _ in 0..2 {
                    let mut found = None;
                    work::take();
                    for piece in head.chunks(read) {
                        assert!(found.is_none());
                        buffer.extend_from_slice(piece);
                        found = find_end(&mut buffer, &Config::default()).expect("well-formed");
                    }
                    assert_eq!(found.map(|head| head.size), Some(head.len()));
                    // Each byte, then each line, its name once more.
                    let work = work::take();
                    assert!((head.len()..=3 * head.len()).contains(&work), "{work}");
                    buffer.consume(head.len());
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
            for (i, byte) in head[..at].iter().enumerate() {
                buffer.extend_from_slice(&[*byte]);
                let expected = if i + 1 == at {
                    Err(HeadError::Malformed)
                } else {
                    Ok(None)
                };
                assert_eq!(
                    find_end(&mut buffer, &Config::default()),
                    expected,
                    "{head:?} at {i}"
                );
                assert_eq!(
                    find_end(&mut buffer, &Config::default()),
                    expected,
                    "{head:?} at {i}, again"
                );
            }
        }
    }
}
