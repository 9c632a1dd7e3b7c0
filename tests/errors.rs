//! The texts of errors, and the secrets that no text shows.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, InputError, Request, RequestError, Response,
    ResponseError, ServerHandshake, ServerOptions, Uri,
};
use sockless::test_util::{Frame, Role};
use sockless::{
    CloseCode, CloseFrame, Config, Connection, Deadlines, Event, Initiator, OwnedEvent,
    ProtocolError, ReadBuffer, Seed, SendError, SharedMessage, Timeout,
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
    (RequestError::Input(InputError::HeaderName), 500),
];

const INPUTS: &[InputError] = &[
    InputError::Uri,
    InputError::Host,
    InputError::HeaderName,
    InputError::HeaderValue,
    InputError::ReservedHeader,
    InputError::Subprotocol,
    InputError::Status,
];

/// Asserts that all texts differ and cite a section of an RFC.
fn all_differ_and_cite(errors: &[&dyn Error]) {
    let texts: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), errors.len(), "{texts:?}");
    for text in texts {
        let (what, place) = text.split_once(" (RFC ").unwrap_or_default();
        assert!(what.len() > 5, "{text}");
        let is_section = place.contains(" section ") && place.ends_with(')');
        assert!(is_section, "{text}");
    }
}

#[test]
fn a_violation_names_the_fault_and_the_section() {
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
fn the_answer_to_a_refused_request_has_its_text() {
    let errors: Vec<&dyn Error> = REQUESTS.iter().map(|(error, _)| error as _).collect();
    all_differ_and_cite(&errors);
    for (error, status) in REQUESTS {
        assert_eq!(error.status(), *status, "{error}");
        let answer = String::from_utf8(error.response()).unwrap();
        let line = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&line), "{answer}");
        let end = match error {
            // RFC 9110 section 9.3.2: the request may be a HEAD, so the answer has no body.
            RequestError::Method | RequestError::Host => "\r\n\r\n",
            _ => &format!("\r\n\r\n{error}\n"),
        };
        assert!(answer.ends_with(end), "{answer}");
    }
}

/// The answer tells the client only that the server is at fault. `Debug` tells the operator which option is wrong.
#[test]
fn only_debug_shows_the_fault_of_a_server() {
    let answer = RequestError::Input(InputError::HeaderName).response();
    for input in INPUTS {
        let error = RequestError::Input(*input);
        assert_eq!((error.status(), error.over_http2()), (500, (500, &[][..])));
        assert_eq!(error.response(), answer, "{input}");
        assert!(!error.to_string().contains(&input.to_string()), "{input}");
        assert_eq!(format!("{error:?}"), format!("Input({input:?})"));
    }
}

/// RFC 9113 section 8.2.2: HTTP/2 has no Upgrade and no other header of a connection.
#[test]
fn a_refused_request_is_answered_over_http2() {
    for (error, status) in REQUESTS {
        let (expected, name): (u16, Option<(&str, &[u8])>) = match error {
            RequestError::NotAnUpgrade => (501, None),
            RequestError::Method => (405, Some(("allow", b"CONNECT"))),
            RequestError::UnsupportedVersion => (400, Some(("sec-websocket-version", b"13"))),
            _ => (*status, None),
        };
        let (status, headers) = error.over_http2();
        assert_eq!(status, expected, "{error}");
        let headers: Vec<_> = headers.iter().map(|it| (it.name, it.value)).collect();
        assert_eq!(headers, name.into_iter().collect::<Vec<_>>(), "{error}");
    }
}

/// The answers in the types of the crate `http` have the same status, headers and body, in both opening handshakes.
#[cfg(feature = "http")]
#[test]
fn a_refused_request_gets_the_same_answer_from_an_http_library() {
    for (error, status) in REQUESTS {
        let answer = String::from_utf8(error.response()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let lines = head.split("\r\n").skip(1);
        let written: BTreeSet<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            // The library writes the length of the body and closes the transport.
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

        // RFC 9220 section 3: HTTP/3 has the same.
        for response in [error.to_http2(), error.to_http3()] {
            let (status, headers) = error.over_http2();
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
}

#[test]
fn the_other_errors_cite_a_section() {
    all_differ_and_cite(&[
        &ResponseError::MalformedHead,
        &ResponseError::StartLineTooLong,
        &ResponseError::HeadTooLarge,
        &ResponseError::TooManyHeaders,
        &ResponseError::UnsupportedHttpVersion,
        &ResponseError::NotAnUpgrade,
        &ResponseError::Accept,
        &ResponseError::MalformedExtensions,
        &ResponseError::ExtensionNotOffered,
        &ResponseError::ExtensionParameters,
        &ResponseError::Subprotocol,
        &ResponseError::Refused(403),
        &ResponseError::Refused(999),
        &ResponseError::Timeout,
    ]);
    let inputs: Vec<&dyn Error> = INPUTS.iter().map(|error| error as _).collect();
    all_differ_and_cite(&inputs);
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

/// Returns the text of the close event after `happens`.
fn ending(happens: impl FnOnce(&mut Connection, &mut ReadBuffer)) -> String {
    let config = Config::new().with_deadlines(Deadlines::default());
    let mut connection = Connection::server(&config);
    let mut buffer = ReadBuffer::new();
    connection.handle_timeout(Duration::ZERO);
    happens(&mut connection, &mut buffer);
    while let Ok(Some(_)) = connection.next_event(&mut buffer) {}
    connection.close_event().unwrap().to_string()
}

/// The peer is silent, and all deadlines pass.
fn silence(connection: &mut Connection) {
    for _ in 0..10 {
        connection.advance_output(connection.output_len());
        connection.handle_timeout(connection.timeout_at().unwrap_or_default());
    }
}

#[test]
fn a_close_event_shows_its_code_its_initiator_and_its_cause() {
    for (payload, told) in [
        (
            &b"\x03\xe9bye"[..],
            "1001 (going away): \"bye\", by the peer",
        ),
        (b"\x03\xe8", "1000 (normal closure), by the peer"),
        (b"\x0f\xa0", "4000, by the peer"),
        (b"", "1005 (no status received), by the peer"),
    ] {
        let found = ending(|_, buffer| {
            buffer.extend_from_slice(&Frame::new(0x88, payload).encode(Role::Server));
        });
        assert_eq!(found, told);
    }
    let found = ending(|connection, buffer| {
        connection.close(CloseCode::NORMAL, "mine").unwrap();
        buffer.extend_from_slice(&Frame::close(1000, "theirs").encode(Role::Server));
    });
    assert_eq!(found, "1000 (normal closure): \"theirs\", by this side");
    let found = ending(|connection, _| connection.handle_eof());
    assert_eq!(found, "1006 (abnormal closure), by the transport");

    let violation = ProtocolError::ReservedOpcode(3);
    let reserved = [0x83, 0x80];
    let found = ending(|_, buffer| buffer.extend_from_slice(&reserved));
    let failed = format!("1006 (abnormal closure), by this side: {violation}");
    assert_eq!(found, failed);
    // A later timeout follows the violation in the text.
    let found = ending(|connection, buffer| {
        buffer.extend_from_slice(&reserved);
        connection.next_event(buffer).unwrap_err();
        silence(connection);
    });
    assert_eq!(found, format!("{failed}: {}", Timeout::EndOfStream));

    let found = ending(|connection, _| silence(connection));
    let told = "1006 (abnormal closure), by the transport: no answer to a Ping in time";
    assert_eq!(found, told);
    let found = ending(|connection, _| {
        connection.close(CloseCode::NORMAL, "").unwrap();
        silence(connection);
    });
    let told = "1006 (abnormal closure), by this side: no Close frame in time";
    assert_eq!(found, told);
}

/// The peer chooses the reason. So its control characters must not reach a log or a terminal.
#[test]
fn a_reason_is_shown_without_control_characters() {
    let reason = "line\r\n\x1b[31m\u{9b}\u{202e}\u{2028}\0\"";
    let found = ending(|_, buffer| {
        buffer.extend_from_slice(&Frame::close(1000, reason).encode(Role::Server));
    });
    assert!(found.starts_with("1000 (normal closure): \"line\\r\\n"));
    assert!(found.ends_with("\\\"\", by the peer"), "{found}");
    assert!(found.is_ascii() && !found.contains(char::is_control));
}

#[test]
fn timeouts_and_initiators_have_texts() {
    let end_of_stream = Timeout::EndOfStream.to_string();
    for (words, expected) in [
        (Timeout::Pong.to_string(), "no answer to a Ping in time"),
        (Timeout::Close.to_string(), "no Close frame in time"),
        (end_of_stream, "no end of the stream in time"),
        (Initiator::Local.to_string(), "by this side"),
        (Initiator::Peer.to_string(), "by the peer"),
        (Initiator::Transport.to_string(), "by the transport"),
    ] {
        assert_eq!(words, expected);
    }
}

/// A seed predicts every masking key (RFC 6455 section 10.3).
#[test]
fn seeds_and_keys_are_not_shown() {
    assert_eq!(format!("{:?}", Seed::new([0x5a; 32])), "Seed { .. }");
    let client = Connection::client(&Config::default(), Seed::new([0x5a; 32]));
    assert!(format!("{client:?}").contains("MaskingKeys { .. }"));
}

/// The content of every message, header and path here.
const SECRET: &str = "s3cret";

/// Asserts that the `Debug` form shows no content, neither as text nor as a list of bytes. Logs may have the `Debug`
/// form of any public type.
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
        assert!(shown.len() > 1, "it is not empty");
    }
}

/// The bytes of a frame whose masking key is 0, so the buffer has the secret itself.
fn unmasked(frame: &Frame) -> Vec<u8> {
    let mut frame = frame.clone();
    frame.masking_key = [0; 4];
    frame.encode(Role::Server)
}

#[test]
fn debug_shows_no_content_of_messages() {
    let config = Config::new().with_max_unsent_pongs(0);
    let mut connection = Connection::server(&config);
    let mut buffer = ReadBuffer::new();
    let shared = SharedMessage::text(&SECRET.repeat(1000));
    connection.send_text(SECRET).unwrap();
    // Written bytes stay in the memory of the output.
    connection.advance_output(connection.output_len() - 1);
    connection.send_shared(&shared).unwrap();
    connection.send_text_fragment(SECRET, false).unwrap();
    connection.send_ping(SECRET.as_bytes()).unwrap();
    shows_no_secret(&shared);
    shows_no_secret(&connection);

    // The output has no room for the Pongs. A text message is unfinished before the Close frame.
    for first in [0x89, 0x89, 0x89, 0x01] {
        buffer.extend_from_slice(&unmasked(&Frame::new(first, SECRET)));
    }
    while let Some(event) = connection.next_event(&mut buffer).unwrap() {
        shows_no_secret(&event);
    }
    shows_no_secret(&buffer);
    buffer.extend_from_slice(&unmasked(&Frame::close(1000, SECRET)));
    shows_no_secret(&buffer);
    while let Some(event) = connection.next_event(&mut buffer).unwrap() {
        shows_no_secret(&event);
    }
    let ending = connection.close_event().unwrap();
    assert_eq!(ending.reason, SECRET);
    shows_no_secret(&ending);
    shows_no_secret(&connection);
    let (text, data) = (SECRET, SECRET.as_bytes());
    let close = CloseFrame {
        code: CloseCode::NORMAL,
        reason: SECRET,
    };
    for event in [
        Event::Text { text, fin: true },
        Event::Binary { data, fin: false },
        Event::Ping(data),
        Event::Pong(data),
        Event::Close(close),
    ] {
        shows_no_secret(&event);
        shows_no_secret(&event.into_owned());
    }
    for (event, shown) in [
        (OwnedEvent::Text(SECRET.into()), "Text(6 B)"),
        (OwnedEvent::Binary(SECRET.into()), "Binary(6 B)"),
        (OwnedEvent::TextPart(SECRET.into()), "TextPart(6 B)"),
        (OwnedEvent::BinaryPart(SECRET.into()), "BinaryPart(6 B)"),
        (OwnedEvent::Ping(SECRET.into()), "Ping(6 B)"),
        (OwnedEvent::Pong(SECRET.into()), "Pong(6 B)"),
        (OwnedEvent::Close(1000, SECRET.into()), "Close(1000, 6 B)"),
    ] {
        shows_no_secret(&event);
        assert_eq!(format!("{event:?}"), shown);
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
fn debug_shows_no_credentials() {
    let text = format!("wss://example.com/{SECRET}?token={SECRET}");
    let uri = Uri::parse(&text).unwrap();
    shows_no_secret(&uri);
    let name = "authorization";
    let secret = |name| Header {
        name,
        value: SECRET.as_bytes(),
    };
    let headers = [secret(name)];
    let protocols = ["chat", SECRET];
    let options = ClientOptions::new()
        .with_headers(&headers)
        .with_subprotocols(&protocols);
    shows_no_secret(&headers);
    shows_no_secret(&options);
    let mut client = ClientHandshake::new(&uri, &options, Seed::new([1; 32])).unwrap();
    shows_no_secret(&client);
    let mut stream = ClientHandshake::extended_connect(&uri, &options, Seed::new([1; 32])).unwrap();
    shows_no_secret(&stream);
    shows_no_secret(&Request::extended_connect(stream.headers()));

    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(client.request());
    let mut server = ServerHandshake::new(&Config::default());
    let request = server.read_request(&mut buffer).unwrap().unwrap();
    assert_eq!(request.single_header(name), Some(SECRET.as_bytes()));
    shows_no_secret(&request);
    let cookies = [secret("Set-Cookie")];
    let options = ServerOptions::new().with_headers(&cookies);
    shows_no_secret(&options);
    let (response, connection) = request.negotiate(&options).unwrap();
    let cookie = response.single_header("set-cookie");
    assert_eq!(cookie, Some(SECRET.as_bytes()));
    shows_no_secret(&response);
    assert!(connection.output().ends_with(b"s3cret\r\n\r\n"));
    shows_no_secret(&connection);
    shows_no_secret(&server);
    // An unfinished head and its error show no secret, either.
    let mut server = ServerHandshake::new(&Config::default());
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(format!("GET /{SECRET} HTTP/1.1\r\n{SECRET}").as_bytes());
    assert_eq!(server.read_request(&mut buffer), Ok(None));
    shows_no_secret(&server);
    buffer.extend_from_slice(b"\r\n");
    shows_no_secret(&server.read_request(&mut buffer).unwrap_err());
    shows_no_secret(&server);

    let answer = format!("HTTP/1.1 401 No\r\nSet-Cookie: {SECRET}\r\n\r\n{SECRET}");
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(answer.as_bytes());
    let opening = client.read_response(&mut buffer).unwrap().unwrap();
    shows_no_secret(&opening);
    let response = Response::new(200, vec![secret("set-cookie")]);
    shows_no_secret(&stream.establish(response).unwrap());
}

#[test]
fn debug_of_a_read_buffer_shows_its_lengths() {
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(&[0x81, 0x85, 0x37, 0xfa]);
    let shown = format!("{buffer:?}");
    let expected = "ReadBuffer { unread: 4, held: 0, capacity: ";
    assert!(shown.starts_with(expected), "{shown}");
}

#[cfg(feature = "deflate")]
#[test]
fn debug_of_codecs_shows_which_codecs_they_hold() {
    let codecs = format!("{:?}", sockless::Codecs::new());
    assert_eq!(codecs, "Codecs { inflater: false, deflater: false }");
}
