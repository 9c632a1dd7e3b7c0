//! The headers that a server needs, found in one pass over the list (RFC 6455, section 4.2.1).

use crate::handshake::headers::{Header, Single, contains};

/// The values of the request headers that matter for a WebSocket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'h> {
    pub(crate) host: Single<'h>,
    /// Whether `Upgrade` contains `websocket` and `Connection` contains `Upgrade`.
    pub(crate) upgrade: bool,
    /// Whether the headers announce a body.
    pub(crate) body: bool,
    pub(crate) version: Single<'h>,
    pub(crate) key: Single<'h>,
    pub(crate) origin: Single<'h>,
    /// The headers from the first `Sec-WebSocket-Protocol` on. Empty if there is none.
    pub(crate) subprotocols: &'h [Header<'h>],
    /// The headers from the first `Sec-WebSocket-Extensions` on. Empty if there is none.
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
            // The length rules out most names without a comparison.
            match header.name.len() {
                4 if header.is("Host") => fields.host.add(value),
                6 if header.is("Origin") => fields.origin.add(value),
                7 if header.is("Upgrade") => websocket |= contains(value, "websocket"),
                10 if header.is("Connection") => upgrade |= contains(value, "Upgrade"),
                14 if header.is("Content-Length") => fields.body |= value != b"0",
                17 if header.is("Sec-WebSocket-Key") => fields.key.add(value),
                17 if header.is("Transfer-Encoding") => fields.body = true,
                21 if header.is("Sec-WebSocket-Version") => fields.version.add(value),
                22 if fields.subprotocols.is_empty() && header.is("Sec-WebSocket-Protocol") => {
                    fields.subprotocols = rest;
                }
                24 if fields.extensions.is_empty() && header.is("Sec-WebSocket-Extensions") => {
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

    #[test]
    fn names_count_and_not_their_lengths() {
        let header = |name, value: &'static [u8]| Header { name, value };
        let others = [
            header("Date", b"a"),
            header("Pragma", b"a"),
            header("Referer", b"websocket"),
            header("User-Agent", b"Upgrade"),
            header("Accept-Charset", b"a"),
            header("If-Modified-Since", b"a"),
            header("Sec-WebSocket-Magical", b"13"),
            header("Sec-CH-UA-Full-Version", b"a"),
            header("Sec-WebSocket-Imaginary2", b"a"),
        ];
        let theirs = [
            header("Host", b"b"),
            header("Origin", b"c"),
            header("Upgrade", b"h2c, WebSocket"),
            header("Connection", b"keep-alive, upgrade"),
            header("Content-Length", b"0"),
            header("Sec-WebSocket-Key", b"d"),
            header("Sec-WebSocket-Version", b"13"),
            header("Sec-WebSocket-Protocol", b"e"),
            header("Sec-WebSocket-Extensions", b"f"),
        ];
        let fields = Fields::new(&others);
        let missing = [fields.host, fields.origin, fields.key, fields.version];
        assert_eq!(missing, [Single::Missing; 4]);
        assert!(!fields.upgrade && !fields.body);
        assert!(fields.subprotocols.is_empty() && fields.extensions.is_empty());

        let all = [&others[..], &theirs].concat();
        let fields = Fields::new(&all);
        assert_eq!(fields.host, Single::One(b"b"));
        assert_eq!(fields.origin, Single::One(b"c"));
        assert_eq!(fields.key, Single::One(b"d"));
        assert_eq!(fields.version, Single::One(b"13"));
        assert!(fields.upgrade && !fields.body);
        assert_eq!(fields.subprotocols.first(), Some(&theirs[7]));
        assert_eq!(fields.extensions, &theirs[8..]);

        let twice = [
            &theirs[..],
            &others,
            &theirs,
            &[header("Content-Length", b"1")],
        ]
        .concat();
        let fields = Fields::new(&twice);
        let several = [fields.host, fields.origin, fields.key, fields.version];
        assert_eq!(several, [Single::Several; 4]);
        assert!(fields.body);
        assert_eq!(fields.subprotocols, &twice[7..]);
        assert_eq!(fields.extensions, &twice[8..]);
        assert!(Fields::new(&[header("transfer-encoding", b"chunked")]).body);
    }
}
