//! The negotiation of permessage-deflate (RFC 7692, sections 5 and 7.1), as pure functions over lists of extensions.

use alloc::string::String;
use core::fmt::Write;

use crate::connection::{Config, Role};
use crate::deflate::{Agreed, Deflate};
use crate::handshake::extensions::{Extension, Malformed, Parameter};
use crate::handshake::response_error::ResponseError;

const EXTENSION: &[u8] = b"permessage-deflate";

/// The four parameters in an offer or a response (section 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<Bits>,
}

/// The value of `client_max_window_bits`. It is optional in an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bits {
    Any,
    Most(u8),
}

impl Bits {
    const fn limit(self) -> u8 {
        match self {
            Self::Any => 15,
            Self::Most(bits) => bits,
        }
    }
}

/// A client's offer (section 7.1). It has only the parameters that are needed, because some gateways fail on more.
pub(crate) fn offer(config: &Config) -> Option<String> {
    let options = config.deflate.as_ref()?.clamped();
    let parameters = Parameters {
        server_no_context_takeover: !options.peer_context_takeover,
        client_no_context_takeover: !options.context_takeover,
        server_max_window_bits: (options.peer_max_window_bits < 15)
            .then_some(options.peer_max_window_bits),
        // The client may use a smaller window without this parameter, because every peer can read that (section
        // 7.1.2.2).
        client_max_window_bits: options.offer_client_max_window_bits.then_some(
            match options.max_window_bits {
                15 => Bits::Any,
                bits => Bits::Most(bits),
            },
        ),
    };
    Some(parameters.write())
}

/// The first offer that the server can accept, and the answer to it. `None` declines all offers (section 5.1).
pub(crate) fn accept(extensions: &[Extension<'_>], config: &Config) -> Option<(Agreed, String)> {
    let options = config.deflate.as_ref()?.clamped();
    extensions
        .iter()
        .filter(|extension| extension.name.eq_ignore_ascii_case(EXTENSION))
        .find_map(|extension| {
            accept_offer(Parameters::parse(&extension.parameters).ok()?, &options)
        })
}

fn accept_offer(offer: Parameters, options: &Deflate) -> Option<(Agreed, String)> {
    // Section 7.1.2.1: the server must use the requested window or a smaller one. No compressor of this crate supports
    // a window of 256 bytes (8 bits).
    let window_bits = offer
        .server_max_window_bits
        .unwrap_or(15)
        .min(options.max_window_bits);
    if window_bits < 9 {
        return None;
    }
    // Section 7.1.2.2: the server may ask for a smaller window only if the client offers the parameter.
    let client_bits = match offer.client_max_window_bits {
        None if options.peer_max_window_bits < 15 => return None,
        None => None,
        Some(bits) if bits.limit().min(options.peer_max_window_bits) == 15 => None,
        Some(bits) => Some(bits.limit().min(options.peer_max_window_bits)),
    };
    let answer = Parameters {
        // Section 7.1.1.1: it must be in the answer if it is in the offer, and may be otherwise.
        server_no_context_takeover: offer.server_no_context_takeover || !options.context_takeover,
        // Section 7.1.1.2: the same rule.
        client_no_context_takeover: offer.client_no_context_takeover
            || !options.peer_context_takeover,
        server_max_window_bits: (offer.server_max_window_bits.is_some() || window_bits < 15)
            .then_some(window_bits),
        client_max_window_bits: client_bits.map(Bits::Most),
    };
    Some((answer.agreed(Role::Server, options), answer.write()))
}

/// What the client and the server agree on (section 5.1). `None` if the response has no extension.
pub(crate) fn check_response(
    extensions: &[Extension<'_>],
    config: &Config,
) -> Result<Option<Agreed>, ResponseError> {
    let (extension, options) = match (extensions, &config.deflate) {
        ([], _) => return Ok(None),
        ([extension], Some(options)) if extension.name.eq_ignore_ascii_case(EXTENSION) => {
            (extension, options.clamped())
        }
        // RFC 6455, section 4.1, item 5: an extension that was not offered, or one twice.
        _ => return Err(ResponseError::ExtensionNotOffered),
    };
    let answer = Parameters::parse(&extension.parameters)
        .map_err(|Malformed| ResponseError::ExtensionParameters)?;
    let refused =
        // Section 7.1.1.1: a server that accepts the offer must repeat this parameter.
        (!options.peer_context_takeover && !answer.server_no_context_takeover)
        // Section 7.1.2.1: the server must repeat this parameter, with the same value or a smaller one.
        || answer.server_max_window_bits.unwrap_or(15) > options.peer_max_window_bits
        // Section 7.1.2.2: the parameter must have been offered. Its value must not exceed the offered value.
        || answer.client_max_window_bits.is_some_and(|bits| match bits {
            Bits::Any => true,
            Bits::Most(bits) => {
                !options.offer_client_max_window_bits || bits > options.max_window_bits
            }
        });
    if refused {
        Err(ResponseError::ExtensionParameters)
    } else {
        Ok(Some(answer.agreed(Role::Client, &options)))
    }
}

impl Parameters {
    /// Reads the parameters of one offer or response. Unknown parameters, repeated parameters and wrong values are
    /// errors (sections 5.1 and 7.1).
    fn parse(parameters: &[Parameter<'_>]) -> Result<Self, Malformed> {
        let mut all = Self::default();
        for parameter in parameters {
            let flag = |seen: bool| {
                if seen || parameter.value().is_some() {
                    Err(Malformed)
                } else {
                    Ok(true)
                }
            };
            match parameter.name {
                b"server_no_context_takeover" => {
                    all.server_no_context_takeover = flag(all.server_no_context_takeover)?;
                }
                b"client_no_context_takeover" => {
                    all.client_no_context_takeover = flag(all.client_no_context_takeover)?;
                }
                b"server_max_window_bits" if all.server_max_window_bits.is_none() => {
                    all.server_max_window_bits =
                        Some(window_bits(parameter.value().ok_or(Malformed)?)?);
                }
                b"client_max_window_bits" if all.client_max_window_bits.is_none() => {
                    all.client_max_window_bits = Some(match parameter.value() {
                        None => Bits::Any,
                        Some(value) => Bits::Most(window_bits(value)?),
                    });
                }
                _ => return Err(Malformed),
            }
        }
        Ok(all)
    }

    fn write(self) -> String {
        let mut text = String::from("permessage-deflate");
        if self.server_no_context_takeover {
            text.push_str("; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            text.push_str("; client_no_context_takeover");
        }
        // Writing to a string never fails.
        if let Some(bits) = self.server_max_window_bits {
            _ = write!(text, "; server_max_window_bits={bits}");
        }
        match self.client_max_window_bits {
            None => {}
            Some(Bits::Any) => text.push_str("; client_max_window_bits"),
            Some(Bits::Most(bits)) => _ = write!(text, "; client_max_window_bits={bits}"),
        }
        text
    }

    /// What an answer with these parameters means for one side.
    fn agreed(self, role: Role, options: &Deflate) -> Agreed {
        let server = (
            !self.server_no_context_takeover,
            self.server_max_window_bits.unwrap_or(15),
        );
        let client = (
            !self.client_no_context_takeover,
            self.client_max_window_bits.map_or(15, Bits::limit),
        );
        let (own, peer) = match role {
            Role::Server => (server, client),
            Role::Client => (client, server),
        };
        Agreed {
            // The agreement is an upper bound. The options may ask for less.
            context_takeover: own.0 && options.context_takeover,
            window_bits: own.1.min(options.max_window_bits),
            peer_context_takeover: peer.0,
            peer_window_bits: peer.1,
            options: options.clone(),
        }
    }
}

/// Section 7.1.2: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the patterns bound the digits"
)]
fn window_bits(mut digits: impl Iterator<Item = u8>) -> Result<u8, Malformed> {
    match (digits.next(), digits.next(), digits.next()) {
        (Some(digit @ b'8'..=b'9'), None, _) => Ok(digit - b'0'),
        (Some(b'1'), Some(digit @ b'0'..=b'5'), None) => Ok(10 + digit - b'0'),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use ResponseError::{ExtensionNotOffered, ExtensionParameters, MalformedExtensions};

    use super::*;
    use crate::handshake::extensions::parse;
    use crate::handshake::headers::Header;

    /// Window bits and context takeover of this side, then of its peer.
    type Terms = (u8, bool, u8, bool);

    const FULL: Terms = (15, true, 15, true);

    fn config(terms: Option<Terms>) -> Config {
        Config {
            deflate: terms.map(options),
            ..Config::default()
        }
    }

    fn options(terms: Terms) -> Deflate {
        let mut options = Deflate::default();
        (
            options.max_window_bits,
            options.context_takeover,
            options.peer_max_window_bits,
            options.peer_context_takeover,
        ) = terms;
        options
    }

    fn terms(agreed: &Agreed) -> Terms {
        (
            agreed.window_bits,
            agreed.context_takeover,
            agreed.peer_window_bits,
            agreed.peer_context_takeover,
        )
    }

    fn headers<'h>(values: &[&'h str]) -> Vec<Header<'h>> {
        let header = |value: &&'h str| Header {
            name: "Sec-WebSocket-Extensions",
            value: value.as_bytes(),
        };
        values.iter().map(header).collect()
    }

    /// A server's terms and its answer to these headers, without the name of the extension.
    fn answer(offers: &[&str], terms_wished: Terms) -> Option<(Terms, String)> {
        let headers = headers(offers);
        let (agreed, answer) = accept(&parse(&headers).unwrap(), &config(Some(terms_wished)))?;
        let rest = answer.strip_prefix("permessage-deflate").unwrap();
        Some((terms(&agreed), rest.into()))
    }

    fn response(answers: &[&str], wished: Option<Terms>) -> Result<Option<Terms>, ResponseError> {
        let headers = headers(answers);
        let extensions = parse(&headers).map_err(|Malformed| MalformedExtensions)?;
        let agreed = check_response(&extensions, &config(wished))?;
        Ok(agreed.as_ref().map(terms))
    }

    #[test]
    fn offers() {
        for (terms, rest) in [
            (FULL, "; client_max_window_bits"),
            ((14, true, 15, true), "; client_max_window_bits=14"),
            (
                (15, true, 14, true),
                "; server_max_window_bits=14; client_max_window_bits",
            ),
            (
                (15, false, 15, true),
                "; client_no_context_takeover; client_max_window_bits",
            ),
            (
                (15, true, 15, false),
                "; server_no_context_takeover; client_max_window_bits",
            ),
            (
                (9, false, 10, false),
                "; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10; client_max_window_bits=9",
            ),
            // Values outside the range are clamped.
            (
                (0, true, 8, true),
                "; server_max_window_bits=9; client_max_window_bits=9",
            ),
            ((16, true, 255, true), "; client_max_window_bits"),
        ] {
            let found = offer(&config(Some(terms))).unwrap();
            assert_eq!(found.strip_prefix("permessage-deflate"), Some(rest));
        }
    }

    #[test]
    fn answers() {
        let offer = "permessage-deflate; client_max_window_bits";
        let all = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                   server_max_window_bits=12; client_max_window_bits=11";
        for (offers, wished, rest, terms) in [
            (&[offer][..], FULL, "", FULL),
            (&["permessage-deflate"], FULL, "", FULL),
            (&["PERMESSAGE-DEFLATE"], FULL, "", FULL),
            (
                &[
                    "a, b; c",
                    offer,
                    "permessage-deflate; server_no_context_takeover",
                ],
                FULL,
                "",
                FULL,
            ),
            (
                &["permessage-deflate; server_no_context_takeover, permessage-deflate"],
                FULL,
                "; server_no_context_takeover",
                (15, false, 15, true),
            ),
            (
                &["permessage-deflate; client_no_context_takeover"],
                FULL,
                "; client_no_context_takeover",
                (15, true, 15, false),
            ),
            (
                &["permessage-deflate; server_max_window_bits=15"],
                FULL,
                "; server_max_window_bits=15",
                FULL,
            ),
            // The answer omits `client_max_window_bits` if it does not make the window smaller.
            (
                &["permessage-deflate; client_max_window_bits=15"],
                FULL,
                "",
                FULL,
            ),
            (
                &["permessage-deflate; client_max_window_bits=\"\\1\\0\""],
                FULL,
                "; client_max_window_bits=10",
                (15, true, 10, true),
            ),
            (
                &["permessage-deflate;server_max_window_bits =\"10\"  ;client_max_window_bits= 9"],
                FULL,
                "; server_max_window_bits=10; client_max_window_bits=9",
                (10, true, 9, true),
            ),
            (
                &[all],
                FULL,
                all.strip_prefix("permessage-deflate").unwrap(),
                (12, false, 11, false),
            ),
            (
                &[all],
                (9, true, 9, true),
                "; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=9; client_max_window_bits=9",
                (9, false, 9, false),
            ),
            (
                &["permessage-deflate"],
                (10, false, 15, false),
                "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
                (10, false, 15, false),
            ),
            // The server declines the first offer, because the offer does not let it ask for a smaller window.
            (
                &["permessage-deflate", offer],
                (15, true, 9, true),
                "; client_max_window_bits=9",
                (15, true, 9, true),
            ),
            (
                &["permessage-deflate; server_max_window_bits=8", offer],
                (10, true, 15, true),
                "; server_max_window_bits=10",
                (10, true, 15, true),
            ),
        ] {
            let expected = Some((terms, String::from(rest)));
            assert_eq!(answer(offers, wished), expected, "{offers:?}");
        }
    }

    #[test]
    fn declined() {
        assert_eq!(answer(&[], FULL), None);
        assert_eq!(answer(&["a, permessage, permessage-deflate2"], FULL), None);
        assert_eq!(answer(&["permessage-deflate"], (15, true, 14, true)), None);
        let bits = [
            "7", "16", "99", "010", "08", "00", "1", "0", "a", "\"16\"", "150", "8x", ":",
        ];
        for name in ["server_max_window_bits", "client_max_window_bits"] {
            for value in bits {
                let offer = alloc::format!("permessage-deflate; {name}={value}");
                // `:` is not a token, so the whole header is malformed.
                let error = if value == ":" {
                    MalformedExtensions
                } else {
                    assert_eq!(answer(&[&offer], FULL), None, "{offer}");
                    ExtensionParameters
                };
                assert_eq!(response(&[&offer], Some(FULL)), Err(error), "{offer}");
            }
        }
        for rest in [
            "server_max_window_bits",
            "server_max_window_bits=8",
            "server_no_context_takeover=1",
            "client_no_context_takeover=\"true\"",
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; client_max_window_bits; client_no_context_takeover",
            "server_max_window_bits=9; server_max_window_bits=9",
            "client_max_window_bits; client_max_window_bits",
            "client_max_window_bits=9; client_max_window_bits",
            "mode=1",
            "client_max_window_bits; mode",
        ] {
            let offer = alloc::format!("permessage-deflate; {rest}");
            assert_eq!(answer(&[&offer], FULL), None, "{offer}");
            if rest != "server_max_window_bits=8" {
                let found = response(&[&offer], Some(FULL));
                assert_eq!(found, Err(ExtensionParameters), "{offer}");
            }
        }
    }

    #[test]
    fn responses() {
        let small = (10, false, 11, false);
        for (rest, wished, terms) in [
            ("", FULL, FULL),
            ("; server_max_window_bits=8", FULL, (15, true, 8, true)),
            ("; client_max_window_bits=8", FULL, (8, true, 15, true)),
            (
                "; client_max_window_bits=15; server_max_window_bits=15",
                FULL,
                FULL,
            ),
            (
                "; server_no_context_takeover; client_no_context_takeover",
                FULL,
                (15, false, 15, false),
            ),
            // The server does not ask for less, but the client still uses less.
            ("", (10, false, 15, true), (10, false, 15, true)),
            (
                "; server_max_window_bits=11; server_no_context_takeover",
                small,
                small,
            ),
            (
                "; server_max_window_bits=9; server_no_context_takeover; client_max_window_bits=9",
                small,
                (9, false, 9, false),
            ),
        ] {
            let answer = alloc::format!("permessage-deflate{rest}");
            assert_eq!(
                response(&[&answer], Some(wished)),
                Ok(Some(terms)),
                "{answer}"
            );
        }
        for (answers, wished, error) in [
            (&["permessage-deflate"][..], None, ExtensionNotOffered),
            (&["a"], None, ExtensionNotOffered),
            (&["a"], Some(FULL), ExtensionNotOffered),
            (&["permessage-deflate, a"], Some(FULL), ExtensionNotOffered),
            (
                &["permessage-deflate", "permessage-deflate"],
                Some(FULL),
                ExtensionNotOffered,
            ),
            (
                &["permessage-deflate; client_max_window_bits"],
                Some(FULL),
                ExtensionParameters,
            ),
            (
                &["permessage-deflate"],
                Some((15, true, 15, false)),
                ExtensionParameters,
            ),
            (
                &["permessage-deflate"],
                Some((15, true, 14, true)),
                ExtensionParameters,
            ),
            (
                &["permessage-deflate; server_max_window_bits=15"],
                Some((15, true, 14, true)),
                ExtensionParameters,
            ),
            (
                &["permessage-deflate; client_max_window_bits=15"],
                Some((14, true, 15, true)),
                ExtensionParameters,
            ),
        ] {
            assert_eq!(response(answers, wished), Err(error), "{answers:?}");
        }
        assert_eq!(response(&[], Some(small)), Ok(None));
        assert_eq!(response(&[], None), Ok(None));
    }
}
