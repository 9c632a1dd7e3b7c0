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
    let lines = head.iter().filter(|byte| **byte == b'\n').count();
    // The start line and the empty one at the end are no headers.
    let headers = lines.saturating_sub(2);
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

/// What the parser's verdict means.
pub(crate) const fn error(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::Version => HeadError::UnsupportedVersion,
        _ => HeadError::Malformed,
    }
}
