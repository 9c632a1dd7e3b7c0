//! The head of an HTTP/1.1 message: finding its end, parsing its lines (RFC 9112 sections 2 to 5).

use alloc::vec::Vec;

use crate::config::Config;
use crate::handshake::error::HeadError;
use crate::handshake::headers::{Header, trim};
use crate::read_buffer::ReadBuffer;

/// The size of the head at the start of the unread bytes, with the empty line that ends it; `None` if it
/// has not all come yet.
///
/// Every byte is looked at once, however many reads the head takes: the buffer remembers how far the
/// search came.
pub(crate) fn find_end(
    buffer: &mut ReadBuffer,
    config: &Config,
) -> Result<Option<usize>, HeadError> {
    let bytes = buffer.unread();
    let visible = &bytes[..bytes.len().min(config.max_head_size)];
    for i in buffer.searched()..visible.len() {
        let before = &visible[..i];
        match visible[i] {
            // RFC 9112 section 2.2: a recipient may take a bare LF for the end of a line, and a bare CR is
            // never one. Two parsers that disagree here disagree on where a message ends, so both are refused.
            b'\n' if !before.ends_with(b"\r") => return Err(HeadError::Malformed),
            b'\n' if before.ends_with(b"\r\n\r") => {
                buffer.set_searched(0);
                return Ok(Some(i + 1));
            }
            b'\n' => {}
            _ if before.ends_with(b"\r") => return Err(HeadError::Malformed),
            // RFC 9112 section 5.2: a line that begins with white space continues the one before, which
            // only `message/http` may do.
            b' ' | b'\t' if before.is_empty() || before.ends_with(b"\n") => {
                return Err(HeadError::Malformed);
            }
            // An empty line is no start line.
            b'\r' if before.is_empty() => return Err(HeadError::Malformed),
            0 => return Err(HeadError::Malformed),
            _ => {}
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
    buffer.set_searched(searched);
    Ok(None)
}

/// Room for the header lines of a whole head, which must not be more than allowed.
pub(crate) fn lines<'b>(
    head: &[u8],
    config: &Config,
) -> Result<Vec<httparse::Header<'b>>, HeadError> {
    // What follows the last LF is empty, and the start line and the empty line are no headers.
    let headers = head.split(|byte| *byte == b'\n').count().saturating_sub(3);
    if headers > config.max_headers {
        return Err(HeadError::TooManyHeaders);
    }
    Ok(alloc::vec![httparse::EMPTY_HEADER; headers])
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

/// What the parser's verdict on a head means.
pub(crate) fn check(verdict: httparse::Result<usize>, head: &[u8]) -> Result<(), HeadError> {
    match verdict {
        Ok(httparse::Status::Complete(parsed)) if parsed == head.len() => Ok(()),
        Err(httparse::Error::Version) if names_a_version(head) => {
            Err(HeadError::UnsupportedVersion)
        }
        // Two opinions on where the head ends would be two on where the frames begin.
        Ok(_) | Err(_) => Err(HeadError::Malformed),
    }
}

/// Whether the start line has the version where it belongs, whichever it is: last in a request, first in
/// a response.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let is_version = |word: &[u8]| matches!(word, [b'H', b'T', b'T', b'P', b'/', a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit());
    let words: Vec<_> = line.split(|byte| *byte == b' ').collect();
    match words[..] {
        [first, ..] if is_version(first) => true,
        [_, _, last] => is_version(last),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte is searched once, however many reads bring the head, and a second head is searched anew.
    #[test]
    fn finds_the_end_in_linear_time() {
        let head = [&b"GET / HTTP/1.1\r\na: "[..], &[b'x'; 10_000], b"\r\n\r\n"].concat();
        for read in [1, 7, 4096, head.len()] {
            let mut buffer = ReadBuffer::new();
            for heads in 1..3 {
                let mut found = None;
                for piece in head.chunks(read) {
                    assert_eq!(found, None);
                    buffer.extend_from_slice(piece);
                    found = find_end(&mut buffer, &Config::default()).expect("well-formed");
                }
                assert_eq!(found, Some(head.len()));
                assert!(
                    buffer.work() <= 3 * heads * head.len(),
                    "{} for {heads} heads",
                    buffer.work()
                );
                buffer.consume(head.len());
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
