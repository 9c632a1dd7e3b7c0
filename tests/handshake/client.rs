//! The request of a client, and its results for responses (RFC 6455 section 4.1).

use super::{client, head, seed, split_head, values};
use sockless::accept_key;
use sockless::handshake::{ClientHandshake, ClientOptions, Header, Response, ResponseError, Uri};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role, cuts_at, encode, every_cut};
use sockless::{ReadBuffer, Seed};

const RESPONSE: &[&str] = &[
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: %",
];

/// Makes a response to this client. `%` becomes the correct accept value.
fn response(client: &ClientHandshake, edits: &[&str]) -> String {
    let request = std::str::from_utf8(client.request()).unwrap();
    let (_, headers) = split_head(request);
    let accept = accept_key(values(&headers, "Sec-WebSocket-Key")[0]);
    head(RESPONSE, edits).replace('%', std::str::from_utf8(&accept).unwrap())
}

/// The result of a client for a stream.
#[derive(Debug, PartialEq, Eq)]
enum Opened {
    Waits,
    /// The headers, and the events after the response.
    Established(Vec<(String, Vec<u8>)>, Vec<OwnedEvent>),
    /// The status, the headers, and the bytes after the head.
    Refused(u16, Vec<(String, Vec<u8>)>, Vec<u8>),
    Failed(ResponseError),
}

fn owned(headers: &[Header<'_>]) -> Vec<(String, Vec<u8>)> {
    let owned = |header: &Header<'_>| (header.name.to_owned(), header.value.to_vec());
    headers.iter().map(owned).collect()
}

fn open(bytes: &[u8], cuts: &[usize], options: &ClientOptions<'_>) -> Opened {
    let mut handshake = client(options);
    let mut buffer = ReadBuffer::new();
    let mut pieces = cuts_at(bytes, cuts);
    let (connection, headers) = loop {
        let Some(piece) = pieces.next() else {
            return Opened::Waits;
        };
        buffer.extend_from_slice(piece);
        match handshake.read_response(&mut buffer) {
            Ok(None) => {}
            Ok(Some((response, Some(connection)))) => {
                assert_eq!((response.status(), response.body()), (101, &b""[..]));
                break (connection, owned(&response.headers()));
            }
            Ok(Some((response, None))) => {
                let (status, headers) = (response.status(), owned(&response.headers()));
                let body = response.body().to_vec();
                assert_eq!(buffer.unread(), body);
                // The application reads the rest of the body.
                pieces.for_each(|piece| buffer.extend_from_slice(piece));
                return Opened::Refused(status, headers, buffer.unread().to_vec());
            }
            Err(error) => return Opened::Failed(error),
        }
    };
    let mut peer = Peer::with(connection, buffer);
    peer.take_events();
    pieces.for_each(|piece| peer.receive(piece));
    assert_eq!((peer.error, peer.connection.output()), (None, &[][..]));
    Opened::Established(headers, peer.events)
}

/// Opens the connection with the stream cut in each way of `every_cut`. All results must be equal.
fn open_cut(bytes: &[u8], options: &ClientOptions<'_>) -> Opened {
    let whole = open(bytes, &[], options);
    for cuts in every_cut(bytes.len()) {
        let text = String::from_utf8_lossy(bytes);
        let opened = open(bytes, &cuts, options);
        assert_eq!(opened, whole, "{text:?} cut at {cuts:?}");
    }
    whole
}

#[test]
fn the_request_of_a_client() {
    let table = [
        ("ws://example.com", "GET / HTTP/1.1", "example.com"),
        ("ws://example.com:80/", "GET / HTTP/1.1", "example.com"),
        ("wss://example.com:443/a", "GET /a HTTP/1.1", "example.com"),
        ("ws://a.example:443/a", "GET /a HTTP/1.1", "a.example:443"),
        ("wss://a.example:80?q", "GET /?q HTTP/1.1", "a.example:80"),
        (
            "ws://[2001:db8::1]:9/a?b=c",
            "GET /a?b=c HTTP/1.1",
            "[2001:db8::1]:9",
        ),
        ("wss://[::1]/?", "GET /? HTTP/1.1", "[::1]"),
    ];
    let options = ClientOptions::new()
        .with_subprotocols(&["a", "b"])
        .with_origin("https://example.com")
        .with_headers(&[Header {
            name: "Cookie",
            value: b"c=1",
        }]);
    for (uri, start, host) in table {
        for (options, extra) in [(&ClientOptions::default(), false), (&options, true)] {
            let uri = Uri::parse(uri).unwrap();
            let handshake = ClientHandshake::new(&uri, options, seed()).unwrap();
            let request = std::str::from_utf8(handshake.request()).unwrap();
            let (line, headers) = split_head(request);
            assert_eq!(line, start);
            let key = values(&headers, "Sec-WebSocket-Key")[0];
            assert_eq!((key.len(), &key[22..]), (24, &b"=="[..]));
            let mut expected: Vec<(&str, &[u8])> = vec![
                ("Host", host.as_bytes()),
                ("Upgrade", b"websocket"),
                ("Connection", b"Upgrade"),
                ("Sec-WebSocket-Key", key),
                ("Sec-WebSocket-Version", b"13"),
            ];
            if extra {
                expected.push(("Origin", b"https://example.com"));
                expected.push(("Sec-WebSocket-Protocol", b"a, b"));
                expected.push(("Cookie", b"c=1"));
            }
            let headers: Vec<_> = headers.iter().map(|h| (h.name, h.value)).collect();
            assert_eq!(headers, expected);
        }
    }
}

/// Section 4.1, item 7: "the nonce MUST be selected randomly for each connection".
#[test]
fn the_key_follows_the_seed() {
    let uri = Uri::parse("ws://example.com").unwrap();
    let request = |seed| {
        let options = ClientOptions::default();
        let handshake = ClientHandshake::new(&uri, &options, Seed::new([seed; 32])).unwrap();
        handshake.request().to_vec()
    };
    assert_eq!(request(1), request(1));
    assert_ne!(request(1), request(2));
}

#[test]
fn the_client_accepts() {
    let table: &[&[&str]] = &[
        &[],
        // RFC 9112 section 4: the reason may be empty. Some servers leave out the space before it, too.
        &["=HTTP/1.1 101 "],
        &["=HTTP/1.1 101"],
        &["=HTTP/1.1 101 Web Socket Protocol Handshake"],
        &["-Upgrade", "upgrade: WebSocket"],
        &["-Connection", "Connection: keep-alive, upgrade"],
        &[
            "-Connection",
            "Connection: keep-alive",
            "CONNECTION: Upgrade",
        ],
        &["~Protocol: b"],
        &["Set-Cookie: a=1", "Set-Cookie: b=2"],
        // RFC 9112 section 6.3, item 1: a 101 ends with its head, even if a header announces a body.
        &["Content-Length: 0"],
        &["Content-Length: 7"],
        &["Transfer-Encoding: chunked"],
        &["Transfer-Encoding: chunked", "Content-Length: 1"],
        // RFC 9110 section 7.6.1: `close` is about the connection after this exchange. The WebSocket takes it over.
        &["-Connection", "Connection: close, Upgrade"],
        &["-Connection", "Connection: Upgrade, close"],
        &["Connection: close"],
    ];
    let options = ClientOptions::new().with_subprotocols(&["a", "b"]);
    for edits in table {
        // Frames in the same read as the 101 are delivered.
        let frames = [Frame::new(0x81, "early"), Frame::new(0x8a, "bird")];
        let head = response(&client(&options), edits);
        let bytes = [head.as_bytes(), &encode(&frames, Role::Client)].concat();
        let events = vec![OwnedEvent::text("early"), OwnedEvent::pong(b"bird")];
        let headers = owned(&split_head(&head).1);
        let opened = open_cut(&bytes, &options);
        assert_eq!(opened, Opened::Established(headers, events), "{edits:?}");
    }
}

/// RFC 9110 section 5.5: bytes over 0x7f in a value are opaque. They need not be UTF-8. RFC 9112 section 4 allows
/// them in a reason, too.
#[test]
fn a_response_may_have_bytes_over_0x7f() {
    let options = ClientOptions::default();
    let over = (0x80..=0xff).collect::<Vec<u8>>();
    let head = response(&client(&options), &["=HTTP/1.1 101 "]);
    let (start, rest) = head.split_once("\r\n").unwrap();
    let lines = [b"\r\nX-Latin: x", &over[..], b"\r\n"].concat();
    for reason in [&b""[..], &over] {
        let bytes = [start.as_bytes(), reason, &lines, rest.as_bytes()].concat();
        let Opened::Established(headers, _) = open_cut(&bytes, &options) else {
            panic!("{}", bytes.escape_ascii());
        };
        let value = [b"x", &over[..]].concat();
        assert_eq!(headers[0], ("X-Latin".to_owned(), value));
    }
}

/// RFC 6455 section 4.1, item 6: only "the use of a subprotocol that was not present" in the request is an error. An
/// empty value names no subprotocol.
#[test]
fn an_empty_subprotocol_in_a_response_is_none() {
    let mut options = ClientOptions::default();
    for offered in [&[][..], &["a", "b"]] {
        options.subprotocols = offered;
        let head = response(&client(&options), &["~Protocol: \t"]);
        let headers = owned(&split_head(&head).1);
        let opened = open_cut(head.as_bytes(), &options);
        assert_eq!(opened, Opened::Established(headers, vec![]), "{offered:?}");

        // A list of an HTTP library gets the same result, even if the library leaves white space in the value.
        for value in [&b""[..], b" \t"] {
            let mut handshake = client(&options);
            let head = response(&handshake, &["~Protocol:"]);
            let (_, mut headers) = split_head(&head);
            headers.last_mut().unwrap().value = value;
            let list = Response::new(101, headers);
            assert_eq!(list.subprotocol(), None);
            let (_, connection) = handshake.establish(list).unwrap();
            assert!(connection.is_some());
        }
    }
}

#[test]
fn the_client_refuses() {
    use ResponseError::{
        Accept, ExtensionNotOffered, MalformedExtensions, NotAnUpgrade, Subprotocol,
    };
    let malformed = ResponseError::MalformedHead;
    let http = ResponseError::UnsupportedHttpVersion;
    let table: &[(&[&str], ResponseError)] = &[
        (&["-Upgrade"], NotAnUpgrade),
        (&["-Upgrade", "Upgrade: h2c"], NotAnUpgrade),
        (&["-Connection"], NotAnUpgrade),
        (&["-Connection", "Connection: close"], NotAnUpgrade),
        (&["-~Accept"], Accept),
        (&["-~Accept", "~Accept:"], Accept),
        (
            &["-~Accept", "~Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
            Accept,
        ),
        (&["-~Accept", "~Accept: %%"], Accept),
        (&["~Accept: %"], Accept),
        (&["~Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], Accept),
        (&["~Extensions: permessage-deflate"], ExtensionNotOffered),
        (&["~Extensions: foo; bar=1"], ExtensionNotOffered),
        (&["~Extensions: ;"], MalformedExtensions),
        (&["~Extensions:"], MalformedExtensions),
        (&["~Protocol: c"], Subprotocol),
        (&["~Protocol: A"], Subprotocol),
        (&["~Protocol: ,"], Subprotocol),
        (&["~Protocol:", "~Protocol:"], Subprotocol),
        (&["~Protocol: a", "~Protocol:"], Subprotocol),
        (&["~Protocol: a, b"], Subprotocol),
        (&["~Protocol: a", "~Protocol: b"], Subprotocol),
        (&["~Protocol: a", "~Protocol: a"], Subprotocol),
        (&["=HTTP/1.0 101 Switching Protocols"], http),
        (&["=HTTP/2.0 101 Switching Protocols"], http),
        (&["=HTTP/1.1 000 What"], malformed),
        (&["=HTTP/1.1 099 What"], malformed),
        (&["=HTTP/1.1 6000 What"], malformed),
        (&["=HTTP/1.1 1010 What"], malformed),
        (&["=HTTP/1.1 x01 What"], malformed),
        (&["X: folded", " line"], malformed),
        (&["X : y"], malformed),
        (&["X: bare\nLF: y"], malformed),
        (&["X: bare\rcr"], malformed),
        (&["X: n\0l"], malformed),
        (&[": empty name"], malformed),
    ];
    let options = ClientOptions::new().with_subprotocols(&["a", "b"]);
    for &(edits, error) in table {
        let head = response(&client(&options), edits);
        let frame = Frame::new(0x81, "never delivered").encode(Role::Client);
        let bytes = [head.as_bytes(), &frame].concat();
        let opened = open_cut(&bytes, &options);
        assert_eq!(opened, Opened::Failed(error), "{edits:?}");
    }
    // The client offered no subprotocol.
    let options = ClientOptions::default();
    let head = response(&client(&options), &["~Protocol: a"]);
    let opened = open_cut(head.as_bytes(), &options);
    assert_eq!(opened, Opened::Failed(Subprotocol));
}

#[test]
fn the_head_of_a_response_is_limited() {
    let mut options = ClientOptions::default();
    let head = response(&client(&options), &["X: y"]);
    for (size, count, error) in [
        (head.len(), 4, None),
        (head.len() - 1, 4, Some(ResponseError::HeadTooLarge)),
        (20, 4, Some(ResponseError::StartLineTooLong)),
        (head.len(), 3, Some(ResponseError::TooManyHeaders)),
    ] {
        options.config.max_head_size = size;
        options.config.max_headers = count;
        let opened = open_cut(head.as_bytes(), &options);
        match error {
            None => assert!(matches!(opened, Opened::Established(..)), "{opened:?}"),
            Some(error) => assert_eq!(opened, Opened::Failed(error)),
        }
    }
}

#[test]
fn interim_responses_are_skipped() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n\
                   HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n";
    let options = ClientOptions::default();
    let head = response(&client(&options), &[]);
    let frame = Frame::new(0x81, "x").encode(Role::Client);
    let bytes = [interim.as_bytes(), head.as_bytes(), &frame].concat();
    let headers = owned(&split_head(&head).1);
    let expected = Opened::Established(headers, vec![OwnedEvent::text("x")]);
    assert_eq!(open_cut(&bytes, &options), expected);
    assert_eq!(open_cut(interim.as_bytes(), &options), Opened::Waits);
    // Interim responses must be well-formed.
    for bad in ["100 \r\nX : y", "100 \r\nX: \x01", "1ab "] {
        let bytes = format!("HTTP/1.1 {bad}\r\n\r\n");
        let failed = Opened::Failed(ResponseError::MalformedHead);
        assert_eq!(open_cut(bytes.as_bytes(), &options), failed, "{bad:?}");
    }
    // The limit is for each head, not for the sum.
    let mut options = ClientOptions::default();
    options.config.max_head_size = head.len();
    let many = [interim.repeat(50).as_bytes(), head.as_bytes()].concat();
    assert!(matches!(
        open(&many, &[], &options),
        Opened::Established(..)
    ));
}

/// RFC 9112 section 2.2 does not allow a server to send an empty line first. If a client skips the line, it must not
/// take an interim response for the final one.
#[test]
fn an_empty_line_does_not_turn_an_interim_response_into_a_final_one() {
    let bytes = b"\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let opened = open_cut(bytes, &ClientOptions::default());
    assert!(
        matches!(opened, Opened::Waits | Opened::Failed(_)),
        "{opened:?}"
    );
}

#[test]
fn every_other_status_is_an_outcome() {
    let table = [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.1 204 No Content", 204),
        ("HTTP/1.1 301 Moved Permanently", 301),
        ("HTTP/1.1 401 Unauthorized", 401),
        ("HTTP/1.1 404 ", 404),
        ("HTTP/1.1 503", 503),
        ("HTTP/1.0 400 Bad Request", 400),
        ("HTTP/1.1 599 Custom", 599),
        // RFC 9110 section 15: these are invalid. A client treats them as server errors.
        ("HTTP/1.1 600 What", 600),
        ("HTTP/1.1 700 ", 700),
        ("HTTP/1.0 999", 999),
    ];
    for (start, status) in table {
        let head = format!("{start}\r\nLocation: wss://b.example/\r\nX: \r\n\r\n");
        let bytes = [head.as_bytes(), b"the body\r\n\r\nso far"].concat();
        let headers = vec![
            ("Location".to_owned(), b"wss://b.example/".to_vec()),
            ("X".to_owned(), b"".to_vec()),
        ];
        assert_eq!(
            open_cut(&bytes, &ClientOptions::default()),
            Opened::Refused(status, headers, b"the body\r\n\r\nso far".to_vec()),
            "{start}"
        );
    }
}

#[test]
fn response_lists_get_the_same_result_as_bytes() {
    let options = ClientOptions::new().with_subprotocols(&["a"]);
    let table: &[&[&str]] = &[
        &[],
        &["-Upgrade"],
        &["-Connection"],
        &["-~Accept"],
        &["~Accept: %"],
        &["~Protocol: a"],
        &["~Protocol: b"],
        &["~Extensions: x"],
        &["=HTTP/1.1 404 Not Found"],
    ];
    for edits in table {
        let mut handshake = client(&options);
        let head = response(&handshake, edits);
        let (start, headers) = split_head(&head);
        let status = start[9..12].parse().unwrap();
        let list = Response::new(status, headers.clone());
        let list = match handshake.establish(list) {
            Ok((response, Some(_))) => Opened::Established(owned(&response.headers()), vec![]),
            Ok((response, None)) => {
                Opened::Refused(response.status(), owned(&response.headers()), vec![])
            }
            Err(error) => Opened::Failed(error),
        };
        assert_eq!(list, open(head.as_bytes(), &[], &options), "{edits:?}");
    }
}
