//! A server that reads a request from any bytes, in any cuts, and answers it in every way it can.

use std::time::Duration;

use sockless::handshake::{Header, Origins, Request, RequestError, ServerHandshake, ServerOptions};
use sockless::test_util::cuts_at;
use sockless::{Config, Deadlines, Deflate, ReadBuffer};

use crate::input::Input;
use crate::memory::Watch;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Waits,
    Refused(RequestError),
    /// Method, target, number of headers; the answer; and what followed the head.
    Request(
        String,
        String,
        usize,
        Result<Vec<u8>, RequestError>,
        Vec<u8>,
    ),
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
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
    if input.chooses(3) {
        options.config.deflate = Some(Deflate::new());
    }
    let (bytes, config) = (input.bytes, &options.config);
    let whole = read(bytes, &[], &mut Reader::untimed(config), &options);
    let places = input.places(bytes.len());
    let cut = read(bytes, &places, &mut Reader::untimed(config), &options);
    assert_eq!(cut, whole);
    let mut timed = Reader::timed(config);
    let slow = read(bytes, &places, &mut timed, &options);
    assert_eq!(slow, whole);
    timed.check_deadline(&slow);
    // Empty lines are not counted one by one.
    if !bytes.starts_with(b"\r") {
        let mut late = Reader::late(config);
        let outcome = read(bytes, &places, &mut late, &options);
        assert_eq!(outcome, whole);
        late.check_end(&outcome);
    }
    in_one_step(bytes, &places, options, &whole);
}

/// One handshake, which gets all pieces.
struct Reader {
    handshake: ServerHandshake,
    time: Time,
}

enum Time {
    /// There is no deadline.
    Stands,
    /// With the time that was passed last.
    Runs(Duration),
    /// The deadline has passed, but what arrived before is still to be read.
    IsOver,
}

impl Reader {
    /// Deadlines count from the first time that is passed.
    const START: Duration = Duration::from_secs(77);
    const DEADLINE: Duration = Self::START.saturating_add(Deadlines::new().handshake);

    fn untimed(config: &Config) -> Self {
        let handshake = ServerHandshake::new(config);
        let time = Time::Stands;
        Self { handshake, time }
    }

    fn timed(config: &Config) -> Self {
        let config = config.clone().with_deadlines(Deadlines::new());
        let mut handshake = ServerHandshake::new(&config);
        assert_eq!(handshake.timeout_at(), Some(Duration::ZERO));
        assert_eq!(handshake.handle_timeout(Self::START), Ok(()));
        let time = Time::Runs(Self::START);
        Self { handshake, time }
    }

    fn late(config: &Config) -> Self {
        let mut handshake = Self::timed(config).handshake;
        assert_eq!(handshake.handle_timeout(Self::DEADLINE), Ok(()));
        let time = Time::IsOver;
        Self { handshake, time }
    }

    /// After a piece a second passes: there are at most nine pieces, so the deadline does not come. If it has, every piece
    /// gives one more turn.
    fn pass(&mut self, piece: &[u8], outcome: &Outcome) {
        let (now, next) = match &mut self.time {
            Time::Stands => return,
            Time::IsOver if piece.is_empty() => return,
            Time::Runs(now) => {
                *now += Duration::from_secs(1);
                (*now, Self::DEADLINE)
            }
            Time::IsOver => (Self::DEADLINE, Duration::ZERO),
        };
        let (passed, next) = match outcome {
            Outcome::Refused(error) => (Err(*error), None),
            Outcome::Waits => (Ok(()), Some(next)),
            // It came in time, and there is nothing more to wait for.
            Outcome::Request(..) => (Ok(()), None),
        };
        assert_eq!(self.handshake.handle_timeout(now), passed);
        assert_eq!(self.handshake.timeout_at(), next);
    }

    /// When the deadline passes, there is one more turn.
    fn check_deadline(mut self, outcome: &Outcome) {
        if let Outcome::Waits = outcome {
            let before = Self::DEADLINE - Duration::from_nanos(1);
            assert_eq!(self.handshake.handle_timeout(before), Ok(()));
            assert_eq!(self.handshake.timeout_at(), Some(Self::DEADLINE));
            assert_eq!(self.handshake.handle_timeout(Self::DEADLINE), Ok(()));
            assert_eq!(self.handshake.timeout_at(), Some(Duration::ZERO));
        }
        self.check_end(outcome);
    }

    /// A request that has not come in that turn does not come any more.
    fn check_end(mut self, outcome: &Outcome) {
        if let Outcome::Waits = outcome {
            let error = RequestError::Timeout;
            // An earlier time counts as the latest so far.
            assert_eq!(self.handshake.handle_timeout(Duration::ZERO), Err(error));
            assert_eq!(self.handshake.timeout_at(), None);
            check_response(&error.response());
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let late = self.handshake.read_request(&mut buffer);
            assert_eq!(late.err(), Some(error));
        }
    }
}

/// The step that does all comes to the same: a connection that begins with the answer, be it a refusal, once there is one.
fn in_one_step(bytes: &[u8], places: &[usize], mut options: ServerOptions<'_>, outcome: &Outcome) {
    options.config.deadlines = Some(Deadlines::new());
    let mut handshake = ServerHandshake::new(&options.config);
    let mut buffer = ReadBuffer::new();
    let mut accept = |buffer: &mut ReadBuffer, now| {
        let connection = handshake.accept(buffer, &options, now)?;
        Some((connection.can_send(), connection.output().to_vec()))
    };
    let mut accepted = None;
    for piece in cuts_at(bytes, places) {
        buffer.extend_from_slice(piece);
        accepted = accepted.or_else(|| accept(&mut buffer, Reader::START));
    }
    let expected = match outcome {
        Outcome::Waits => None,
        Outcome::Refused(error) | Outcome::Request(.., Err(error), _) => {
            Some((false, error.response()))
        }
        Outcome::Request(.., Ok(answer), _) => Some((true, answer.clone())),
    };
    assert_eq!(accepted, expected);
    if let Outcome::Request(.., rest) = outcome {
        assert_eq!(buffer.unread(), rest);
    }
    if let Outcome::Waits = outcome {
        // One more turn, in which nothing comes.
        assert_eq!(accept(&mut buffer, Reader::DEADLINE), None);
        let timeout = Some((false, RequestError::Timeout.response()));
        assert_eq!(accept(&mut buffer, Reader::DEADLINE), timeout);
    }
}

fn read(
    bytes: &[u8],
    places: &[usize],
    reader: &mut Reader,
    options: &ServerOptions<'_>,
) -> Outcome {
    let mut buffer = ReadBuffer::new();
    let mut watch = Watch::default();
    let mut outcome = Outcome::Waits;
    for piece in cuts_at(bytes, places) {
        watch.receive(&mut buffer, piece);
        match &mut outcome {
            Outcome::Waits => outcome = next(&mut buffer, &mut reader.handshake, options),
            Outcome::Refused(error) => {
                // More bytes do not mend it.
                let again = reader.handshake.read_request(&mut buffer);
                assert_eq!(again.err(), Some(*error));
            }
            Outcome::Request(.., rest) => rest.clone_from(&buffer.unread().to_vec()),
        }
        watch.check(&buffer);
        reader.pass(piece, &outcome);
    }
    if let Outcome::Request(.., rest) = &outcome {
        // RFC 9112 section 2.2: empty lines may come before a request.
        let mut expected = bytes;
        while let Some(after) = expected.strip_prefix(b"\r\n") {
            expected = after;
        }
        assert_eq!(Some(&rest[..]), behind_head(expected), "left as it came");
    }
    outcome
}

fn next(
    buffer: &mut ReadBuffer,
    handshake: &mut ServerHandshake,
    options: &ServerOptions<'_>,
) -> Outcome {
    let (method, target, headers, answer) = match handshake.read_request(buffer) {
        Ok(None) => return Outcome::Waits,
        Err(error) => {
            check_response(&error.response());
            return Outcome::Refused(error);
        }
        Ok(Some(request)) => {
            let answer = request
                .accept(options)
                .map(|connection| connection.output().to_vec());
            match &answer {
                Ok(answer) => {
                    check_response(answer);
                    assert!(answer.starts_with(b"HTTP/1.1 101 "));
                    let (agreed, connection) = request.negotiate(options).expect("as accepted");
                    assert_eq!((agreed.status(), connection.output()), (101, &answer[..]));
                    // Section 4.2.2: only what was asked for is answered.
                    if let Some(chosen) = agreed.subprotocol() {
                        assert!(request.subprotocols().any(|offer| offer == chosen));
                    }
                }
                Err(error) => check_response(&error.response()),
            }
            respond(&request);
            over_http2(&request, options);
            (
                request.method().to_owned(),
                request.target().to_owned(),
                request.headers().len(),
                answer,
            )
        }
    };
    Outcome::Request(method, target, headers, answer, buffer.unread().to_vec())
}

/// What a gateway would make of it for HTTP/2 gets the same verdict, but for what only HTTP/1.1 asks for (RFC 8441 section 5).
fn over_http2(request: &Request<'_>, options: &ServerOptions<'_>) {
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
    let of_a_connection = ["Connection", "Upgrade", "Keep-Alive", "Proxy-Connection"];
    let others = request.headers().iter().copied();
    fields.extend(others.filter(|header| !of_a_connection.iter().any(|name| header.is(name))));
    let chosen = |request: &Request<'_>| {
        let (agreed, _) = request.negotiate(options)?;
        Ok(agreed.subprotocol().map(str::to_owned))
    };
    let http2 = chosen(&Request::extended_connect(fields));
    match chosen(request) {
        Err(
            RequestError::Http10
            | RequestError::Method
            | RequestError::NotAnUpgrade
            | RequestError::Key,
        ) => {}
        http1 => assert_eq!(http2, http1),
    }
    if let Err(error) = http2 {
        let (status, headers) = error.over_http2();
        assert!((400..600).contains(&status), "{error}");
        assert!(headers.iter().all(|header| !header.is("Upgrade")));
    }
}

/// A page for this request that says back what the request said: nothing of it may break the response apart.
fn respond(request: &Request<'_>) {
    let headers = request.headers();
    for header in headers {
        let echoed = Header {
            name: "X-Echo",
            value: header.value,
        };
        let response = request.respond(200, &[echoed, *header], b"body");
        if let Ok(response) = response {
            check_response(&response);
            // The headers are those that were given and the two that frame the body, and nothing else.
            let lines = response.split(|byte| *byte == b'\n');
            let lines: Vec<&[u8]> = lines.map(|line| line.trim_ascii_end()).collect();
            let line = |header: &Header<'_>| [header.name.as_bytes(), b": ", header.value].concat();
            assert_eq!(lines[1], line(&echoed).trim_ascii_end());
            assert_eq!(lines[2], line(header).trim_ascii_end());
            assert!(lines[3].starts_with(b"Connection: "));
            assert_eq!(lines[4], b"Content-Length: 4");
            let body: &[u8] = match request.method() {
                "HEAD" => b"",
                _ => b"body",
            };
            assert_eq!(lines[5..], [b"", body]);
        }
    }
}

/// What follows the first empty line.
pub(crate) fn behind_head(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    bytes.get(end + 4..)
}

/// One head in whole lines, and behind it the body that it announces.
fn check_response(response: &[u8]) {
    let text = String::from_utf8_lossy(response);
    let end = response.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{text:?} has no end"));
    let head = &response[..end];
    let mut lines = head.split(|byte| *byte == b'\n');
    assert!(head.starts_with(b"HTTP/1.1 "), "{text:?}");
    let ended = lines.clone().count() - 1;
    assert_eq!(
        head.iter().filter(|byte| **byte == b'\r').count(),
        ended,
        "{text:?}"
    );
    assert!(
        lines.all(|line| line == head || !line.is_empty()),
        "{text:?}"
    );
    assert!(!head.contains(&0), "{text:?}");
}
