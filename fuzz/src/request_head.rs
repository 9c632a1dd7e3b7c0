//! A server that reads a request from any bytes, however they are cut, and gives every possible answer to it.

use std::time::Duration;

use sockless::handshake::{Header, Origins, Request, RequestError, ServerHandshake, ServerOptions};
use sockless::test_util::cuts_at;
use sockless::{Deadlines, Deflate, ReadBuffer};

use crate::head::{self, Clock, DEADLINE, Handshake, START, after_head};
use crate::input::Input;

type Outcome = head::Outcome<Head, RequestError>;

/// What the request says and what the server answers.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    method: String,
    target: String,
    headers: usize,
    answer: Result<Vec<u8>, RequestError>,
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    let bytes = input.bytes;
    let whole = read(&input, Clock::Unused, &[]);
    let places = input.places(bytes.len());
    assert_eq!(read(&input, Clock::Unused, &places), whole);
    assert_eq!(read(&input, Clock::Runs, &places), whole);
    // RFC 9112, section 2.2: empty lines may come before a request.
    let mut request = bytes;
    while let Some(rest) = request.strip_prefix(b"\r\n") {
        request = rest;
    }
    // The deadline sees new bytes by the number of unread bytes. A skipped empty line can hide them.
    if !bytes.starts_with(b"\r") {
        assert_eq!(read(&input, Clock::Late, &places), whole);
    }
    if let Outcome::Read(_, rest) = &whole {
        assert_eq!(Some(&rest[..]), after_head(request), "left as it came");
    }
    in_one_step(&input, &places, &whole);
}

/// Choice 0 requires a subprotocol, 1 accepts any origin, 2 sets small limits, 3 accepts compression.
fn options(input: &Input<'_>, clock: Clock) -> ServerOptions<'static> {
    let mut options = ServerOptions::new()
        .with_subprotocols(&["chat", "superchat"])
        .with_require_subprotocol(input.chooses(0));
    if input.chooses(1) {
        options.origins = Origins::Any;
    }
    if input.chooses(2) {
        options.config.max_head_size = 120;
        options.config.max_headers = 5;
    }
    options.config.deflate = input.chooses(3).then(Deflate::new);
    if clock != Clock::Unused {
        options.config.deadlines = Some(Deadlines::new());
    }
    options
}

fn read(input: &Input<'_>, clock: Clock, places: &[usize]) -> Outcome {
    let options = options(input, clock);
    let mut reader = Reader {
        handshake: ServerHandshake::new(&options.config),
        options,
    };
    head::read(&mut reader, clock, input.bytes, places)
}

struct Reader {
    handshake: ServerHandshake,
    options: ServerOptions<'static>,
}

impl Handshake for Reader {
    type Head = Head;
    type Error = RequestError;
    const TIMEOUT: RequestError = RequestError::Timeout;
    const HEAD: &'static [u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn read(&mut self, buffer: &mut ReadBuffer) -> Result<Option<Head>, RequestError> {
        let request = match self.handshake.read_request(buffer) {
            Ok(None) => return Ok(None),
            Ok(Some(request)) => request,
            Err(error) => {
                check_response(&error.response());
                return Err(error);
            }
        };
        let connection = request.accept(&self.options);
        let answer = connection.map(|connection| connection.output().to_vec());
        match &answer {
            Ok(answer) => check_accepted(&request, answer, &self.options),
            Err(error) => check_response(&error.response()),
        }
        check_echoes(&request);
        check_http2(&request, &self.options);
        Ok(Some(Head {
            method: request.method().to_owned(),
            target: request.target().to_owned(),
            headers: request.headers().len(),
            answer,
        }))
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), RequestError> {
        self.handshake.handle_timeout(now)
    }

    fn timeout_at(&self) -> Option<Duration> {
        self.handshake.timeout_at()
    }
}

/// [`ServerHandshake::accept`] gives the same answer in one step: a connection whose output begins with it.
fn in_one_step(input: &Input<'_>, places: &[usize], outcome: &Outcome) {
    let options = options(input, Clock::Runs);
    let mut handshake = ServerHandshake::new(&options.config);
    let mut buffer = ReadBuffer::new();
    let mut accept = |buffer: &mut ReadBuffer, now| {
        let connection = handshake.accept(buffer, &options, now)?;
        Some((connection.can_send(), connection.output().to_vec()))
    };
    let mut accepted = None;
    for piece in cuts_at(input.bytes, places) {
        buffer.extend_from_slice(piece);
        accepted = accepted.or_else(|| accept(&mut buffer, START));
    }
    let answer = match outcome {
        Outcome::Waits => None,
        Outcome::Failed(error) => Some(Err(*error)),
        Outcome::Read(head, _) => Some(head.answer.clone()),
    };
    let output = |answer: Result<Vec<u8>, RequestError>| match answer {
        Ok(answer) => (true, answer),
        Err(error) => (false, error.response()),
    };
    assert_eq!(accepted, answer.map(output));
    if let Outcome::Read(_, rest) = outcome {
        assert_eq!(buffer.unread(), rest);
    }
    if let Outcome::Waits = outcome {
        // Nothing comes in the one more turn after the deadline.
        assert_eq!(accept(&mut buffer, DEADLINE), None);
        let timeout = output(Err(RequestError::Timeout));
        assert_eq!(accept(&mut buffer, DEADLINE), Some(timeout));
    }
}

fn check_accepted(request: &Request<'_>, answer: &[u8], options: &ServerOptions<'_>) {
    check_response(answer);
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    let (agreed, connection) = request.negotiate(options).expect("it was accepted");
    assert_eq!((agreed.status(), connection.output()), (101, answer));
    // RFC 6455, section 4.2.2: a server chooses only what the client offers.
    if let Some(chosen) = agreed.subprotocol() {
        assert!(request.subprotocols().any(|offer| offer == chosen));
    }
}

/// The request over HTTP/2, as a gateway translates it, gets the same verdict. Only the rules of HTTP/1.1 do not count
/// there (RFC 8441, section 5).
fn check_http2(request: &Request<'_>, options: &ServerOptions<'_>) {
    let host = request.single_header("Host");
    let (Some(host), true) = (host, request.target().starts_with('/')) else {
        return;
    };
    let field = |name, value| Header { name, value };
    let mut fields = vec![
        field(":method", &b"CONNECT"[..]),
        field(":protocol", b"websocket"),
        field(":scheme", b"http"),
        field(":path", request.target().as_bytes()),
        field(":authority", host),
    ];
    let of_the_connection = ["Connection", "Upgrade", "Keep-Alive", "Proxy-Connection"];
    let others = request.headers().iter().copied();
    fields.extend(others.filter(|header| !of_the_connection.iter().any(|name| header.is(name))));
    let chosen = |request: &Request<'_>| {
        let (agreed, _) = request.negotiate(options)?;
        Ok(agreed.subprotocol().map(str::to_owned))
    };
    let http2 = chosen(&Request::extended_connect(fields));
    use RequestError::{Http10, Key, Method, NotAnUpgrade};
    match chosen(request) {
        Err(Http10 | Method | NotAnUpgrade | Key) => {}
        http1 => assert_eq!(http2, http1),
    }
    if let Err(error) = http2 {
        let (status, headers) = error.over_http2();
        assert!((400..600).contains(&status), "{error}");
        assert!(headers.iter().all(|header| !header.is("Upgrade")));
    }
}

/// A response that repeats the values of the request keeps its form.
fn check_echoes(request: &Request<'_>) {
    for header in request.headers() {
        let echo = Header {
            name: "X-Echo",
            value: header.value,
        };
        let Ok(response) = request.respond(200, &[echo, *header], b"body") else {
            continue;
        };
        check_response(&response);
        let lines = response.split(|byte| *byte == b'\n');
        let lines: Vec<&[u8]> = lines.map(<[u8]>::trim_ascii_end).collect();
        let line = |header: &Header<'_>| [header.name.as_bytes(), b": ", header.value].concat();
        assert_eq!(lines[1], line(&echo).trim_ascii_end());
        assert_eq!(lines[2], line(header).trim_ascii_end());
        assert!(lines[3].starts_with(b"Connection: "));
        let body: &[u8] = match request.method() {
            "HEAD" => b"",
            _ => b"body",
        };
        assert_eq!(lines[4..], [b"Content-Length: 4", &b""[..], body]);
    }
}

/// The response has one head, whose lines all end with CRLF.
fn check_response(response: &[u8]) {
    let text = String::from_utf8_lossy(response);
    let rest = after_head(response).unwrap_or_else(|| panic!("{text:?} has no end"));
    let head = &response[..response.len() - rest.len() - 4];
    assert!(head.starts_with(b"HTTP/1.1 "), "{text:?}");
    assert!(!head.contains(&0), "{text:?}");
    let count = |wanted: u8| head.iter().filter(|byte| **byte == wanted).count();
    assert_eq!(count(b'\r'), count(b'\n'), "{text:?}");
    let mut lines = head.split(|byte| *byte == b'\n');
    assert!(lines.all(|line| !line.is_empty()), "{text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::assert_seeds;

    #[test]
    fn its_seeds_do_what_their_names_say() {
        let outcome = |seed: &[u8]| {
            let input = Input::parse(seed).expect("the seed is long enough");
            match read(&input, Clock::Unused, &[]) {
                Outcome::Waits => "waits".into(),
                Outcome::Failed(error) => format!("{error:?}"),
                Outcome::Read(head, rest) => {
                    let (count, rest) = (head.headers, rest.len());
                    let answer = head
                        .answer
                        .map_or_else(|error| format!("{error:?}"), |_| "101".into());
                    format!(
                        "{} {}, {count} headers, {answer}, {rest} bytes follow",
                        head.method, head.target
                    )
                }
            }
        };
        assert_seeds("request_head", "", outcome, SEEDS);
    }

    const SEEDS: &str = "
absolute_target_00: GET /?x=1, 5 headers, 101, 0 bytes follow
absolute_target_0b: GET /?x=1, 5 headers, NoCommonSubprotocol, 0 bytes follow
bare_line_feed_00: MalformedHead
bare_line_feed_0f: MalformedHead
body_00: GET /chat, 6 headers, Body, 5 bytes follow
body_0b: GET /chat, 6 headers, Body, 5 bytes follow
empty_lines_first_00: GET /chat, 5 headers, 101, 0 bytes follow
empty_lines_first_0b: GET /chat, 5 headers, NoCommonSubprotocol, 0 bytes follow
extensions_00: GET /chat, 6 headers, 101, 0 bytes follow
extensions_0a: GET /chat, 6 headers, 101, 0 bytes follow
folded_00: MalformedHead
folded_0f: MalformedHead
frames_after_00: GET /chat, 5 headers, 101, 8 bytes follow
frames_after_0b: GET /chat, 5 headers, NoCommonSubprotocol, 8 bytes follow
old_00: GET /, 0 headers, Http10, 0 bytes follow
old_0f: GET /, 0 headers, Http10, 0 bytes follow
origin_00: GET /chat, 6 headers, 101, 0 bytes follow
origin_0b: GET /chat, 6 headers, NoCommonSubprotocol, 0 bytes follow
other_version_00: GET /chat, 5 headers, UnsupportedVersion, 0 bytes follow
other_version_0b: GET /chat, 5 headers, UnsupportedVersion, 0 bytes follow
page_00: GET /, 1 headers, NotAnUpgrade, 0 bytes follow
page_0f: GET /, 1 headers, NotAnUpgrade, 0 bytes follow
plain_00: GET /chat, 5 headers, 101, 0 bytes follow
plain_0f: HeadTooLarge
subprotocols_00: GET /chat, 6 headers, 101, 0 bytes follow
subprotocols_0b: GET /chat, 6 headers, 101, 0 bytes follow
";
}
