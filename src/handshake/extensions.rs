//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).

use crate::handshake::headers::{Header, is_token, is_token_byte, trim, values};

/// The header does not fit the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Checks all `Sec-WebSocket-Extensions` headers, and says whether any extension is named.
pub(crate) fn check(headers: &[Header<'_>]) -> Result<bool, Malformed> {
    let mut named = false;
    for value in values(headers, "Sec-WebSocket-Extensions") {
        let mut rest = trim(value);
        // A list of one or more (`1#extension`), so an empty header is malformed, and empty elements
        // are skipped (RFC 9110 section 5.6.1.2).
        let mut any = false;
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix(b",") {
                rest = trim(tail);
                continue;
            }
            rest = extension(rest)?;
            any = true;
            if !rest.is_empty() && !rest.starts_with(b",") {
                return Err(Malformed);
            }
        }
        if !any {
            return Err(Malformed);
        }
        named = true;
    }
    Ok(named)
}

/// Reads `extension-token *( ";" extension-param )` and returns what follows.
fn extension(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let mut rest = token(bytes)?;
    while let Some(tail) = rest.strip_prefix(b";") {
        rest = token(trim(tail))?;
        if let Some(tail) = rest.strip_prefix(b"=") {
            rest = parameter_value(trim(tail))?;
        }
    }
    Ok(rest)
}

/// Reads a token and the white space behind it.
fn token(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let length = bytes
        .iter()
        .take_while(|byte| is_token_byte(**byte))
        .count();
    if length == 0 {
        Err(Malformed)
    } else {
        Ok(trim(&bytes[length..]))
    }
}

/// Reads a token or a quoted string, which must be a token once its escapes are undone.
fn parameter_value(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        return token(bytes);
    };
    let mut rest = quoted;
    let mut length = 0;
    loop {
        rest = match rest {
            [b'"', tail @ ..] if length > 0 => return Ok(trim(tail)),
            [b'\\', byte, tail @ ..] | [byte, tail @ ..] if is_token(&[*byte]) => tail,
            _ => return Err(Malformed),
        };
        length += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        let check = |value| {
            check(&[Header {
                name: "sec-websocket-extensions",
                value,
            }])
        };
        for good in [
            &b"foo"[..],
            b"foo, bar; baz=2",
            b"foo;a;b=1 ; c=\"d\"",
            b"foo; a=\"\\1\\0\"",
            b" foo ,,bar,",
            b"permessage-deflate; client_max_window_bits; server_max_window_bits=\"10\"",
        ] {
            assert_eq!(check(good), Ok(true), "{good:?}");
        }
        for bad in [
            &b""[..],
            b",",
            b";",
            b"foo;",
            b"foo; =1",
            b"foo; a=",
            b"foo; a=\"",
            b"foo; a=\"\"",
            b"foo; a=\"b c\"",
            b"foo; a=\"b\\\"",
            b"foo bar",
            b"foo; a=1 2",
            b"f\xe9",
        ] {
            assert_eq!(check(bad), Err(Malformed), "{bad:?}");
        }
        assert_eq!(super::check(&[]), Ok(false));
    }
}
