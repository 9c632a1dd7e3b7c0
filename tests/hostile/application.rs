//! An incident of the opening handshake: what the application passes on from somewhere else.

use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, InputError, Request, RequestError, ServerOptions, Uri,
};
use sockless::test_util::{OwnedEvent, Peer, Role};
use sockless::{CloseCode, Config, Seed};

use super::{REQUEST, buffer};

const BREAKS: [&str; 5] = [
    "\r\nInjected: 1",
    "\nInjected: 1",
    "\rInjected: 1",
    "\r\n\r\nGET /injected HTTP/1.1\r\n\r\n",
    "\0",
];

/// CVE-2026-1527: CR LF in a value that the application passed on began a new header line, or a new request.
/// Here it is a typed error in every place that takes such a value, and nothing is written.
#[test]
fn line_breaks_from_the_application_are_refused_everywhere() {
    let uri = Uri::parse("ws://a/").unwrap();
    for broken in BREAKS {
        let value = format!("a{broken}");
        // Host, port, path, query.
        for text in [
            format!("ws://{value}/"),
            format!("ws://a:80{broken}/"),
            format!("ws://a/{value}"),
            format!("ws://a/?{value}"),
        ] {
            assert_eq!(Uri::parse(&text), Err(InputError::Uri), "{text:?}");
        }
        // A client's options.
        let name = Header {
            name: &value,
            value: b"x",
        };
        let value_header = Header {
            name: "X",
            value: value.as_bytes(),
        };
        let (names, values, subprotocols) = ([name], [value_header], ["a", &*value]);
        let asked = [
            (in_client(&uri, &names, &[], None), InputError::HeaderName),
            (in_client(&uri, &values, &[], None), InputError::HeaderValue),
            (
                in_client(&uri, &[], &subprotocols, None),
                InputError::Subprotocol,
            ),
            (
                in_client(&uri, &[], &[], Some(&value)),
                InputError::HeaderValue,
            ),
        ];
        for (asked, error) in asked {
            assert_eq!(asked, Err(error), "{broken:?}");
        }

        // A server's answers.
        let mut buffer = buffer(REQUEST.as_bytes());
        let request = Request::read(&mut buffer, &Config::default()).unwrap();
        let request = request.unwrap();
        let mut handshake = request.negotiate(&ServerOptions::default()).unwrap();
        for (header, error) in [
            (name, InputError::HeaderName),
            (value_header, InputError::HeaderValue),
        ] {
            assert_eq!(request.respond(200, &[header], b""), Err(error));
            assert_eq!(handshake.add_header(header), Err(error));
        }
        assert!(!contains(handshake.accept().output(), b"Injected"));

        // A reason is no line of a head: it goes through as it is, and into one frame.
        for role in Role::BOTH {
            let mut connection = role.connection(Config::default());
            connection.close(CloseCode::NORMAL, &value).unwrap();
            assert_eq!(super::frame_headers(connection.output()).len(), 1);
            let mut peer = Peer::new(role.other(), Config::default());
            peer.receive(connection.output());
            assert_eq!(peer.events(), [OwnedEvent::close(1000, &value)]);
        }
    }
    // Encoded, they are no line breaks, and nobody decodes them.
    let uri = Uri::parse("ws://a/%0d%0aInjected:1?%0d%0a").unwrap();
    let handshake =
        ClientHandshake::new(&uri, &ClientOptions::default(), Seed::new([1; 32])).unwrap();
    let line = b"GET /%0d%0aInjected:1?%0d%0a HTTP/1.1\r\n";
    assert!(handshake.request().starts_with(line));
}

/// The same in a list of headers that an HTTP library let through, though the server should speak a subprotocol
/// of that very name.
#[test]
fn line_breaks_from_an_http_library_are_refused() {
    for broken in BREAKS {
        let value = format!("a{broken}");
        let subprotocols = ["a", &*value];
        for (name, error) in [
            ("sec-websocket-protocol", RequestError::Subprotocols),
            ("sec-websocket-extensions", RequestError::Extensions),
            ("sec-websocket-key", RequestError::Key),
            ("sec-websocket-version", RequestError::UnsupportedVersion),
            ("origin", RequestError::Origin),
        ] {
            let mut headers = vec![
                Header {
                    name: "host",
                    value: b"a",
                },
                Header {
                    name: "upgrade",
                    value: b"websocket",
                },
                Header {
                    name: "connection",
                    value: b"upgrade",
                },
                Header {
                    name: "sec-websocket-key",
                    value: b"dGhlIHNhbXBsZSBub25jZQ==",
                },
                Header {
                    name: "sec-websocket-version",
                    value: b"13",
                },
            ];
            headers.retain(|header| header.name != name);
            headers.push(Header {
                name,
                value: value.as_bytes(),
            });
            let mut options = ServerOptions::default();
            options.subprotocols = &subprotocols;
            let refused = Request::new("GET", "/", headers)
                .accept(&options)
                .unwrap_err();
            assert_eq!(refused, error, "{name}: {broken:?}");
            assert!(!contains(&refused.response(), b"njected"));
        }
    }
}

fn in_client(
    uri: &Uri<'_>,
    headers: &[Header<'_>],
    subprotocols: &[&str],
    origin: Option<&str>,
) -> Result<(), InputError> {
    let mut options = ClientOptions::default();
    options.headers = headers;
    options.subprotocols = subprotocols;
    options.origin = origin;
    ClientHandshake::new(uri, &options, Seed::new([1; 32])).map(drop)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Nothing that a request says stands in the answer that refuses it, where it could be taken for a header
/// or for a page.
#[test]
fn no_byte_of_a_refused_request_comes_back() {
    let marker = "MARKER";
    let heads = [
        REQUEST.replace("GET", marker),
        REQUEST.replace("GET /", &format!("GET {marker}")),
        REQUEST.replace("HTTP/1.1", marker),
        REQUEST.replace("Host: a", &format!("Host: a {marker}")),
        REQUEST.replace("Upgrade: websocket", &format!("Upgrade: {marker}")),
        REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", marker),
        REQUEST.replace("Version: 13", &format!("Version: {marker}")),
        super::request(&format!("Origin: http://{marker}\r\n")),
        super::request(&format!("Sec-WebSocket-Protocol: {marker} {marker}\r\n")),
        super::request(&format!("Sec-WebSocket-Extensions: {marker} {marker}\r\n")),
        super::request(&format!("Transfer-Encoding: {marker}\r\n")),
        super::request(&format!("{marker}\r\n")),
    ];
    for head in heads {
        assert!(head.contains(marker));
        let mut buffer = buffer(head.as_bytes());
        let refused = match Request::read(&mut buffer, &Config::default()) {
            Ok(request) => request
                .unwrap()
                .accept(&ServerOptions::default())
                .unwrap_err(),
            Err(error) => error,
        };
        assert!(
            !contains(&refused.response(), marker.as_bytes()),
            "{refused}"
        );
    }
}
