//! The headers that a server goes by, found in one pass over the list (RFC 6455 section 4.2.1).

use crate::handshake::headers::{Header, Single, contains, is_named};

/// What the headers of a request say about an upgrade to WebSocket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'h> {
    pub(crate) host: Single<'h>,
    /// Whether both headers name it: `Upgrade` this protocol, `Connection` the upgrade.
    pub(crate) upgrade: bool,
    /// Whether a body is announced.
    pub(crate) body: bool,
    pub(crate) version: Single<'h>,
    pub(crate) key: Single<'h>,
    pub(crate) origin: Single<'h>,
    /// The list from the first `Sec-WebSocket-Protocol` on; empty without one.
    pub(crate) subprotocols: &'h [Header<'h>],
    /// The list from the first `Sec-WebSocket-Extensions` on; empty without one.
    pub(crate) extensions: &'h [Header<'h>],
}

impl<'h> Fields<'h> {
    pub(crate) fn new(headers: &'h [Header<'h>]) -> Self {
        let mut fields = Self {
            host: Single::Missing,
            upgrade: false,
            body: false,
            version: Single::Missing,
            key: Single::Missing,
            origin: Single::Missing,
            subprotocols: &[],
            extensions: &[],
        };
        let (mut websocket, mut upgrade) = (false, false);
        let mut rest = headers;
        while let [header, tail @ ..] = rest {
            let value = header.value;
            // Their lengths tell most names apart.
            match header.name.len() {
                4 if is_named(header, "Host") => fields.host.add(value),
                6 if is_named(header, "Origin") => fields.origin.add(value),
                7 if is_named(header, "Upgrade") => websocket |= contains(value, "websocket"),
                10 if is_named(header, "Connection") => upgrade |= contains(value, "Upgrade"),
                14 if is_named(header, "Content-Length") => fields.body |= value != b"0",
                17 if is_named(header, "Sec-WebSocket-Key") => fields.key.add(value),
                17 if is_named(header, "Transfer-Encoding") => fields.body = true,
                21 if is_named(header, "Sec-WebSocket-Version") => fields.version.add(value),
                22 if fields.subprotocols.is_empty()
                    && is_named(header, "Sec-WebSocket-Protocol") =>
                {
                    fields.subprotocols = rest;
                }
                24 if fields.extensions.is_empty()
                    && is_named(header, "Sec-WebSocket-Extensions") =>
                {
                    fields.extensions = rest;
                }
                _ => {}
            }
            rest = tail;
        }
        fields.upgrade = websocket && upgrade;
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    const NAMES: [&str; 10] = [
        "Host",
        "Origin",
        "Upgrade",
        "Connection",
        "Content-Length",
        "Sec-WebSocket-Key",
        "Transfer-Encoding",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
    ];

    /// RFC 9110 section 5.1: names are compared without regard to case, and as a whole.
    #[test]
    fn names_are_told_apart_by_more_than_their_length() {
        let others: Vec<_> = NAMES.map(|name| "x".repeat(name.len())).into();
        let upper: Vec<_> = NAMES.map(str::to_uppercase).into();
        let headers = |names: &'static [String]| -> Vec<Header<'static>> {
            let value = b"websocket, upgrade";
            names.iter().map(|name| Header { name, value }).collect()
        };
        let shown = |names: Vec<String>| {
            let headers = headers(names.leak());
            alloc::format!("{:?}", Fields::new(&headers))
        };
        assert_eq!(shown(others), alloc::format!("{:?}", Fields::new(&[])));
        assert_eq!(shown(upper).matches("One(").count(), 4);
    }
}
