//! The opening handshake (RFC 6455 section 4, RFC 9110, RFC 9112). Tables of requests and responses are read as a
//! whole, cut at every byte, and in single bytes.

#![cfg(feature = "alloc")]
// A failed test may panic. A table has one row for each case of a rule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::too_many_lines)]

#[path = "handshake/application.rs"]
mod application;
#[path = "handshake/both.rs"]
mod both;
#[path = "handshake/client.rs"]
mod client;
#[path = "handshake/extended_connect.rs"]
mod extended_connect;
#[path = "handshake/heads.rs"]
mod heads;
#[cfg(feature = "http")]
#[path = "handshake/http.rs"]
mod http_types;
#[path = "handshake/server.rs"]
mod server;
#[path = "handshake/uri.rs"]
mod uri;

use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, Request, RequestError, ServerHandshake, ServerOptions,
    Uri,
};
use sockless::test_util::{OwnedEvent, Peer, cuts_at, every_cut};
use sockless::{Config, Connection, ReadBuffer, Seed};
use std::time::Duration;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const REQUEST: &[&str] = &[
    "GET /chat HTTP/1.1",
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// Groups of changes to a valid request. A property test combines one change of each group.
const EDITS: &[&[&[&str]]] = &[
    &[
        &[],
        &["=GET /chat?room=1 HTTP/1.1"],
        &["=GET //chat HTTP/1.1"],
        &["=GET * HTTP/1.1"],
        &["=POST /chat HTTP/1.1"],
        &["=PURGE /chat HTTP/1.1"],
        &["=HEAD /chat HTTP/1.1"],
        &["=CONNECT example.com:80 HTTP/1.1"],
        &["=GET http://example.com/chat HTTP/1.1"],
        &["=GET http://example.com HTTP/1.1"],
        &["=GET http://example.com?room=1 HTTP/1.1"],
        &["=GET HTTPS://example.com:8080/chat?room=1 HTTP/1.1"],
        &["=GET ftp://example.com/chat HTTP/1.1"],
        &["=GET ws://example.com/chat HTTP/1.1"],
        &["=GET http://user@example.com/chat HTTP/1.1"],
        &["=GET http://example.com:99999/chat HTTP/1.1"],
    ],
    &[
        &[],
        &["-Host"],
        &["Host: example.com"],
        &["Host: two"],
        &["-Host", "Host: example.org"],
        &["-Host", "Host: [::1]:8080"],
        &["-Host", "Host: user@example.com"],
    ],
    &[
        &[],
        &["-Upgrade"],
        &["-Upgrade", "Upgrade: h2c"],
        &["-Upgrade", "Upgrade: h2c, WebSocket"],
        &["-Upgrade", "Upgrade: h2c", "upgrade: websocket"],
        &["-Connection", "Connection: a", "Connection: upgrade"],
        &["-Connection"],
    ],
    &[
        &[],
        &["-~Key"],
        &["~Key: dGhlIHNhbXBsZSBub25jZQ=="],
        &["-~Key", "~Key: short"],
    ],
    &[
        &[],
        &["-~Version", "~Version: 12"],
        &["-~Version"],
        &["~Version: 13"],
    ],
    &[
        &[],
        &["Content-Length: 0"],
        &["Content-Length: 3"],
        &["Transfer-Encoding: chunked"],
    ],
    &[
        &[],
        &["Origin: http://evil.example"],
        &["Origin: https://example.com"],
        &["Origin: https://caf\u{e9}.example"],
        &["Origin: https://example.com", "Origin: https://example.com"],
    ],
    &[
        &[],
        &["~Protocol: b, a"],
        &["~Protocol: c"],
        &["~Protocol: a, a"],
        &["~Protocol: c", "~Protocol: b"],
        &["~Protocol: caf\u{e9}"],
        &["~Protocol:"],
        &["~Protocol: a", "~Protocol: a"],
    ],
    &[
        &[],
        &["~Extensions: unknown; a=\"b\""],
        &["~Extensions: ;"],
        &["~Extensions: ,"],
        &["~Extensions: a", "~Extensions:"],
        &["~Extensions: permessage-deflate"],
    ],
];

/// The hosts of a server, the host of a request, and whether the server answers it over http, over https, and with an
/// unknown scheme.
const HOSTS: &[(&[&str], &str, [bool; 3])] = &[
    (&[], "anything.example:1", [true; 3]),
    (&["a.example"], "a.example", [true; 3]),
    (&["a.example"], "A.EXAMPLE:1", [true; 3]),
    (&["a.example:"], "a.example:443", [true; 3]),
    (&["b.example", "A.Example"], "a.example", [true; 3]),
    (&["a.example:8080"], "a.example:8080", [true; 3]),
    (&["A.example:8080"], "a.Example:8080", [true; 3]),
    (&["[::1]"], "[::1]:9000", [true; 3]),
    (&["[::a]:9000"], "[::A]:9000", [true; 3]),
    (&["127.0.0.1"], "127.0.0.1", [true; 3]),
    // Without a port, the scheme's default port counts.
    (&["a.example:80"], "a.example", [true, false, true]),
    (&["a.example:443"], "a.example:", [false, true, true]),
    (&["a.example:80"], "a.example:80", [true; 3]),
    (&["a.example:80"], "a.example:443", [false; 3]),
    (&["a.example:8080"], "a.example", [false; 3]),
    (&["a.example:8080"], "a.example:8081", [false; 3]),
    (&["a.example", "b.example:1"], "b.example:2", [false; 3]),
    (&["a.example"], "evil.example", [false; 3]),
    (&["a.example"], "a.example.evil.example", [false; 3]),
    (&["a.example"], "sub.a.example", [false; 3]),
    (&["a.example"], "a.example.", [false; 3]),
    (&["*.example"], "a.example", [false; 3]),
    (&["[::1]"], "[::2]", [false; 3]),
    (&["localhost"], "127.0.0.1", [false; 3]),
    // An invalid host matches no request.
    (&["", "::1", "https://a.example"], "a.example", [false; 3]),
    (&["a b"], "a.example", [false; 3]),
];

/// Makes a head from the lines and the edits. `-Name` removes a header, `=` replaces the start line, and any other edit
/// is a line to add. `~` is short for `Sec-WebSocket-`.
fn head(lines: &[&str], edits: &[&str]) -> String {
    let mut lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    for edit in edits {
        let edit = edit.replace('~', "Sec-WebSocket-");
        if let Some(name) = edit.strip_prefix('-') {
            let before = lines.len();
            lines.retain(|line| !line.starts_with(&format!("{name}:")));
            assert!(lines.len() < before, "no header {name}");
        } else if let Some(start) = edit.strip_prefix('=') {
            start.clone_into(&mut lines[0]);
        } else {
            lines.push(edit);
        }
    }
    lines.join("\r\n") + "\r\n\r\n"
}
/// The start line and the headers, as another HTTP library reads them.
fn split_head(head: &str) -> (&str, Vec<Header<'_>>) {
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap();
    let headers = lines
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| Header {
            name,
            value: value.trim().as_bytes(),
        })
        .collect();
    (start, headers)
}

fn values<'h>(headers: &[Header<'h>], name: &str) -> Vec<&'h [u8]> {
    headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
        .collect()
}

/// The status, the headers and the body of a whole response.
fn split_message(bytes: &[u8]) -> (u16, Vec<Header<'_>>, &str) {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (start, headers) = split_head(head);
    let status = start.strip_prefix("HTTP/1.1 ").unwrap();
    (status[..3].parse().unwrap(), headers, body)
}

/// Reads the request in these bytes.
fn read(buffer: &mut ReadBuffer, bytes: impl AsRef<[u8]>) -> Request<'_> {
    buffer.extend_from_slice(bytes.as_ref());
    let mut handshake = ServerHandshake::new(&Config::default());
    handshake.read_request(buffer).unwrap().unwrap()
}

fn seed() -> Seed {
    Seed::new([7; 32])
}
/// The output of a server, and the events after the request.
type Talk = (Vec<u8>, Vec<OwnedEvent>);

/// The result of a server for a stream, or `None` if it needs more bytes.
type Served = Result<Option<Talk>, RequestError>;

/// Serves with `read_request` and with `accept`. Both must give the same result.
fn serve(bytes: &[u8], cuts: &[usize], options: &ServerOptions<'_>) -> Served {
    let served = serve_in_parts(bytes, cuts, options);
    match (&served, serve_in_one_step(bytes, cuts, options)) {
        (Ok(None), None) => {}
        (Ok(Some(expected)), Some((true, found))) => assert_eq!(found, *expected),
        (Err(error), Some((false, found))) => assert_eq!(found, (error.response(), vec![])),
        (served, found) => panic!("{served:?} but {found:?}"),
    }
    served
}

fn serve_in_parts(bytes: &[u8], cuts: &[usize], options: &ServerOptions<'_>) -> Served {
    let mut handshake = ServerHandshake::new(&options.config);
    let mut buffer = ReadBuffer::new();
    let mut pieces = cuts_at(bytes, cuts);
    let connection = loop {
        let Some(piece) = pieces.next() else {
            return Ok(None);
        };
        buffer.extend_from_slice(piece);
        match handshake.read_request(&mut buffer) {
            Ok(None) => {}
            Ok(Some(request)) => break request.accept(options)?,
            Err(error) => {
                let again = handshake.read_request(&mut buffer).map(|r| r.is_some());
                assert_eq!(again, Err(error), "an error repeats itself");
                return Err(error);
            }
        }
    };
    Ok(Some(talk(connection, buffer, pieces)))
}

/// Returns whether the connection is open, its output and its events.
fn serve_in_one_step(
    bytes: &[u8],
    cuts: &[usize],
    options: &ServerOptions<'_>,
) -> Option<(bool, Talk)> {
    let mut handshake = ServerHandshake::new(&options.config);
    let mut buffer = ReadBuffer::new();
    let mut pieces = cuts_at(bytes, cuts);
    let connection = pieces.find_map(|piece| {
        buffer.extend_from_slice(piece);
        // There are no deadlines, so any time will do.
        handshake.accept(&mut buffer, options, Duration::MAX)
    })?;
    Some((connection.can_send(), talk(connection, buffer, pieces)))
}

/// Takes the events from the buffer and from the other pieces.
fn talk<'a>(
    connection: Connection,
    buffer: ReadBuffer,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Talk {
    let mut peer = Peer::with(connection, buffer);
    peer.take_events();
    pieces.for_each(|piece| peer.receive(piece));
    assert_eq!(peer.error, None);
    (peer.connection.output().to_vec(), peer.events)
}

/// Serves the stream cut in each way of `every_cut`. All results must be equal.
fn serve_cut(bytes: &[u8], options: &ServerOptions<'_>) -> Served {
    let whole = serve(bytes, &[], options);
    for cuts in every_cut(bytes.len()) {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(
            serve(bytes, &cuts, options),
            whole,
            "{text:?} cut at {cuts:?}"
        );
    }
    whole
}

/// The headers of the 101, without the Upgrade, Connection and Sec-WebSocket-Accept that it must have.
fn opened<'a>(served: &'a Served, what: &str) -> Vec<Header<'a>> {
    let Ok(Some((output, _))) = served else {
        panic!("{what}: {served:?}");
    };
    let (status, mut headers, body) = split_message(output);
    assert_eq!((status, body), (101, ""), "{what}");
    assert_eq!(values(&headers, "Upgrade"), [b"websocket"], "{what}");
    assert_eq!(values(&headers, "Connection"), [b"Upgrade"], "{what}");
    assert_eq!(values(&headers, "Sec-WebSocket-Accept").len(), 1, "{what}");
    headers.retain(|h| !["Upgrade", "Connection", "Sec-WebSocket-Accept"].contains(&h.name));
    headers
}

/// Configurations without and with compression.
fn configs() -> Vec<Config> {
    let plain = Config::default();
    #[cfg(feature = "deflate")]
    {
        let deflate = Config::new().with_deflate(sockless::Deflate::default());
        vec![plain, deflate]
    }
    #[cfg(not(feature = "deflate"))]
    vec![plain]
}

fn client(options: &ClientOptions<'_>) -> ClientHandshake {
    let uri = Uri::parse("ws://example.com/chat").unwrap();
    ClientHandshake::new(&uri, options, seed()).unwrap()
}
