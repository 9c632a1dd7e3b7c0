//! Header fields and lists of tokens (RFC 9110, sections 5.1 to 5.6).

use alloc::vec::Vec;
use core::{fmt, str};

use crate::handshake::input_error::InputError;
use crate::wire::Bytes;

/// A header field of a request or response: a name and a value.
///
/// You give headers to [`ServerOptions::headers`], [`ClientOptions::headers`] and [`Request::respond`]. They must
/// satisfy the rules of the fields below. Otherwise you get an [`InputError`].
///
/// You read the peer's headers with [`Request::headers`], [`Request::single_header`] and [`Response::headers`]. Their
/// values have no white space at their ends.
///
/// [`ServerOptions::headers`]: crate::handshake::ServerOptions::headers
/// [`ClientOptions::headers`]: crate::handshake::ClientOptions::headers
/// [`Request::respond`]: crate::handshake::Request::respond
/// [`Request::headers`]: crate::handshake::Request::headers
/// [`Request::single_header`]: crate::handshake::Request::single_header
/// [`Response::headers`]: crate::handshake::Response::headers
///
/// # Example
///
/// ```
/// use sockless::handshake::Header;
///
/// let header = Header { name: "Cookie", value: b"session=1" };
/// assert!(header.is("cookie"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a header field is a name and a value"
)]
pub struct Header<'a> {
    /// The name. It must be a token (RFC 9110, section 5.6.2). The crate ignores the difference between upper and
    /// lower case.
    ///
    /// Over HTTP/2 and HTTP/3, write it in lower case (RFC 9113, section 8.2.1).
    pub name: &'a str,
    /// The value. It must not have control characters, except tabs, or white space at its ends (RFC 9110, section 5.5).
    ///
    /// It is usually ASCII. Bytes over 0x7f are allowed.
    pub value: &'a [u8],
}

/// Shows the name and the length of the value. The value may be a credential, so it stays hidden.
impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("name", &self.name)
            .field("value", &Bytes(self.value.len()))
            .finish()
    }
}

impl Header<'_> {
    /// Whether the header has this name. The comparison ignores upper and lower case.
    #[must_use]
    #[inline]
    pub fn is(&self, name: &str) -> bool {
        // The usual spelling takes the faster comparison.
        self.name == name || self.name.eq_ignore_ascii_case(name)
    }

    /// Refuses `reserved` names, and everything that could break the lines of the head.
    pub(crate) fn check(&self, reserved: &[&str]) -> Result<(), InputError> {
        if !is_token(self.name.as_bytes()) {
            return Err(InputError::HeaderName);
        }
        if reserved.iter().any(|name| self.is(name)) {
            return Err(InputError::ReservedHeader);
        }
        check_value(self.value)
    }

    /// Refuses headers that the handshake writes itself, and headers that announce a body.
    pub(crate) fn check_for_handshake(&self) -> Result<(), InputError> {
        self.check(&[
            "Host",
            "Upgrade",
            "Connection",
            "Origin",
            "Content-Length",
            "Transfer-Encoding",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
        ])
    }
}

/// The headers in `lines`. Each line was written by this crate: the name, `: `, the value, CR and LF.
pub(crate) fn parse_lines(lines: &[u8]) -> Vec<Header<'_>> {
    fn parse(line: &[u8]) -> Option<Header<'_>> {
        let colon = line.windows(2).position(|bytes| bytes == b": ")?;
        let (name, value) = line.split_at_checked(colon)?;
        Some(Header {
            name: str::from_utf8(name).ok()?,
            value: value.strip_prefix(b": ")?.strip_suffix(b"\r\n")?,
        })
    }
    lines
        .split_inclusive(|byte| *byte == b'\n')
        .filter_map(parse)
        .collect()
}

/// Refuses a header value that has a control character, or white space at its ends.
pub(crate) fn check_value(value: &[u8]) -> Result<(), InputError> {
    let control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    if value.trim_ascii() != value || value.iter().any(control) {
        return Err(InputError::HeaderValue);
    }
    Ok(())
}

/// The values of all headers with this name.
#[inline]
pub(crate) fn values<'h>(headers: &[Header<'h>], name: &str) -> impl Iterator<Item = &'h [u8]> {
    headers
        .iter()
        .filter(move |header| header.is(name))
        .map(|header| header.value)
}

/// The value of the only header with this name.
#[inline]
pub(crate) fn single<'h>(headers: &[Header<'h>], name: &str) -> Single<'h> {
    let mut values = values(headers, name);
    match (values.next(), values.next()) {
        (None, _) => Single::Missing,
        (Some(value), None) => Single::One(value),
        (Some(_), Some(_)) => Single::Several,
    }
}

/// The value of a header that must not be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Single<'h> {
    Missing,
    One(&'h [u8]),
    Several,
}

impl<'h> Single<'h> {
    /// Records one more header with that name.
    pub(crate) const fn add(&mut self, value: &'h [u8]) {
        *self = match self {
            Self::Missing => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// The elements of all headers with this name, as one list (RFC 9110, section 5.6.1). A recipient must skip empty
/// elements.
pub(crate) fn elements<'h>(headers: &[Header<'h>], name: &str) -> impl Iterator<Item = &'h [u8]> {
    values(headers, name).flat_map(split)
}

/// The elements of one value.
fn split(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// Whether one of the elements is this token. The comparison ignores upper and lower case.
pub(crate) fn contains_token(headers: &[Header<'_>], name: &str, token: &str) -> bool {
    values(headers, name).any(|value| contains(value, token))
}

/// Whether an element of this value is this token. The comparison ignores upper and lower case. The usual spelling
/// takes the faster comparison.
#[inline]
pub(crate) fn contains(value: &[u8], token: &str) -> bool {
    value == token.as_bytes()
        || split(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether `bytes` are a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    #[cfg(test)]
    work::add(bytes.len());
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

pub(crate) const fn is_token_byte(byte: u8) -> bool {
    const TOKEN: Class = Class::new(b"!#$%&'*+-.^_`|~");
    TOKEN.has(byte)
}

/// A class of characters, as a table. Heads are long, and each of their bytes is looked up.
pub(crate) struct Class([bool; 256]);

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "there is a place for every byte, and the conditions of the loops bound the rest"
)]
impl Class {
    /// Letters, digits and `others`.
    pub(crate) const fn new(others: &[u8]) -> Self {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 128_u8 {
            table[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut i = 0;
        while i < others.len() {
            table[others[i] as usize] = true;
            i += 1;
        }
        Self(table)
    }

    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }
}

/// The token as text, if it is one. A token is ASCII.
pub(crate) fn token(bytes: &[u8]) -> Option<&str> {
    if is_token(bytes) {
        str::from_utf8(bytes).ok()
    } else {
        None
    }
}

/// Removes the optional white space at both ends: spaces and tabs (RFC 9110, section 5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        #[cfg(test)]
        work::add(1);
        bytes = rest;
    }
    bytes
}

/// Counts how many bytes of heads were looked at. Tests show that the count is linear in their length.
#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    std::thread_local! {
        static WORK: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn add(bytes: usize) {
        WORK.set(WORK.get() + bytes);
    }

    /// The count since the last call.
    pub(crate) fn take() -> usize {
        WORK.replace(0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn lists_span_headers_and_skip_empty_elements() {
        let headers = [
            Header {
                name: "Connection",
                value: b"keep-alive ,, Upgrade",
            },
            Header {
                name: "Host",
                value: b"example.com",
            },
            Header {
                name: "connection",
                value: b"\tclose,",
            },
        ];
        assert_eq!(
            elements(&headers, "CONNECTION").collect::<Vec<_>>(),
            [&b"keep-alive"[..], b"Upgrade", b"close"]
        );
        assert!(contains_token(&headers, "Connection", "upgrade"));
        assert!(!contains_token(&headers, "Connection", "keep"));
        assert_eq!(single(&headers, "host"), Single::One(b"example.com"));
        assert_eq!(single(&headers, "connection"), Single::Several);
        assert_eq!(single(&headers, "origin"), Single::Missing);
    }

    #[test]
    fn no_header_of_the_application_can_break_the_head() {
        let check = |name, value: &'static [u8]| Header { name, value }.check_for_handshake();
        assert_eq!(check("X-Name", b"some value, \xe9"), Ok(()));
        assert_eq!(check("X-Empty", b""), Ok(()));
        for name in ["", "a b", "a:", "a\r\nb", "\u{e9}", "a\0"] {
            assert_eq!(check(name, b"x"), Err(InputError::HeaderName), "{name:?}");
        }
        for value in [
            &b"a\r\nb"[..],
            b"a\rb",
            b"a\nb",
            b"a\0b",
            b" a",
            b"a ",
            b"a\x7f",
            b"\t",
        ] {
            assert_eq!(check("a", value), Err(InputError::HeaderValue), "{value:?}");
        }
        for name in [
            "host",
            "UPGRADE",
            "Connection",
            "sec-websocket-key",
            "Sec-WebSocket-Accept",
            "content-length",
        ] {
            assert_eq!(check(name, b"x"), Err(InputError::ReservedHeader), "{name}");
        }
    }
}
