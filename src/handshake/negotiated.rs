//! What both openings of a server agree on in the same way: origin, subprotocol, extensions (RFC 6455 section 4.2.2).

use alloc::string::String;
use alloc::vec::Vec;

use crate::connection::{Config, Connection};
use crate::deflate::Agreed;
use crate::handshake::deflate;
use crate::handshake::error::InputError;
use crate::handshake::extensions;
use crate::handshake::fields::Fields;
use crate::handshake::headers::{Header, Single, check_for_handshake, elements, is_token, token};
use crate::handshake::options::ServerOptions;
use crate::handshake::request_error::RequestError;
use crate::handshake::uri::Authority;

/// What a server has agreed on with a client.
#[derive(Clone, Debug)]
pub(crate) struct Negotiated<'a> {
    subprotocol: Option<&'a str>,
    extra: Vec<Header<'a>>,
    config: Config,
    deflate: Option<(Agreed, String)>,
}

impl<'a> Negotiated<'a> {
    /// Checks what the client wants against the options. The host is valid; without a port it may have each of
    /// `default_ports`.
    pub(crate) fn new(
        fields: &Fields<'_>,
        host: &[u8],
        default_ports: &[u16],
        options: &ServerOptions<'a>,
    ) -> Result<Self, RequestError> {
        // RFC 9110 section 7.4: a server may be asked for a host that it does not speak for.
        if !is_answered_for(options.hosts, host, default_ports) {
            return Err(RequestError::Misdirected);
        }
        // Section 4.2.1, item 7, and section 10.2.
        match fields.origin {
            Single::Missing => {}
            Single::One(origin) if options.origins.allow_at(origin, host) => {}
            Single::One(_) => return Err(RequestError::Origin),
            Single::Several => return Err(RequestError::DuplicateOrigin),
        }
        let subprotocol = choose_subprotocol(fields.subprotocols, options)?;
        // Section 4.2.1, item 9, and section 9.1: extensions a server does not know are ignored, a header that does
        // not fit the grammar fails the connection.
        let offers = extensions::parse(fields.extensions).map_err(|_| RequestError::Extensions)?;
        Ok(Self {
            subprotocol,
            extra: Vec::new(),
            config: options.config,
            deflate: deflate::accept(&offers, &options.config),
        })
    }

    /// Adds a header of the application to the answer.
    pub(crate) fn add_header(&mut self, header: Header<'a>) -> Result<(), InputError> {
        check_for_handshake(&header)?;
        self.extra.push(header);
        Ok(())
    }

    /// The headers that tell the client, with the names that `names` has for the subprotocol and the extensions.
    pub(crate) fn headers<'h>(
        &'h self,
        names: [&'static str; 2],
    ) -> impl Iterator<Item = Header<'h>> + use<'h, 'a> {
        let header = |name, value| Header { name, value };
        let [subprotocol, extensions] = names;
        let answer = self.deflate.as_ref().map(|(_, answer)| answer.as_bytes());
        let chosen = self.subprotocol.map(str::as_bytes);
        let chosen = chosen.map(|name| header(subprotocol, name));
        chosen
            .into_iter()
            .chain(answer.map(|answer| header(extensions, answer)))
            .chain(self.extra.iter().copied())
    }

    /// The connection with the extensions that were agreed on.
    #[inline]
    pub(crate) fn agreed(&self, connection: Connection) -> Connection {
        match &self.deflate {
            Some((agreed, _)) => connection.with_deflate(Some(agreed)),
            // Connections are large: none is moved for nothing.
            None => connection,
        }
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) const fn subprotocol(&self) -> Option<&'a str> {
        self.subprotocol
    }
}

/// The default ports where the scheme is not known: that of `http:` and that of `https:`.
pub(crate) const EITHER: [u16; 2] = [80, 443];

/// Whether the server answers for a host; without any hosts it answers for all.
fn is_answered_for(hosts: &[&str], host: &[u8], default_ports: &[u16]) -> bool {
    let is_host = |asked: &Authority<'_>, known: &Authority<'_>| match known.port {
        None => asked.host.eq_ignore_ascii_case(known.host),
        Some(_) => default_ports.iter().any(|port| asked.is_same(known, *port)),
    };
    hosts.is_empty()
        || Authority::parse(host).is_some_and(|asked| {
            let known = hosts.iter();
            let mut known = known.filter_map(|known| Authority::parse(known.as_bytes()));
            known.any(|known| is_host(&asked, &known))
        })
}

/// Section 4.2.1, item 6, and section 4.4.
pub(crate) const fn check_version(fields: &Fields<'_>) -> Result<(), RequestError> {
    match fields.version {
        Single::One(b"13") => Ok(()),
        Single::One(_) => Err(RequestError::UnsupportedVersion),
        Single::Missing | Single::Several => Err(RequestError::MissingVersion),
    }
}

/// Section 4.2.2, item 5: one the client offers and the server speaks. The headers begin with the first that
/// makes an offer.
fn choose_subprotocol<'a>(
    headers: &[Header<'_>],
    options: &ServerOptions<'a>,
) -> Result<Option<&'a str>, RequestError> {
    let mut offers: Vec<_> = elements(headers, "Sec-WebSocket-Protocol").collect();
    let chosen = offers
        .iter()
        .filter_map(|offer| token(offer))
        .find_map(|offer| options.subprotocols.iter().find(|known| **known == offer));
    // Section 4.1, item 10: tokens, all different. They are sorted, because comparing each with each would let a
    // request cost the square of its size. The same item asks for at least one token, but clients exist that send
    // the header with an empty list. Such a client offers none, and nothing can be chosen from its list.
    offers.sort_unstable();
    if !offers.iter().all(|offer| is_token(offer)) || !offers.is_sorted_by(|a, b| a < b) {
        return Err(RequestError::Subprotocols);
    }
    if chosen.is_none() && options.require_subprotocol {
        return Err(RequestError::NoCommonSubprotocol);
    }
    Ok(chosen.copied())
}
