//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455, section 9.1).

use alloc::vec::Vec;

use crate::handshake::headers::{Header, is_token, is_token_byte, trim, values};

/// The header does not fit the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// An extension and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension<'h> {
    pub(crate) name: &'h [u8],
    pub(crate) parameters: Vec<Parameter<'h>>,
}

/// A parameter of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'h> {
    pub(crate) name: &'h [u8],
    /// The value without its quotes, but with the escapes inside.
    value: Option<&'h [u8]>,
}

#[cfg(any(test, feature = "deflate"))]
impl<'h> Parameter<'h> {
    /// The value without escapes. `None` if the parameter has no value.
    pub(crate) fn value(&self) -> Option<impl Iterator<Item = u8> + Clone + use<'h>> {
        // The parser allows only token characters after a backslash. So every backslash is an escape.
        self.value
            .map(|value| value.iter().copied().filter(|byte| *byte != b'\\'))
    }
}

/// The extensions of all header lines, in their order. All lines together are one list (RFC 9110, section 5.3).
pub(crate) fn parse<'h>(headers: &[Header<'h>]) -> Result<Vec<Extension<'h>>, Malformed> {
    let mut extensions = Vec::new();
    let mut is_present = false;
    for value in values(headers, "Sec-WebSocket-Extensions") {
        is_present = true;
        let mut rest = trim(value);
        while !rest.is_empty() {
            // RFC 9110, section 5.6.1.2: a recipient ignores empty elements. An empty line is an empty element.
            if let Some(tail) = rest.strip_prefix(b",") {
                rest = trim(tail);
                continue;
            }
            let extension;
            (extension, rest) = parse_extension(rest)?;
            if !rest.is_empty() && !rest.starts_with(b",") {
                return Err(Malformed);
            }
            extensions.push(extension);
        }
    }
    // RFC 6455, section 9.1: the grammar is `1#extension`, so the list needs at least one element.
    if is_present && extensions.is_empty() {
        return Err(Malformed);
    }
    Ok(extensions)
}

/// Reads `extension-token *( ";" extension-param )`.
fn parse_extension(bytes: &[u8]) -> Result<(Extension<'_>, &[u8]), Malformed> {
    let (name, mut rest) = parse_token(bytes)?;
    let mut parameters = Vec::new();
    while let Some(tail) = rest.strip_prefix(b";") {
        let (name, tail) = parse_token(trim(tail))?;
        let (value, tail) = match tail.strip_prefix(b"=") {
            Some(value) => parse_value(trim(value)).map(|(value, tail)| (Some(value), tail))?,
            None => (None, tail),
        };
        parameters.push(Parameter { name, value });
        rest = tail;
    }
    Ok((Extension { name, parameters }, rest))
}

/// Reads a token and the white space after it.
fn parse_token(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let length = bytes
        .iter()
        .take_while(|byte| is_token_byte(**byte))
        .count();
    #[cfg(test)]
    crate::handshake::headers::work::add(length);
    match bytes.split_at_checked(length) {
        Some((token @ [_, ..], rest)) => Ok((token, trim(rest))),
        _ => Err(Malformed),
    }
}

/// Reads a token or a quoted string. Without its escapes, the quoted string must be a token.
fn parse_value(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        return parse_token(bytes);
    };
    let mut rest = quoted;
    loop {
        rest = match rest {
            [b'"', tail @ ..] if rest.len() < quoted.len() => {
                // Comparing lengths keeps this linear. Comparing the rest of the header would make it quadratic.
                let length = quoted.len().saturating_sub(rest.len());
                #[cfg(test)]
                crate::handshake::headers::work::add(length);
                let value = quoted.get(..length).ok_or(Malformed)?;
                return Ok((value, trim(tail)));
            }
            [b'\\', byte, tail @ ..] | [byte, tail @ ..] if is_token(&[*byte]) => tail,
            _ => return Err(Malformed),
        };
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn parse_one(value: &[u8]) -> Result<String, Malformed> {
        let headers = [Header {
            name: "sec-websocket-extensions",
            value,
        }];
        let mut text = String::new();
        for extension in parse(&headers)? {
            text.push_str(core::str::from_utf8(extension.name).unwrap());
            for parameter in &extension.parameters {
                text.push(';');
                text.push_str(core::str::from_utf8(parameter.name).unwrap());
                if let Some(value) = parameter.value() {
                    text.push('=');
                    text.extend(value.map(char::from));
                }
            }
            text.push(',');
        }
        Ok(text)
    }

    #[test]
    fn the_grammar() {
        for (good, parsed) in [
            (&b"foo"[..], "foo,"),
            (b"foo, bar; baz=2", "foo,bar;baz=2,"),
            (b"foo;a;b=1 ; c=\"d\"", "foo;a;b=1;c=d,"),
            (b"foo; a=\"\\1\\0\"", "foo;a=10,"),
            (b" foo ,,bar,", "foo,bar,"),
            (b"foo;a = 1", "foo;a=1,"),
            (b"x; y; z=\"10\"", "x;y;z=10,"),
        ] {
            assert_eq!(parse_one(good).as_deref(), Ok(parsed), "{good:?}");
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
            b"foo; a=\"\\\\\"",
            b"foo bar",
            b"foo; a=1 2",
            b"f\xe9",
        ] {
            assert_eq!(parse_one(bad), Err(Malformed), "{bad:?}");
        }
        assert_eq!(parse(&[]), Ok(Vec::new()));
        let headers = [
            Header {
                name: "Sec-WebSocket-Extensions",
                value: b"a",
            },
            Header {
                name: "Host",
                value: b"b",
            },
            Header {
                name: "sec-websocket-extensions",
                value: b"c",
            },
        ];
        assert_eq!(parse(&headers).map(|all| all.len()), Ok(2));
    }

    /// RFC 9110, sections 5.3 and 5.6.1.2: an empty line is an empty element of the one list.
    #[test]
    fn all_lines_are_one_list() {
        fn line(value: &str) -> Header<'_> {
            let value = value.as_bytes();
            Header {
                name: "Sec-WebSocket-Extensions",
                value,
            }
        }
        for (lines, count) in [
            (&["a", ""][..], Some(1)),
            (&["", "a"], Some(1)),
            (&[", ,", "a", "\t", "b, c"], Some(3)),
            // RFC 6455, section 9.1: `1#extension` needs one element.
            (&["", ""], None),
            (&[",", " , "], None),
            // An element does not continue on the next line.
            (&["a;", "b"], None),
            (&["a; b=", "c"], None),
        ] {
            let headers: Vec<_> = lines.iter().copied().map(line).collect();
            let parsed = parse(&headers).ok();
            assert_eq!(parsed.map(|all| all.len()), count, "{lines:?}");
        }
    }
}
