//! Connections and opening handshakes over the traits of `std::io`, with every end and error of a transport.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::Duration;

use proptest::prelude::*;
use sockless::accept_key;
use sockless::handshake::{
    ClientHandshake, ClientOptions, RequestError, ResponseError, ServerHandshake, ServerOptions,
    Uri,
};
use sockless::test_util::strategies::{configs, cuts, nearly_legal_frames, roles};
use sockless::test_util::{
    Frame, OPENING_REQUEST, OwnedCloseEvent, OwnedEvent, Peer, Role, Rules, Transport,
    assert_legal, join_parts, judge,
};
use sockless::{
    CloseCode, Config, Connection, Deadlines, Initiator, ReadBuffer, Seed, SharedMessage,
    TransportAction,
};

#[path = "support/cases.rs"]
mod cases;

use cases::cases;

/// Errors that are temporary. On Windows, a socket with a timeout reports `TimedOut`.
#[cfg(windows)]
const AGAIN: [ErrorKind; 2] = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
#[cfg(not(windows))]
const AGAIN: [ErrorKind; 1] = [ErrorKind::WouldBlock];

/// Some errors that are final. On Unix, `TimedOut` is ETIMEDOUT. TCP reports it once, when the peer does not answer.
const FATAL: [ErrorKind; if cfg!(windows) { 6 } else { 7 }] = [
    #[cfg(not(windows))]
    ErrorKind::TimedOut,
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
    ErrorKind::BrokenPipe,
    ErrorKind::NotConnected,
    ErrorKind::InvalidData,
    ErrorKind::Other,
];

/// A transport with one scripted result for each call. It panics on more calls.
#[derive(Debug, Default)]
struct Script {
    /// The bytes of each read. No bytes are the end of the stream.
    reads: VecDeque<Result<Vec<u8>, ErrorKind>>,
    /// The most bytes that each write accepts.
    writes: VecDeque<Result<usize, ErrorKind>>,
    /// The number of parts of each write, or 0 if it was not vectored.
    parts: Vec<usize>,
    written: Vec<u8>,
    /// The smallest space of a read.
    space: Option<usize>,
}

impl Script {
    fn reads<const N: usize>(reads: [Result<&[u8], ErrorKind>; N]) -> Self {
        let reads = reads.map(|read| read.map(<[u8]>::to_vec));
        Self {
            reads: reads.into(),
            ..Self::default()
        }
    }

    fn writes(writes: impl IntoIterator<Item = Result<usize, ErrorKind>>) -> Self {
        Self {
            writes: writes.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Returns whether all scripted calls happened.
    fn is_done(&self) -> bool {
        self.reads.is_empty() && self.writes.is_empty()
    }

    fn take(&mut self, parts: &[&[u8]]) -> io::Result<usize> {
        let bytes = parts.concat();
        assert!(!bytes.is_empty(), "a write of nothing");
        let most = self.writes.pop_front().expect("a write too many")?;
        let n = most.min(bytes.len());
        self.written.extend_from_slice(&bytes[..n]);
        Ok(n)
    }
}

impl Read for Script {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let least = self.space.unwrap_or(usize::MAX);
        self.space = Some(least.min(space.len()));
        let bytes = self.reads.pop_front().expect("a read too many")?;
        space[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.parts.push(0);
        self.take(&[bytes])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.parts.push(parts.len());
        let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
        assert!(parts.iter().all(|part| !part.is_empty()));
        self.take(&parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// ---- ReadBuffer::read_from ----

#[test]
fn read_from_reads_once() {
    let mut transport = Script::reads([Ok(b"some"), Ok(b" bytes"), Ok(b""), Ok(b"")]);
    let mut buffer = ReadBuffer::new();
    for (n, unread) in [
        (4, &b"some"[..]),
        (6, b"some bytes"),
        (0, b"some bytes"),
        (0, b"some bytes"),
    ] {
        assert_eq!(buffer.read_from(&mut transport).unwrap(), n);
        assert_eq!(buffer.unread(), unread);
    }
}

/// The space does not depend on the content of the buffer. A `dyn Read` works, too.
#[test]
fn a_read_has_space_for_4_kib() {
    for filled in [0, 1, 4000, 4096, 10_000] {
        let mut transport = Script::reads([Ok(&[7; 4096])]);
        let mut buffer = ReadBuffer::with_capacity(4096);
        buffer.extend_from_slice(&vec![1; filled]);
        let dynamic: &mut dyn Read = &mut transport;
        assert_eq!(buffer.read_from(dynamic).unwrap(), 4096);
        assert_eq!(buffer.unread().len(), filled + 4096);
        assert!(transport.space >= Some(4096));
    }
}

/// A signal interrupted the read before it began.
#[test]
fn an_interrupted_read_is_repeated() {
    let interrupted = Err(ErrorKind::Interrupted);
    let mut transport = Script::reads([interrupted, interrupted, Ok(b"x"), interrupted, Ok(b"")]);
    let mut buffer = ReadBuffer::new();
    assert_eq!(buffer.read_from(&mut transport).unwrap(), 1);
    assert_eq!(buffer.read_from(&mut transport).unwrap(), 0);
    assert_eq!(buffer.unread(), b"x");
    assert!(transport.is_done());
}

#[test]
fn read_from_returns_the_error_of_the_read() {
    let end = [ErrorKind::UnexpectedEof];
    for kind in AGAIN.into_iter().chain(FATAL).chain(end) {
        let mut transport = Script::reads([Err(kind), Ok(b"more")]);
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(b"and ");
        let error = buffer.read_from(&mut transport).unwrap_err();
        assert_eq!((error.kind(), buffer.unread()), (kind, &b"and "[..]));
        assert_eq!(buffer.read_from(&mut transport).unwrap(), 4);
        assert_eq!(buffer.unread(), b"and more");
    }
}

/// A transport that returns a larger number than the length of the slice.
struct Liar;

impl Read for Liar {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        Ok(space.len() + 1)
    }
}

impl Write for Liar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len() + 1)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
#[should_panic(expected = "than")]
fn a_read_larger_than_its_space_panics() {
    _ = ReadBuffer::new().read_from(&mut Liar);
}

#[test]
#[should_panic(expected = "than")]
fn a_write_larger_than_the_output_panics() {
    let mut server = Connection::server(&Config::default());
    server.send_text("Hi").unwrap();
    server.write_to(&mut Liar);
}

// ---- Connection::handle_read ----

/// Everything that a connection shows.
fn state(connection: &Connection) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        connection.transport_action(),
        connection.close_event().map(OwnedCloseEvent::from),
        connection.wants_read(),
        connection.can_send(),
        connection.output_len(),
    )
}

/// A connection with output.
fn talking(role: Role) -> Connection {
    let mut connection = role.connection(&Config::default());
    connection.send_text("unwritten").unwrap();
    connection
}

/// A read of 0 bytes and an unexpected end are the end of the stream. The output is still written, because the peer may
/// have ended only its own side. After any other final error the transport is closed.
#[test]
fn handle_read_reports_each_result_of_a_read() {
    use TransportAction::{Close, Write};
    type Report = fn(&mut Connection);
    let nothing: (Report, _) = (|_| {}, (Write, true, true));
    let eof: (Report, _) = (Connection::handle_eof, (Write, false, true));
    let reset: (Report, _) = (Connection::handle_reset, (Close, false, false));
    let temporary = AGAIN.into_iter().chain([ErrorKind::Interrupted]);
    let table = [
        (Ok(1), nothing),
        (Ok(0), eof),
        (Err(ErrorKind::UnexpectedEof), eof),
    ]
    .into_iter()
    .chain(temporary.map(|kind| (Err(kind), nothing)))
    .chain(FATAL.map(|kind| (Err(kind), reset)));
    for (read, (report, shown)) in table {
        for role in Role::BOTH {
            let mut expected = talking(role);
            report(&mut expected);
            let mut connection = talking(role);
            let read_again = connection.handle_read(read.map_err(io::Error::from));
            assert_eq!(read_again, read == Ok(1), "{read:?}");
            assert_eq!(state(&connection), state(&expected), "{read:?}");
            let has_output = connection.output_len() > 0;
            let found = (
                connection.transport_action(),
                connection.wants_read(),
                has_output,
            );
            assert_eq!(found, shown, "{read:?}");
        }
    }
}

// ---- Connection::write_to ----

/// Returns a server and its output. For each message it has a copied message and a shared message.
fn sharing(messages: usize) -> (Connection, Vec<u8>) {
    // The server does not copy such a long message.
    let shared = SharedMessage::binary(&[7; 5000]);
    let mut server = Connection::server(&Config::default());
    for _ in 0..messages {
        server.send_text("own").unwrap();
        server.send_shared(&shared).unwrap();
    }
    assert_eq!(server.output_parts().count(), 2 * messages);
    let output = server.output_parts().collect::<Vec<_>>().concat();
    (server, output)
}

#[test]
fn without_output_nothing_is_written() {
    for role in Role::BOTH {
        let mut transport = Script::default();
        role.connection(&Config::default()).write_to(&mut transport);
        assert_eq!(transport.parts, []);
    }
}

#[test]
fn all_output_is_written() {
    for role in Role::BOTH {
        for most in [1, 2, 7, usize::MAX] {
            let mut connection = talking(role);
            let output = connection.output().to_vec();
            let calls = output.len().div_ceil(most);
            let mut transport = Script::writes(vec![Ok(most); calls]);
            let dynamic: &mut dyn Write = &mut transport;
            connection.write_to(dynamic);
            assert_eq!(connection.output_len(), 0);
            assert_eq!(transport.written, output);
            // A single part needs no vectored write.
            assert_eq!(transport.parts, vec![0; calls]);
            assert!(connection.can_send());
        }
    }
}

/// One vectored write takes the copied and the shared messages.
#[test]
fn shared_messages_are_written_without_a_copy() {
    let (mut server, output) = sharing(3);
    let mut transport = Script::writes([Ok(usize::MAX)]);
    server.write_to(&mut transport);
    assert_eq!((server.output_len(), transport.parts), (0, vec![6]));
    assert_eq!(transport.written, output);

    // No operating system accepts so many parts at once.
    let (mut server, output) = sharing(200);
    let mut transport = Script::writes(vec![Ok(usize::MAX); 400]);
    server.write_to(&mut transport);
    assert_eq!(server.output_len(), 0);
    assert_eq!(transport.written, output);
    let parts: usize = transport.parts.iter().sum();
    assert_eq!(parts, 400);
    assert!(transport.parts.iter().all(|parts| (2..=64).contains(parts)));
}

/// A write may end inside a part or at its end.
#[test]
fn a_write_may_end_in_any_part() {
    let (_, output) = sharing(3);
    for most in [1, 2, 5, 6, 5000, 5004, 5009, 5010, 9999] {
        let (mut server, _) = sharing(3);
        let calls = output.len().div_ceil(most);
        let mut transport = Script::writes(vec![Ok(most); calls]);
        server.write_to(&mut transport);
        assert_eq!(server.output_len(), 0, "{most}");
        assert!(transport.is_done() && transport.written == output, "{most}");
        assert_eq!(transport.parts[0], 6);
        // A single last part needs no vectored write.
        let rest = output.len() - most * (calls - 1);
        let (mut start, mut parts) = (0, 0);
        for length in [5004, 5].repeat(3) {
            parts += usize::from(start < rest);
            start += length;
        }
        let parts = if parts == 1 { 0 } else { parts };
        assert_eq!(transport.parts.last(), Some(&parts), "{most}");
    }
}

/// Without its own `write_vectored`, a transport writes only the first part.
#[test]
fn a_transport_need_not_support_vectored_writes() {
    let (mut server, output) = sharing(20);
    let mut transport = Transport::new(&[], &[]);
    transport.set_max_write(3000);
    server.write_to(&mut transport);
    assert_eq!(server.output_len(), 0);
    assert!(transport.written() == output);
}

#[test]
fn an_interrupted_write_is_repeated() {
    let interrupted = Err(ErrorKind::Interrupted);
    for make in [|| sharing(2).0, || talking(Role::Client)] {
        let mut connection = make();
        let output = connection.output_parts().collect::<Vec<_>>().concat();
        let writes = [interrupted, Ok(5), interrupted, interrupted, Ok(usize::MAX)];
        let mut transport = Script::writes(writes);
        connection.write_to(&mut transport);
        assert!(transport.is_done() && transport.written == output);
        assert!(connection.can_send());
    }
}

/// A later call writes the rest. No byte is written twice.
#[test]
fn a_transport_that_is_full_gets_the_rest_later() {
    for kind in AGAIN {
        for make in [|| sharing(2).0, || talking(Role::Client)] {
            let mut connection = make();
            let output = connection.output_parts().collect::<Vec<_>>().concat();
            let mut transport = Script::writes([Ok(7), Err(kind)]);
            connection.write_to(&mut transport);
            assert!(transport.is_done());
            assert_eq!(connection.output_len(), output.len() - 7);
            assert_eq!(connection.transport_action(), TransportAction::Write);
            assert!(connection.can_send() && connection.close_event().is_none());
            transport.writes.extend([Err(kind)]);
            connection.write_to(&mut transport);
            transport.writes.extend([Ok(usize::MAX)]);
            connection.write_to(&mut transport);
            assert_eq!(connection.output_len(), 0);
            assert!(transport.written == output);
        }
    }
}

/// The connection cannot write any more, but it can read. The peer's Close frame decides the code.
#[test]
fn after_a_failed_write_the_connection_still_reads() {
    // A write of 0 bytes is a failure, too.
    let failures = FATAL.into_iter().map(Err).chain([Ok(0)]);
    for failure in failures.chain([Err(ErrorKind::UnexpectedEof), Err(ErrorKind::WriteZero)]) {
        for role in Role::BOTH {
            for shared in [false, true] {
                let make = || match (role, shared) {
                    (Role::Server, true) => sharing(2).0,
                    _ => talking(role),
                };
                let mut connection = make();
                let mut transport = Script::writes([Ok(3), failure]);
                connection.write_to(&mut transport);
                assert!(transport.is_done(), "{failure:?}");
                assert_eq!((connection.output_len(), transport.written.len()), (0, 3));
                let mut expected = make();
                expected.advance_output(3);
                expected.handle_write_error();
                assert_eq!(state(&connection), state(&expected), "{failure:?}");
                assert!(!connection.can_send() && connection.wants_read());
                // No output is left, so this does not write.
                connection.write_to(&mut transport);

                let mut transport = Script::reads([Ok(&Frame::close(1001, "").encode(role))]);
                let mut peer = Peer::with(connection, ReadBuffer::new());
                let read = peer.buffer.read_from(&mut transport);
                assert!(peer.connection.handle_read(read));
                peer.take_events();
                let ending = peer.close_event().unwrap();
                assert_eq!((ending.code, ending.initiator), (1001, Initiator::Peer));
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// A loop with these methods delivers the same events, wherever the transport cuts reads and writes.
    #[test]
    fn a_loop_over_a_transport_agrees_with_the_oracle(
        frames in nearly_legal_frames(), cuts in cuts(), role in roles(), config in configs(), max_write in 1..50_usize,
    ) {
        let bytes = frames.encode(role);
        let verdict = judge(&Rules::new(role, &config), &bytes);
        let mut transport = Transport::new(&bytes, &cuts.places(bytes.len()));
        transport.set_max_write(max_write);
        let mut connection = role.connection(&config);
        let (mut buffer, mut received) = (ReadBuffer::new(), Vec::new());
        loop {
            while let Ok(Some(event)) = connection.next_event(&mut buffer) {
                received.push(event.into_owned());
            }
            connection.write_to(&mut transport);
            if !connection.wants_read() {
                break;
            }
            connection.handle_read(buffer.read_from(&mut transport));
        }
        prop_assert_eq!(join_parts(&received).0, verdict.events);
        let replies = assert_legal(role, transport.written()).into_iter();
        prop_assert_eq!(replies.map(OwnedEvent::without_reason).collect::<Vec<_>>(), verdict.replies);
        prop_assert_eq!(connection.output_len(), 0);
        prop_assert!(connection.close_event().is_some());
    }
}

// ---- The opening handshake ----

/// One server that reads from a transport.
struct Server {
    options: ServerOptions<'static>,
    handshake: ServerHandshake,
    buffer: ReadBuffer,
}

impl Server {
    fn new(config: Config) -> Self {
        Self {
            handshake: ServerHandshake::new(&config),
            options: ServerOptions::new().with_config(config),
            buffer: ReadBuffer::new(),
        }
    }

    fn accept(&mut self, transport: &mut Script) -> io::Result<Connection> {
        let (buffer, options) = (&mut self.buffer, &self.options);
        self.handshake.accept_on(transport, buffer, options)
    }
}

#[test]
fn a_server_does_not_read_beyond_the_request() {
    let interrupted = Err(ErrorKind::Interrupted);
    for cut in 1..OPENING_REQUEST.len() {
        let (first, rest) = OPENING_REQUEST.split_at(cut);
        let rest = [rest, &Frame::new(0x81, "early").encode(Role::Server)].concat();
        let mut transport = Script::reads([Ok(first), interrupted, Ok(&rest)]);
        let mut server = Server::new(Config::default());
        let connection = server.accept(&mut transport).unwrap();
        assert!(transport.is_done() && connection.can_send());
        let mut peer = Peer::with(connection, server.buffer);
        peer.take_events();
        assert_eq!(peer.events(), [OwnedEvent::text("early")]);
        assert!(peer.write_all().starts_with(b"HTTP/1.1 101 "));
    }
    // If the buffer has the request, the server does not read.
    let mut server = Server::new(Config::default());
    server.buffer.extend_from_slice(OPENING_REQUEST);
    assert!(server.accept(&mut Script::default()).unwrap().can_send());
}
/// A refusal is a connection whose output is the answer.
#[test]
fn a_server_refuses() {
    for (request, error) in [
        (
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            RequestError::NotAnUpgrade,
        ),
        (b"\x16\x03\x01\x02\x00", RequestError::MalformedHead),
    ] {
        let mut server = Server::new(Config::default());
        let refused = server.accept(&mut Script::reads([Ok(request)])).unwrap();
        assert!(!refused.can_send());
        assert_eq!(refused.output(), error.response());
    }
}
#[test]
fn a_server_continues_after_a_temporary_error_only() {
    let (first, rest) = OPENING_REQUEST.split_at(50);
    for kind in AGAIN {
        let mut transport = Script::reads([Ok(first), Err(kind), Ok(rest)]);
        let mut server = Server::new(Config::default());
        let stopped = server.accept(&mut transport);
        assert_eq!(stopped.unwrap_err().kind(), kind);
        assert!(server.accept(&mut transport).unwrap().can_send());
    }
    let end = (Ok(&b""[..]), ErrorKind::UnexpectedEof);
    for (read, kind) in FATAL.into_iter().map(|kind| (Err(kind), kind)).chain([end]) {
        let mut server = Server::new(Config::default());
        let failed = server.accept(&mut Script::reads([Ok(first), read]));
        assert_eq!(failed.unwrap_err().kind(), kind);
    }
}
fn client() -> ClientHandshake {
    let uri: Uri = "ws://localhost/".parse().unwrap();
    ClientHandshake::new(&uri, &ClientOptions::default(), Seed::new([7; 32])).unwrap()
}

/// The response that this client accepts.
fn response(client: &ClientHandshake) -> Vec<u8> {
    let headers = client.headers();
    let key = headers.iter().find(|it| it.is("Sec-WebSocket-Key"));
    let accept = accept_key(key.unwrap().value);
    let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: ";
    [&head[..], &accept, b"\r\n\r\n"].concat()
}

/// After each temporary error the client continues. It writes no byte twice, and loses no byte that it has read.
#[test]
fn a_client_writes_the_request_and_reads_the_response() {
    for kind in AGAIN {
        let mut client = client();
        let request = client.request().to_vec();
        let early = Frame::new(0x81, "early").encode(Role::Client);
        let response = [response(&client), early].concat();
        let (first, rest) = response.split_at(30);
        let signal = ErrorKind::Interrupted;
        let reads = [Err(signal), Err(kind), Ok(first), Err(kind), Ok(rest)];
        let mut transport = Script::reads(reads);
        let writes = [Ok(10), Err(signal), Ok(1), Err(kind), Ok(usize::MAX)];
        transport.writes.extend(writes);
        let mut buffer = ReadBuffer::new();
        for _ in 0..3 {
            let stopped = client.connect_on(&mut transport, &mut buffer);
            assert_eq!(stopped.unwrap_err().kind(), kind);
        }
        let connection = client.connect_on(&mut transport, &mut buffer).unwrap();
        assert!(transport.is_done() && transport.written == request);
        let mut peer = Peer::with(connection, buffer);
        peer.take_events();
        assert_eq!(peer.events(), [OwnedEvent::text("early")]);
        peer.connection.close(CloseCode::NORMAL, "").unwrap();
    }
}

#[test]
fn connect_on_returns_why_there_is_no_connection() {
    let written = || Script::writes([Ok(usize::MAX)]);
    let connect = |mut transport: Script| {
        let mut buffer = ReadBuffer::new();
        let connected = client().connect_on(&mut transport, &mut buffer);
        assert!(transport.is_done());
        connected.unwrap_err()
    };
    for kind in FATAL {
        assert_eq!(connect(Script::writes([Ok(3), Err(kind)])).kind(), kind);
        let mut transport = written();
        transport.reads.push_back(Err(kind));
        assert_eq!(connect(transport).kind(), kind);
    }
    // The transport accepts no bytes.
    let error = connect(Script::writes([Ok(3), Ok(0)]));
    assert_eq!(error.kind(), ErrorKind::WriteZero);
    // The stream ends in the head.
    let mut transport = written();
    transport
        .reads
        .extend([Ok(b"HTTP/1.1 10".to_vec()), Ok(vec![])]);
    assert_eq!(connect(transport).kind(), ErrorKind::UnexpectedEof);

    for (response, expected) in [
        (
            &b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nNo"[..],
            ResponseError::Refused(403),
        ),
        (b"HTTP/1.1 999 \r\n\r\n", ResponseError::Refused(999)),
        (b"HTTP/1.1 101 \r\n\r\n", ResponseError::NotAnUpgrade),
        (b"\x15\x03\x03\0", ResponseError::MalformedHead),
    ] {
        let mut transport = written();
        transport.reads.push_back(Ok(response.to_vec()));
        let error = connect(transport);
        let inner = error.into_inner().expect("the error of the response");
        assert_eq!(inner.downcast_ref(), Some(&expected));
    }
}

/// `accept_on` ignores deadlines, so it always tries to read before it refuses a request.
#[test]
fn a_server_on_a_transport_passes_no_time() {
    let (first, rest) = OPENING_REQUEST.split_at(7);
    for deadline in [Duration::ZERO, Duration::from_secs(10)] {
        let deadlines = Deadlines::new().with_handshake(deadline);
        let mut server = Server::new(Config::new().with_deadlines(deadlines));
        let blocked = Err(ErrorKind::WouldBlock);
        let mut transport = Script::reads([Ok(first), blocked, Ok(rest)]);
        let stopped = server.accept(&mut transport);
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::WouldBlock);
        // The deadline counts from the first call of `handle_timeout`.
        assert_eq!(server.handshake.timeout_at(), Some(Duration::ZERO));
        let now = Duration::from_secs(5000);
        assert_eq!(server.handshake.handle_timeout(now), Ok(()));
        let connection = server.accept(&mut transport).unwrap();
        assert!(connection.output().starts_with(b"HTTP/1.1 101 "));
        assert!(transport.is_done());
    }
}
/// A transport that sends nothing before `flush`, and whose flushes have scripted results.
struct Buffering {
    held: Vec<u8>,
    sent: Vec<u8>,
    flushes: VecDeque<Result<(), ErrorKind>>,
}

impl Read for Buffering {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        // The server does not answer before it has the request.
        assert!(self.sent.ends_with(b"\r\n\r\n"), "a read before the flush");
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Write for Buffering {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes.pop_front().expect("a flush too many")?;
        self.sent.append(&mut self.held);
        Ok(())
    }
}

#[test]
fn a_client_flushes_its_request() {
    let interrupted = Err(ErrorKind::Interrupted);
    for (flushes, expected) in [
        (vec![Ok(())], ErrorKind::WouldBlock),
        (vec![interrupted, Ok(())], ErrorKind::WouldBlock),
        (vec![Err(ErrorKind::BrokenPipe)], ErrorKind::BrokenPipe),
    ] {
        let mut transport = Buffering {
            held: Vec::new(),
            sent: Vec::new(),
            flushes: flushes.into(),
        };
        let connected = client().connect_on(&mut transport, &mut ReadBuffer::new());
        assert_eq!(connected.unwrap_err().kind(), expected);
        assert!(transport.flushes.is_empty());
    }
}
