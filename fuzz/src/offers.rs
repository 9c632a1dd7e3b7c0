//! The rules for offers and answers a second time, in the simplest form (RFC 6455, sections 4.1 and 9.1; RFC 7692,
//! section 7.1). This uses nothing of the library.

use std::collections::BTreeSet;

/// The options of one side, with all numbers in their range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) bits: u8,
    pub(crate) peer_bits: u8,
    pub(crate) takeover: bool,
    pub(crate) peer_takeover: bool,
    /// Whether the offer of a client has `client_max_window_bits`.
    pub(crate) offers_client_bits: bool,
}

/// The parameters of permessage-deflate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parameters {
    server_alone: bool,
    client_alone: bool,
    server_bits: Option<u8>,
    /// Only an offer may leave the value out.
    client_bits: Option<Option<u8>>,
}

impl Parameters {
    /// Reads an element with legal grammar. `None` if it is another extension, or if its parameters break RFC 7692,
    /// section 7.1.
    pub(crate) fn parse(element: &[u8], offer: bool) -> Option<Self> {
        let mut parts = element.split(|byte| *byte == b';').map(trim);
        if !parts.next()?.eq_ignore_ascii_case(b"permessage-deflate") {
            return None;
        }
        let mut all = Self::default();
        let mut seen = BTreeSet::new();
        for part in parts {
            let equals = part.iter().position(|byte| *byte == b'=');
            let (name, value) = part.split_at(equals.unwrap_or(part.len()));
            let name = trim(name);
            let value: Option<Vec<u8>> = equals.map(|_| {
                let value = trim(&value[1..]).iter().copied();
                value.filter(|byte| !b"\"\\".contains(byte)).collect()
            });
            match (name, value) {
                (b"server_no_context_takeover", None) => all.server_alone = true,
                (b"client_no_context_takeover", None) => all.client_alone = true,
                (b"server_max_window_bits", Some(value)) => all.server_bits = Some(bits(&value)?),
                (b"client_max_window_bits", Some(value)) => {
                    all.client_bits = Some(Some(bits(&value)?));
                }
                (b"client_max_window_bits", None) if offer => all.client_bits = Some(None),
                _ => return None,
            }
            if !seen.insert(name) {
                return None;
            }
        }
        Some(all)
    }

    /// Whether a server with these options can accept the offer. No compressor of the library supports a window of 256
    /// bytes. A server can limit the window of a client only if the client offers that (RFC 7692, section 7.1.2.2).
    pub(crate) fn can_be_accepted(self, options: Options) -> bool {
        self.server_bits != Some(8) && (self.client_bits.is_some() || options.peer_bits == 15)
    }

    /// Checks the answer of a server with these options to the offer (RFC 7692, sections 7.1.1 and 7.1.2).
    pub(crate) fn assert_answered_by(self, answer: Self, options: Options) {
        let said = format!("{answer:?} to {self:?} by {options:?}");
        let alone = (answer.server_alone, answer.client_alone);
        let server_alone = self.server_alone || !options.takeover;
        let client_alone = self.client_alone || !options.peer_takeover;
        assert_eq!(alone, (server_alone, client_alone), "{said}");
        let bits = self.server_bits.unwrap_or(15).min(options.bits);
        assert_eq!(answer.server_bits.unwrap_or(15), bits, "{said}");
        assert!(
            answer.server_bits.is_some() || self.server_bits.is_none(),
            "{said}"
        );
        let offered = self.client_bits.map_or(15, |bits| bits.unwrap_or(15));
        let bits = answer.client_bits.map_or(Some(15), |bits| bits);
        assert_eq!(bits, Some(offered.min(options.peer_bits)), "{said}");
        assert!(
            answer.client_bits.is_none() || self.client_bits.is_some(),
            "{said}"
        );
    }

    /// Whether a client with these options can accept this answer to its own offer.
    pub(crate) fn answers(self, options: Options) -> bool {
        let client_bits = self.client_bits.map_or(9, |bits| bits.unwrap_or(15));
        (options.peer_takeover || self.server_alone)
            && self.server_bits.unwrap_or(15) <= options.peer_bits
            && client_bits <= options.bits
            && (self.client_bits.is_none() || options.offers_client_bits)
    }
}

/// RFC 7692, section 7.1.2: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
fn bits(digits: &[u8]) -> Option<u8> {
    (8..=15).find(|bits: &u8| bits.to_string().as_bytes() == digits)
}

/// Whether the values are certainly legal lists of extensions. They hold only tokens without quotes. Values without any
/// element are illegal.
pub(crate) fn plainly_legal(values: &[&[u8]]) -> bool {
    let token = |bytes: &[u8]| is_token(trim(bytes));
    let parameter = |bytes: &[u8]| bytes.splitn(2, |byte| *byte == b'=').all(token);
    let extension = |bytes: &&[u8]| {
        let mut parts = bytes.split(|byte| *byte == b';');
        parts.next().is_some_and(token) && parts.all(parameter)
    };
    let elements = elements(values);
    elements.is_empty() == values.is_empty() && elements.iter().all(extension)
}

/// Whether the values are legal subprotocols: tokens that all differ (RFC 6455, section 4.1, item 10). The list may be
/// empty.
pub(crate) fn are_subprotocols(values: &[&[u8]]) -> bool {
    let names = elements(values);
    let different: BTreeSet<_> = names.iter().collect();
    names.iter().all(|name| is_token(name)) && different.len() == names.len()
}

/// The elements of all values as one list, without empty ones (RFC 9110, section 5.6.1).
pub(crate) fn elements<'a>(values: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let values = values.iter();
    let elements = values.flat_map(|value| value.split(|byte| *byte == b','));
    elements.map(trim).filter(|it| !it.is_empty()).collect()
}

/// Removes spaces and tabs at both ends.
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether the bytes are a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    let separator = |byte: &u8| b"\"(),/:;<=>?@[\\]{}".contains(byte);
    let good = |byte: &u8| byte.is_ascii_graphic() && !separator(byte);
    !bytes.is_empty() && bytes.iter().all(good)
}
