//! What errors say to people, and what is never shown to them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::error::Error;

use sockless::handshake::{
    ClientHandshake, ClientOptions, HeadError, Header, InputError, RequestError, Response,
    ResponseError, ServerHandshake, ServerOptions, Uri, extended_connect,
};
use sockless::{
    CloseCode, CloseFrame, Config, Connection, Event, ProtocolError, ReadBuffer, Seed, SendError,
    SharedMessage,
};

const VIOLATIONS: &[(ProtocolError, u16)] = &[
    (ProtocolError::ReservedBits, 1002),
    (ProtocolError::ReservedOpcode(0xb), 1002),
    (ProtocolError::UnmaskedFrame, 1002),
    (ProtocolError::MaskedFrame, 1002),
    (ProtocolError::FragmentedControlFrame, 1002),
    (ProtocolError::ControlFrameTooLong, 1002),
    (ProtocolError::LengthNotMinimal, 1002),
    (ProtocolError::LengthTooLarge, 1002),
    (ProtocolError::UnexpectedContinuation, 1002),
    (ProtocolError::ExpectedContinuation, 1002),
    (ProtocolError::InvalidUtf8, 1007),
    (ProtocolError::CloseTooShort, 1002),
    (ProtocolError::InvalidCloseCode(CloseCode::new(1005)), 1002),
    (ProtocolError::InvalidCloseReason, 1007),
    (ProtocolError::FrameTooLarge, 1009),
    #[cfg(feature = "deflate")]
    (ProtocolError::CorruptCompression, 1007),
    (ProtocolError::MessageTooLarge, 1009),
];

const REQUESTS: &[(RequestError, u16)] = &[
    (RequestError::MalformedHead, 400),
    (RequestError::StartLineTooLong, 414),
    (RequestError::HeadTooLarge, 431),
    (RequestError::TooManyHeaders, 431),
    (RequestError::UnsupportedHttpVersion, 505),
    (RequestError::Http10, 505),
    (RequestError::Host, 400),
    (RequestError::Misdirected, 421),
    (RequestError::Target, 400),
    (RequestError::Method, 405),
    (RequestError::NotAnUpgrade, 426),
    (RequestError::ConnectionHeader, 400),
    (RequestError::Body, 400),
    (RequestError::MissingVersion, 400),
    (RequestError::UnsupportedVersion, 426),
    (RequestError::Key, 400),
    (RequestError::DuplicateOrigin, 400),
    (RequestError::Origin, 403),
    (RequestError::Subprotocols, 400),
    (RequestError::NoCommonSubprotocol, 400),
    (RequestError::Extensions, 400),
    (RequestError::Timeout, 408),
];

/// Each says something else, and where the rule stands.
fn all_differ_and_cite(errors: &[&dyn Error]) {
    let texts: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), errors.len(), "{texts:?}");
    for text in texts {
        let (what, place) = text.split_once(" (RFC ").unwrap_or_default();
        assert!(what.len() > 5, "{text}");
        assert!(
            place.contains(" section ") && place.ends_with(')'),
            "{text}"
        );
    }
}

#[test]
fn a_violation_says_what_is_wrong_and_where_the_rule_stands() {
    let errors: Vec<&dyn Error> = VIOLATIONS.iter().map(|(error, _)| error as _).collect();
    all_differ_and_cite(&errors);
    for (error, code) in VIOLATIONS {
        assert_eq!(u16::from(error.close_code()), *code, "{error}");
        let place = format!(" section {})", error.section());
        assert!(error.to_string().ends_with(&place), "{error}");
    }
    let opcode = ProtocolError::ReservedOpcode(0xb).to_string();
    assert_eq!(opcode, "reserved opcode 0xb (RFC 6455 section 5.2)");
    let code = ProtocolError::InvalidCloseCode(CloseCode::new(1005)).to_string();
    assert_eq!(code, "invalid close code 1005 (RFC 6455 section 7.4)");
    #[cfg(feature = "deflate")]
    assert_eq!(
        ProtocolError::CorruptCompression.to_string(),
        "corrupt compressed message (RFC 7692 section 7.2.2)"
    );
}

#[test]
fn a_refused_request_says_what_is_wrong_in_its_answer() {
    let errors: Vec<&dyn Error> = REQUESTS.iter().map(|(error, _)| error as _).collect();
    all_differ_and_cite(&errors);
    for (error, status) in REQUESTS {
        assert_eq!(error.status(), *status, "{error}");
        let answer = String::from_utf8(error.response()).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        if *error == RequestError::Method {
            // RFC 9110 section 9.3.2: it may be the answer to a HEAD.
            assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        } else {
            assert!(answer.ends_with(&format!("\r\n\r\n{error}\n")), "{answer}");
        }
    }
}

/// The answers to a refused request in the types of the http crate, in both openings.
#[cfg(feature = "http")]
#[test]
fn a_refused_request_is_answered_alike_by_an_http_library() {
    use sockless::handshake::extended_connect::refusal;
    for (error, status) in REQUESTS {
        let answer = String::from_utf8(error.response()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let lines = head.split("\r\n").skip(1);
        let written: BTreeSet<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            // How long it is, and what becomes of the transport, is for the library to say.
            .filter(|(name, _)| *name != "Content-Length")
            .map(|(name, value)| (name.to_lowercase(), value.trim_end_matches("close")))
            .map(|(name, value)| (name, value.trim_end_matches(", ").to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let pairs = |response: &http::Response<Vec<u8>>| -> BTreeSet<(String, String)> {
            let headers = response.headers().iter();
            headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect()
        };
        let response = error.to_http();
        assert_eq!(response.status(), *status, "{error}");
        assert_eq!(response.body(), body.as_bytes(), "{error}");
        assert_eq!(pairs(&response), written, "{error}");

        let response = error.to_http2();
        let (status, headers) = refusal(*error);
        assert_eq!(response.status(), status, "{error}");
        assert_eq!(response.body(), body.as_bytes(), "{error}");
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        let mut expected: BTreeSet<_> = headers
            .iter()
            .map(|header| (header.name.to_owned(), text(header.value)))
            .collect();
        expected.insert(("content-type".into(), "text/plain; charset=utf-8".into()));
        assert_eq!(pairs(&response), expected, "{error}");
    }
}

#[test]
fn the_other_errors_say_what_is_wrong() {
    all_differ_and_cite(&[
        &ResponseError::HeadTooLarge,
        &ResponseError::NotAnUpgrade,
        &ResponseError::Accept,
        &ResponseError::MalformedExtensions,
        &ResponseError::ExtensionNotOffered,
        &ResponseError::ExtensionParameters,
        &ResponseError::Subprotocol,
        &ResponseError::Timeout,
    ]);
    all_differ_and_cite(&[
        &InputError::Uri,
        &InputError::Host,
        &InputError::HeaderName,
        &InputError::HeaderValue,
        &InputError::ReservedHeader,
        &InputError::Subprotocol,
        &InputError::Status,
    ]);
    all_differ_and_cite(&[
        &SendError::MessageOpen,
        &SendError::ControlFrameTooLong,
        &SendError::InvalidCloseCode(CloseCode::new(999)),
    ]);
    let full = SendError::Full.to_string();
    assert_eq!(full, "the output is full");
    let closed = SendError::Closed.to_string();
    assert_eq!(closed, "the connection is closing or closed");
}

#[test]
fn a_close_code_shows_its_number_and_its_registered_meaning() {
    let mut meanings = BTreeSet::new();
    for code in 1000..=1015 {
        let text = CloseCode::new(code).to_string();
        // RFC 6455 section 7.4.1: 1004 is reserved and has no meaning.
        let Some((number, meaning)) = text.split_once(" (") else {
            assert_eq!((code, text.as_str()), (1004, "1004"));
            continue;
        };
        assert_eq!(number, code.to_string());
        meanings.insert(meaning.to_owned());
    }
    assert_eq!(meanings.len(), 15, "{meanings:?}");
    assert_eq!(CloseCode::new(4000).to_string(), "4000");
    assert!(format!("{:?}", CloseCode::NORMAL).contains("1000"));
}

/// Whoever knows a seed can predict every masking key (RFC 6455 section 10.3).
#[test]
fn seeds_and_keys_are_not_shown() {
    assert_eq!(format!("{:?}", Seed::new([0x5a; 32])), "Seed { .. }");
    let client = Connection::client(&Config::default(), Seed::new([0x5a; 32]));
    assert!(format!("{client:?}").contains("MaskingKeys { .. }"));
}

/// In everything that one side says or is told.
const SECRET: &str = "s3cret";

/// Logs may hold the `Debug` form of any public type. It shows states and sizes, never content: neither as text nor as
/// a list of bytes.
#[track_caller]
fn shows_no_secret(value: &dyn std::fmt::Debug) {
    let bytes = SECRET.as_bytes();
    let (numbers, hex) = (format!("{bytes:?}"), format!("{bytes:x?}"));
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!shown.contains(SECRET), "{shown}");
        let squeezed: String = shown.split_whitespace().collect();
        for list in [&numbers, &hex] {
            let list: String = list.trim_matches(['[', ']']).split_whitespace().collect();
            assert!(!squeezed.contains(&list), "{shown}");
        }
        assert!(shown.len() > 1, "there is something to see");
    }
}

#[test]
fn no_debug_shows_content_of_messages() {
    let mut config = Config::default();
    config.max_unsent_pongs = 0;
    let mut connection = Connection::server(&config);
    let mut buffer = ReadBuffer::new();
    let shared = SharedMessage::text(&SECRET.repeat(1000));
    connection.send_text(SECRET).unwrap();
    // What has been written stays in the memory of the output.
    connection.advance_output(connection.output_len() - 1);
    connection.send_shared(&shared).unwrap();
    connection.send_text_fragment(SECRET, false).unwrap();
    connection.send_ping(SECRET.as_bytes()).unwrap();
    shows_no_secret(&shared);
    shows_no_secret(&connection);

    // Pings without room for their Pongs, half a text message, then a Close frame.
    for first in [0x89, 0x89, 0x89, 0x01] {
        buffer.extend_from_slice(&[first, 0x80 + 6, 0, 0, 0, 0]);
        buffer.extend_from_slice(SECRET.as_bytes());
    }
    while let Some(event) = connection.next_event(&mut buffer).unwrap() {
        shows_no_secret(&event);
    }
    shows_no_secret(&buffer);
    buffer.extend_from_slice(b"\x88\x88\0\0\0\0\x03\xe8");
    buffer.extend_from_slice(SECRET.as_bytes());
    shows_no_secret(&buffer);
    while let Some(event) = connection.next_event(&mut buffer).unwrap() {
        shows_no_secret(&event);
    }
    let ending = connection.close_event().unwrap();
    assert_eq!(ending.reason, SECRET);
    shows_no_secret(&ending);
    shows_no_secret(&connection);
    for event in [
        Event::Text {
            text: SECRET,
            fin: true,
        },
        Event::Binary {
            data: SECRET.as_bytes(),
            fin: false,
        },
        Event::Ping(SECRET.as_bytes()),
        Event::Pong(SECRET.as_bytes()),
        Event::Close(CloseFrame {
            code: CloseCode::NORMAL,
            reason: SECRET,
        }),
    ] {
        shows_no_secret(&event);
    }

    let mut connection = Connection::server(&Config::default());
    let mut outgoing = connection.send_text_borrowed(SECRET).unwrap();
    shows_no_secret(&outgoing);
    outgoing.advance(3);
    shows_no_secret(&outgoing);
    drop(outgoing);
    shows_no_secret(&connection);
    shows_no_secret(&Connection::refused(SECRET.into(), &Config::default()));
}

#[test]
fn no_debug_shows_credentials() {
    let text = format!("wss://example.com/{SECRET}?token={SECRET}");
    let uri = Uri::parse(&text).unwrap();
    shows_no_secret(&uri);
    let name = "authorization";
    let headers = [Header {
        name,
        value: SECRET.as_bytes(),
    }];
    let protocols = ["chat", SECRET];
    let mut options = ClientOptions::default();
    options.headers = &headers;
    options.subprotocols = &protocols;
    shows_no_secret(&headers);
    shows_no_secret(&options);
    let mut client = ClientHandshake::new(&uri, &options, Seed::new([1; 32])).unwrap();
    shows_no_secret(&client);
    let mut stream = ClientHandshake::extended_connect(&uri, &options, Seed::new([1; 32])).unwrap();
    shows_no_secret(&stream);
    shows_no_secret(&Request::extended_connect(stream.headers()));

    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(client.request());
    let mut reader = ServerHandshake::new(&Config::default());
    let request = reader.read(&mut buffer).unwrap().unwrap();
    assert_eq!(request.header(name), Some(SECRET.as_bytes()));
    shows_no_secret(&request);
    let mut handshake = request.negotiate(&ServerOptions::default()).unwrap();
    handshake
        .add_header(Header {
            name: "Set-Cookie",
            value: SECRET.as_bytes(),
        })
        .unwrap();
    shows_no_secret(&handshake);
    shows_no_secret(&handshake.accept());
    shows_no_secret(&reader);

    let answer = format!("HTTP/1.1 401 No\r\nSet-Cookie: {SECRET}\r\n\r\n{SECRET}");
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(answer.as_bytes());
    let opening = client.read_response(&mut buffer).unwrap().unwrap();
    shows_no_secret(&opening);
    let cookie = Header {
        name: "set-cookie",
        value: SECRET.as_bytes(),
    };
    shows_no_secret(&stream.establish(Response::new(200, vec![cookie])).unwrap());
}

/// A shown buffer says how much there is.
#[test]
fn a_read_buffer_shows_its_lengths() {
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(&[0x81, 0x85, 0x37, 0xfa]);
    let shown = format!("{buffer:?}");
    assert!(
        shown.starts_with("ReadBuffer { unread: 4, held: 0, capacity: "),
        "{shown}"
    );
}

#[cfg(feature = "deflate")]
#[test]
fn codecs_show_what_is_there() {
    let codecs = format!("{:?}", sockless::Codecs::new());
    assert_eq!(codecs, "Codecs { inflater: false, deflater: false }");
}
