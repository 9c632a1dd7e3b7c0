//! UTF-8 in pieces (RFC 6455, section 8.1).

use core::str;

use crate::wire::protocol_error::ProtocolError;
use crate::wire::vectors;

/// Validates UTF-8 text that arrives in pieces. The pieces may be cut anywhere, also inside a character.
///
/// It fails at the first byte that cannot belong to valid text.
///
/// # Example
///
/// ```
/// use sockless::{ProtocolError, Utf8Validator};
///
/// let mut validator = Utf8Validator::new();
/// validator.validate(b"caf\xc3")?; // the first byte of two
/// assert!(!validator.is_complete());
/// validator.validate(b"\xa9")?;
/// assert!(validator.is_complete());
///
/// // No character begins with f4 90, so 90 fails before the bytes that would follow.
/// validator.validate(b"\xf4")?;
/// assert_eq!(validator.validate(b"\x90"), Err(ProtocolError::InvalidUtf8));
/// # Ok::<(), ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8Validator {
    state: State,
}

/// ```text
///            whole characters                     rest of the character
///         .------------------.              .--------------------------------.
///         v                  |              v                                |
///      Boundary -------------+-----> Inside(1 to 3 bytes) -------------------'
///         |     begin of a character        |
///         '-------------> Invalid <---------'   final
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Boundary,
    /// An unfinished character: the first `length` bytes of the array.
    Inside([u8; 3], u8),
    Invalid,
}

impl Utf8Validator {
    /// Makes a validator for a new text.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Boundary,
        }
    }

    /// Validates the next piece, of any length.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::InvalidUtf8`] if no valid text begins with the bytes so far. Every later call returns the
    /// same error.
    pub fn validate(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        let result = self.next_state(piece);
        self.state = result.unwrap_or(State::Invalid);
        result.map(drop)
    }

    /// Returns whether the text may end here: it is valid so far and does not end inside a character.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self.state, State::Boundary)
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "`length` is at most 3 here: four bytes are a character or an error. complete_length returns a prefix"
    )]
    fn next_state(self, piece: &[u8]) -> Result<State, ProtocolError> {
        let mut rest = piece;
        match self.state {
            State::Invalid => return Err(ProtocolError::InvalidUtf8),
            State::Boundary => {}
            State::Inside([a, b, c], mut length) => {
                let mut character = [a, b, c, 0];
                // At most three rounds: a character has at most four bytes, and one has arrived.
                loop {
                    let Some((&byte, tail)) = rest.split_first() else {
                        let [begun @ .., _] = character;
                        return Ok(State::Inside(begun, length));
                    };
                    rest = tail;
                    character[usize::from(length)] = byte;
                    length += 1;
                    if complete_length(&character[..usize::from(length)])? > 0 {
                        break;
                    }
                }
            }
        }
        Ok(match rest[complete_length(rest)?..] {
            [a] => State::Inside([a, 0, 0], 1),
            [a, b] => State::Inside([a, b, 0], 2),
            [a, b, c] => State::Inside([a, b, c], 3),
            // No more than 3 bytes: a fourth byte would complete the character.
            _ => State::Boundary,
        })
    }
}

/// Returns the bytes as text if they are whole characters.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, ProtocolError> {
    /// For shorter text the standard library is as fast.
    const SHORT: usize = 64;
    let text = if bytes.len() < SHORT {
        str::from_utf8(bytes).ok()
    } else {
        vectors::text(bytes)
    };
    text.ok_or(ProtocolError::InvalidUtf8)
}

/// Returns the number of bytes in whole characters. At most 3 more bytes follow, which begin a valid character.
pub(crate) fn complete_length(bytes: &[u8]) -> Result<usize, ProtocolError> {
    let length = last_boundary(bytes);
    text(bytes.get(..length).unwrap_or_default())?;
    Ok(length)
}

/// Returns where to cut `text` so that the cut is not inside a character. Looks only at the last 3 bytes.
///
/// It does not validate the bytes before the cut. The bytes after the cut begin a valid character. If the last bytes
/// cannot begin one, it cuts nothing off, and the caller's validation finds the error.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "`tail` and `lead` are positions in the text"
)]
pub(crate) fn last_boundary(text: &[u8]) -> usize {
    let tail = text.len().saturating_sub(3);
    let Some(lead) = text[tail..].iter().rposition(|&byte| byte & 0xc0 != 0x80) else {
        return text.len();
    };
    let lead = tail + lead;
    match str::from_utf8(&text[lead..]) {
        // `error_len` is `None` exactly if more bytes could make the text valid.
        Err(error) if error.error_len().is_none() => lead,
        _ => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text around each bound of the encoding, and invalid text with the index of the first wrong byte.
    const TEXTS: &[(&[u8], Option<usize>)] = &[
        (b"", None),
        (b"Hello", None),
        (
            "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}".as_bytes(),
            None,
        ),
        ("\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}".as_bytes(), None),
        ("\u{d7ff}\u{e000}\u{fffd}".as_bytes(), None),
        // A surrogate, a code point over the limit, overlong forms, a lone continuation, bytes never used.
        (
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80ed",
            Some(12),
        ),
        (b"a\xed\xa0\x80", Some(2)),
        (b"\xc0\xaf", Some(0)),
        (b"\xe0\x80\xaf", Some(1)),
        (b"\xf0\x80\x80\xaf", Some(1)),
        (b"\xf0\x8f\xbf\xbf", Some(1)),
        (b"ab\x80", Some(2)),
        (b"\xc3(", Some(1)),
        (b"\xe2\x82(", Some(2)),
        (b"\xf5", Some(0)),
        (b"\xff", Some(0)),
    ];

    #[test]
    fn fails_at_the_byte_at_fault_however_it_is_cut() {
        for &(text, fault) in TEXTS {
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let mut validator = Utf8Validator::new();
                    let mut fed = 0;
                    for piece in [&text[..first], &text[first..second], &text[second..]] {
                        fed += piece.len();
                        let expected = match fault {
                            Some(index) if index < fed => Err(ProtocolError::InvalidUtf8),
                            _ => Ok(()),
                        };
                        assert_eq!(
                            validator.validate(piece),
                            expected,
                            "{text:x?} cut at {first} and {second}"
                        );
                    }
                    assert_eq!(validator.is_complete(), fault.is_none());
                }
            }
        }
    }

    /// All sequences of up to three interesting bytes, one byte at a time, compared with the standard library.
    #[test]
    fn agrees_with_the_standard_library() {
        let bytes = [
            0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef,
            0xf0, 0xf4, 0xf5,
        ];
        for a in bytes {
            for b in bytes {
                for c in bytes {
                    for d in bytes {
                        let text = [a, b, c, d];
                        let mut validator = Utf8Validator::new();
                        let accepted = text.iter().all(|byte| validator.validate(&[*byte]).is_ok());
                        assert_eq!(
                            accepted && validator.is_complete(),
                            str::from_utf8(&text).is_ok(),
                            "{text:x?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_last_boundary_cuts_off_only_the_beginning_of_a_character() {
        let text = "a\u{e9}\u{20ac}\u{1f600}".as_bytes();
        for length in 0..=text.len() {
            let text = &text[..length];
            assert_eq!(Ok(last_boundary(text)), complete_length(text));
        }
        for wrong in [&b"a\xf4\x90"[..], b"\x80\x80\x80\x80", b"\xff", b"a\xc3("] {
            assert_eq!(last_boundary(wrong), wrong.len());
        }
    }

    /// The code for long text agrees with the code for short text, wherever the interesting bytes are.
    #[test]
    fn long_texts_agree_with_short_ones() {
        for &(part, fault) in TEXTS {
            for before in [0, 1, 31, 32, 62, 63, 64, 65, 200] {
                for after in [0, 1, 64, 100] {
                    let mut buffer = [b'x'; 400];
                    let length = before + part.len() + after;
                    buffer[before..before + part.len()].copy_from_slice(part);
                    let bytes = &buffer[..length];
                    assert_eq!(text(bytes).ok(), str::from_utf8(bytes).ok());
                    let mut validator = Utf8Validator::new();
                    assert_eq!(validator.validate(bytes).is_err(), fault.is_some());
                    // Cut inside the character at the end, if there is one.
                    for end in length.saturating_sub(4)..=length {
                        let bytes = &bytes[..end];
                        let expected = match str::from_utf8(bytes) {
                            Ok(_) => Ok(end),
                            Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
                            Err(_) => Err(ProtocolError::InvalidUtf8),
                        };
                        assert_eq!(complete_length(bytes), expected, "{bytes:x?}");
                    }
                }
            }
        }
    }
}
