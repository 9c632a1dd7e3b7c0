//! What a server agrees on with a client: origin, subprotocol and extensions (RFC 6455, section 4.2.2).

use alloc::string::String;
use alloc::vec::Vec;

use crate::connection::Connection;
use crate::deflate::Agreed;
use crate::handshake::bootstrap::{Bootstrap, Source};
use crate::handshake::deflate;
use crate::handshake::extensions;
use crate::handshake::fields::Fields;
use crate::handshake::headers::{Header, Single, elements, is_token, token};
use crate::handshake::options::ServerOptions;
use crate::handshake::request_error::RequestError;
use crate::handshake::response::write_header;
use crate::handshake::uri::Authority;

/// The result of a negotiation that succeeded.
pub(crate) struct Agreement<'a> {
    bootstrap: Bootstrap,
    accept: Option<[u8; 28]>,
    subprotocol: Option<&'a str>,
    deflate: Option<(Agreed, String)>,
    options: &'a ServerOptions<'a>,
}

impl<'a> Agreement<'a> {
    /// Checks the request against the RFCs, and then against the options.
    pub(crate) fn new(
        source: Source,
        method: &str,
        target: &str,
        headers: &[Header<'_>],
        options: &'a ServerOptions<'a>,
    ) -> Result<Self, RequestError> {
        let bootstrap = source.bootstrap();
        let fields = Fields::new(headers);
        let checked = source.check(method, target, headers, &fields)?;
        // RFC 9110, section 7.4: a client may ask for a host that this server does not answer for.
        if !is_answered_for(options.hosts, checked.host, checked.default_ports) {
            return Err(RequestError::Misdirected);
        }
        // RFC 6455, section 4.2.1, item 7, and section 10.2.
        match fields.origin {
            Single::Missing => {}
            Single::One(origin) if options.origins.allow_at(origin, checked.host) => {}
            Single::One(_) => return Err(RequestError::Origin),
            Single::Several => return Err(RequestError::DuplicateOrigin),
        }
        let subprotocol = choose_subprotocol(fields.subprotocols, options)?;
        // RFC 6455, section 4.2.1, item 9, and section 9.1: a server ignores unknown extensions. A header that breaks
        // the grammar fails the handshake.
        let offers = extensions::parse(fields.extensions).map_err(|_| RequestError::Extensions)?;
        for header in options.headers {
            bootstrap.check_header(header)?;
        }
        Ok(Self {
            bootstrap,
            accept: checked.accept,
            subprotocol,
            deflate: deflate::accept(&offers, &options.config),
            options,
        })
    }

    /// Appends the headers of the response to `lines`.
    pub(crate) fn write_headers(&self, lines: &mut Vec<u8>) {
        let names = self.bootstrap.names();
        let mut add = |name, value| write_header(lines, &Header { name, value });
        if let Some(accept) = &self.accept {
            add("Sec-WebSocket-Accept", accept);
        }
        if let Some(subprotocol) = self.subprotocol {
            add(names.subprotocol, subprotocol.as_bytes());
        }
        if let Some((_, answer)) = &self.deflate {
            add(names.extensions, answer.as_bytes());
        }
        for header in self.options.headers {
            add(header.name, header.value);
        }
    }

    /// The connection. Its output begins with `answer`.
    #[inline]
    pub(crate) fn connection(&self, answer: Vec<u8>) -> Connection {
        let connection = Connection::opened(&self.options.config, None, answer);
        match &self.deflate {
            Some((agreed, _)) => connection.with_deflate(Some(agreed)),
            // A connection is large. This arm saves a move.
            None => connection,
        }
    }
}

/// Whether the server answers for a host. Without any `hosts` it answers for every host.
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

/// RFC 6455, section 4.2.2, item 5: the first offer that the server speaks. `headers` begin with the first header that
/// has an offer.
fn choose_subprotocol<'a>(
    headers: &[Header<'_>],
    options: &ServerOptions<'a>,
) -> Result<Option<&'a str>, RequestError> {
    let mut offers: Vec<_> = elements(headers, "Sec-WebSocket-Protocol").collect();
    let chosen = offers
        .iter()
        .filter_map(|offer| token(offer))
        .find_map(|offer| options.subprotocols.iter().find(|known| **known == offer));
    // RFC 6455, section 4.1, item 10: tokens, all different. Sorting keeps this fast: if each offer were compared with
    // each, a request could cost the square of its size. The item also demands at least one token. But some clients
    // send an empty list, and the server treats that as no offer.
    offers.sort_unstable();
    if !offers.iter().all(|offer| is_token(offer)) || !offers.is_sorted_by(|a, b| a < b) {
        return Err(RequestError::Subprotocols);
    }
    if chosen.is_none() && options.require_subprotocol {
        return Err(RequestError::NoCommonSubprotocol);
    }
    Ok(chosen.copied())
}
