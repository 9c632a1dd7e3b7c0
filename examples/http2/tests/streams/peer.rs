//! One end of an HTTP/2 connection, frame by frame. It can send what h2 would not send, and it holds the other end to
//! the windows of RFC 9113, section 5.2.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Buf as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::masked;

/// How long a test waits for a frame.
const LIMIT: Duration = Duration::from_mins(1);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// The types of frames (RFC 9113, section 6).
pub(crate) const DATA: u8 = 0;
const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

const INITIAL_WINDOW_SIZE: u16 = 4;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// `:status: 200`, by its index in the static table (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;

/// The window of a new connection, and of a new stream without settings.
const DEFAULT_WINDOW: i64 = 65_535;

/// One stream. Stream 0 is the connection, which has windows only.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// How many bytes the other end may send.
    pub(crate) window: i64,
    /// How many bytes this end may send.
    credit: i64,
    /// The first byte of the header block.
    status: Option<u8>,
    /// Received bytes that the test has not read.
    pub(crate) data: Vec<u8>,
    /// Whether `END_STREAM` was received.
    pub(crate) ended: bool,
    /// The code of a received `RST_STREAM`.
    pub(crate) reset: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Peer<S> {
    pub(crate) transport: S,
    streams: BTreeMap<u32, Stream>,
    next_stream: u32,
    /// How many bytes the other end may send on a new stream.
    initial_window: i64,
    /// The windows in settings that the other end has not acknowledged. Until then, the old window applies.
    unacknowledged: VecDeque<i64>,
    /// How many bytes this end may send on a new stream.
    initial_credit: i64,
    has_settings: bool,
    accepts_web_sockets: bool,
    pongs: usize,
    /// The last stream and the code of each received GOAWAY.
    pub(crate) goaways: Vec<(u32, u32)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// A client. Each stream has this window. The server must accept the extended CONNECT.
    pub(crate) async fn client(transport: S, window: u32) -> Self {
        let mut peer = Self::new(transport);
        peer.write(PREFACE).await;
        peer.set_window(window).await;
        assert!(peer.accepts_web_sockets, "SETTINGS_ENABLE_CONNECT_PROTOCOL");
        peer
    }

    /// A server with this window for each stream, and the stream in which its client has opened a WebSocket.
    pub(crate) async fn server(transport: S, window: u32) -> (Self, u32) {
        let mut peer = Self::new(transport);
        let mut preface = [0; PREFACE.len()];
        peer.transport.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, PREFACE);
        let connect = setting(ENABLE_CONNECT_PROTOCOL, 1);
        peer.send(SETTINGS, 0, 0, &connect).await;
        peer.unacknowledged.push_back(DEFAULT_WINDOW);
        peer.set_window(window).await;
        while !peer.streams.contains_key(&1) {
            peer.turn().await;
        }
        peer.send(HEADERS, END_HEADERS, 1, &[STATUS_200]).await;
        (peer, 1)
    }

    fn new(transport: S) -> Self {
        let mut peer = Self {
            transport,
            streams: BTreeMap::new(),
            next_stream: 1,
            initial_window: DEFAULT_WINDOW,
            unacknowledged: VecDeque::new(),
            initial_credit: DEFAULT_WINDOW,
            has_settings: false,
            accepts_web_sockets: false,
            pongs: 0,
            goaways: Vec::new(),
        };
        peer.add(0);
        peer
    }

    fn add(&mut self, stream: u32) {
        let state = Stream {
            window: self.initial_window,
            credit: self.initial_credit,
            ..Stream::default()
        };
        self.streams.insert(stream, state);
    }

    /// Opens a WebSocket, and returns its stream.
    pub(crate) async fn open(&mut self) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        let mut block = Vec::new();
        for (name, value) in [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", "/"),
            (":authority", "localhost"),
            ("sec-websocket-version", "13"),
        ] {
            // A literal header field without indexing and with a new name (RFC 7541, section 6.2.2).
            block.push(0);
            for part in [name, value] {
                block.push(u8::try_from(part.len()).unwrap());
                block.extend(part.as_bytes());
            }
        }
        self.add(stream);
        self.send(HEADERS, END_HEADERS, stream, &block).await;
        while self.stream(stream).status.is_none() {
            assert_eq!(self.stream(stream).reset, None);
            self.turn().await;
        }
        assert_eq!(self.stream(stream).status, Some(STATUS_200));
        stream
    }

    /// Sends these bytes in DATA frames of the largest size.
    pub(crate) async fn data(&mut self, stream: u32, bytes: &[u8]) {
        for piece in bytes.chunks(16_384) {
            self.reserve(stream, piece.len()).await;
            self.send(DATA, 0, stream, piece).await;
        }
    }

    /// Sends these bytes in one DATA frame with padding.
    pub(crate) async fn padded(&mut self, stream: u32, bytes: &[u8], padding: u8) {
        let payload = [&[padding], bytes, &vec![0; usize::from(padding)]].concat();
        self.reserve(stream, payload.len()).await;
        self.send(DATA, PADDED, stream, &payload).await;
    }

    /// Waits until the other end accepts this many bytes, padding included.
    async fn reserve(&mut self, stream: u32, length: usize) {
        let length = i64::try_from(length).unwrap();
        for id in [0, stream] {
            while self.stream(id).credit < length {
                self.turn().await;
            }
            self.state(id).credit -= length;
        }
    }

    /// Allows the other end to send `n` more bytes on a stream.
    pub(crate) async fn grant(&mut self, stream: u32, n: u32) {
        self.state(stream).window += i64::from(n);
        self.send(WINDOW_UPDATE, 0, stream, &n.to_be_bytes()).await;
    }

    /// Changes the window of all streams, and waits for the acknowledgement.
    pub(crate) async fn set_window(&mut self, window: u32) {
        let size = setting(INITIAL_WINDOW_SIZE, window);
        self.unacknowledged.push_back(i64::from(window));
        self.send(SETTINGS, 0, 0, &size).await;
        while !self.unacknowledged.is_empty() || !self.has_settings {
            self.turn().await;
        }
    }

    /// Waits for the answer to a PING. All frames that the other end sent before it have then arrived.
    pub(crate) async fn ping(&mut self) {
        let before = self.pongs;
        self.send(PING, 0, 0, b"question").await;
        while self.pongs == before {
            self.turn().await;
        }
    }

    /// Checks that the other end sends nothing more on a stream before its window grows.
    pub(crate) async fn expect_nothing(&mut self, stream: u32) {
        self.ping().await;
        assert_eq!(self.stream(stream).data, b"");
    }

    /// Waits for this many bytes of a stream and takes them. `refill` grants each received byte anew.
    pub(crate) async fn read(&mut self, stream: u32, length: usize, refill: bool) -> Vec<u8> {
        while self.stream(stream).data.len() < length {
            let state = self.stream(stream);
            assert!(!state.ended && state.reset.is_none(), "{state:?}");
            let before = state.window;
            self.turn().await;
            let used = before - self.stream(stream).window;
            if refill && used > 0 {
                self.grant(stream, u32::try_from(used).unwrap()).await;
            }
        }
        let data = &mut self.state(stream).data;
        let rest = data.split_off(length);
        std::mem::replace(data, rest)
    }

    /// Waits for exactly these bytes.
    pub(crate) async fn expect(&mut self, stream: u32, bytes: &[u8]) {
        assert!(self.read(stream, bytes.len(), true).await == bytes);
    }

    /// Waits for `END_STREAM`. No byte may precede it.
    pub(crate) async fn end(&mut self, stream: u32) {
        while !self.stream(stream).ended {
            assert_eq!(self.stream(stream).reset, None);
            self.turn().await;
        }
        assert_eq!(self.stream(stream).data, b"");
    }

    /// The closing handshake of a client, with code 1000. Then waits for `END_STREAM`.
    pub(crate) async fn close(&mut self, stream: u32) {
        self.data(stream, &masked(0x88, &[3, 0xe8])).await;
        self.expect(stream, b"\x88\x02\x03\xe8").await;
        self.end(stream).await;
    }

    pub(crate) fn stream(&self, stream: u32) -> &Stream {
        &self.streams[&stream]
    }

    fn state(&mut self, stream: u32) -> &mut Stream {
        self.streams.get_mut(&stream).unwrap()
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.write(&frame).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        let written = async {
            self.transport.write_all(bytes).await.unwrap();
            self.transport.flush().await.unwrap();
        };
        timeout(LIMIT, written).await.expect("the other end reads");
    }

    /// Receives the next frame.
    pub(crate) async fn turn(&mut self) {
        let frame = async {
            let mut head = [0; 9];
            self.transport.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.transport.read_exact(&mut payload).await.unwrap();
            (head, payload)
        };
        let (head, payload) = timeout(LIMIT, frame).await.expect("a frame");
        let (kind, flags, stream) = (head[3], head[4], (&head[5..]).get_u32());
        let mut fields = &payload[..];
        match kind {
            DATA => self.receive_data(stream, flags, &payload).await,
            HEADERS => self.receive_headers(stream, &payload),
            RST_STREAM => self.state(stream).reset = Some(fields.get_u32()),
            SETTINGS if flags & ACK != 0 => self.receive_acknowledgement(),
            SETTINGS => self.receive_settings(fields).await,
            PING if flags & ACK != 0 => self.pongs += 1,
            PING => self.send(PING, ACK, 0, &payload).await,
            GOAWAY => self.goaways.push((fields.get_u32(), fields.get_u32())),
            WINDOW_UPDATE => {
                if let Some(stream) = self.streams.get_mut(&stream) {
                    stream.credit += i64::from(fields.get_u32());
                }
            }
            _ => panic!("a frame of type {kind}"),
        }
    }

    async fn receive_data(&mut self, stream: u32, flags: u8, payload: &[u8]) {
        assert_eq!(flags & PADDED, 0, "h2 does not pad");
        let length = i64::try_from(payload.len()).unwrap();
        for id in [0, stream] {
            let state = self.state(id);
            state.window -= length;
            // An empty frame is legal at any window (RFC 9113, section 6.9.1).
            assert!(length == 0 || state.window >= 0, "over the window of {id}");
        }
        let state = self.state(stream);
        assert!(!state.ended && state.reset.is_none(), "{state:?}");
        state.data.extend(payload);
        state.ended = flags & END_STREAM != 0;
        // The tests are about the windows of streams. The window of the connection never closes.
        let used = DEFAULT_WINDOW - self.stream(0).window;
        if used > DEFAULT_WINDOW / 2 {
            self.grant(0, u32::try_from(used).unwrap()).await;
        }
    }

    /// The answer of a server, or the request of a client, which opens one stream.
    fn receive_headers(&mut self, stream: u32, block: &[u8]) {
        if !self.streams.contains_key(&stream) {
            assert_eq!((self.next_stream, stream), (1, 1));
            self.add(stream);
        }
        let state = self.state(stream);
        assert_eq!(state.status, None, "one header block");
        state.status = block.first().copied();
    }

    fn receive_acknowledgement(&mut self) {
        let window = self.unacknowledged.pop_front().unwrap();
        // The windows of all streams change by the difference (RFC 9113, section 6.9.2).
        for (_, stream) in self.streams.range_mut(1..) {
            stream.window += window - self.initial_window;
        }
        self.initial_window = window;
    }

    async fn receive_settings(&mut self, mut settings: &[u8]) {
        self.has_settings = true;
        while settings.has_remaining() {
            match (settings.get_u16(), i64::from(settings.get_u32())) {
                (INITIAL_WINDOW_SIZE, value) => {
                    for (_, stream) in self.streams.range_mut(1..) {
                        stream.credit += value - self.initial_credit;
                    }
                    self.initial_credit = value;
                }
                (ENABLE_CONNECT_PROTOCOL, value) => self.accepts_web_sockets = value == 1,
                _ => {}
            }
        }
        self.send(SETTINGS, ACK, 0, &[]).await;
    }
}

fn setting(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()
}
