//! One end of an HTTP/2 connection, frame by frame. It can send what h2 would not, and it holds the other end to the windows
//! of RFC 9113 section 5.2.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// A test that waits longer than this for a frame has hung.
const LIMIT: Duration = Duration::from_mins(1);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// The types of frames (RFC 9113 section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

const INITIAL_WINDOW_SIZE: u16 = 4;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// The window of a new connection, and of a new stream without settings.
const DEFAULT_WINDOW: i64 = 65_535;

/// How the other end uses a stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// How much it may send.
    pub(crate) window: i64,
    /// How much this end may send.
    credit: i64,
    /// The first byte of the first header block.
    status: Option<u8>,
    /// What came in DATA frames and was not taken.
    pub(crate) data: Vec<u8>,
    /// `END_STREAM`.
    pub(crate) ended: bool,
    /// The code of an `RST_STREAM`.
    pub(crate) reset: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Peer<S> {
    transport: S,
    streams: BTreeMap<u32, Stream>,
    next_stream: u32,
    /// How much the other end may send on all streams together.
    window: i64,
    /// How much the other end may send on a new stream.
    initial_window: i64,
    /// What the settings say that it has not acknowledged. Until then the old size holds for it.
    unacknowledged: VecDeque<i64>,
    /// How much this end may send on all streams together, and on a new stream.
    credit: i64,
    initial_credit: i64,
    has_settings: bool,
    takes_web_sockets: bool,
    pongs: usize,
    /// The last stream and the code of each GOAWAY.
    pub(crate) goaways: Vec<(u32, u32)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// A client that gives each stream this window. The server has offered the extended CONNECT.
    pub(crate) async fn client(transport: S, window: u32) -> Self {
        let mut peer = Self::new(transport, 1);
        peer.write(PREFACE).await;
        peer.set_window(window).await;
        assert!(peer.takes_web_sockets, "SETTINGS_ENABLE_CONNECT_PROTOCOL");
        peer
    }

    /// A server that gives each stream this window, and the stream of the WebSocket that its client has opened.
    pub(crate) async fn server(transport: S, window: u32) -> (Self, u32) {
        let mut peer = Self::new(transport, 2);
        let mut preface = [0; PREFACE.len()];
        peer.transport.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, PREFACE);
        let takes_web_sockets = setting(ENABLE_CONNECT_PROTOCOL, 1);
        peer.send(SETTINGS, 0, 0, &takes_web_sockets).await;
        peer.unacknowledged.push_back(DEFAULT_WINDOW);
        peer.set_window(window).await;
        while peer.streams.is_empty() {
            peer.turn().await;
        }
        // `:status: 200`, by its index in the static table (RFC 7541 appendix A).
        peer.send(HEADERS, END_HEADERS, 1, &[0x88]).await;
        (peer, 1)
    }

    fn new(transport: S, next_stream: u32) -> Self {
        Self {
            transport,
            streams: BTreeMap::new(),
            next_stream,
            window: DEFAULT_WINDOW,
            initial_window: DEFAULT_WINDOW,
            unacknowledged: VecDeque::new(),
            credit: DEFAULT_WINDOW,
            initial_credit: DEFAULT_WINDOW,
            has_settings: false,
            takes_web_sockets: false,
            pongs: 0,
            goaways: Vec::new(),
        }
    }

    /// Opens a WebSocket.
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
            // Literal header field without indexing, new name (RFC 7541 section 6.2.2).
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
        assert_eq!(self.stream(stream).status, Some(0x88), "status 200");
        stream
    }

    /// Sends these bytes in DATA frames as large as may be.
    pub(crate) async fn data(&mut self, stream: u32, bytes: &[u8]) {
        for piece in bytes.chunks(16_384) {
            self.reserve(stream, piece.len()).await;
            self.send(DATA, 0, stream, piece).await;
        }
    }

    /// Sends these bytes in one DATA frame with so much padding.
    pub(crate) async fn padded(&mut self, stream: u32, bytes: &[u8], padding: u8) {
        let payload = [&[padding], bytes, &vec![0; usize::from(padding)]].concat();
        self.reserve(stream, payload.len()).await;
        self.send(DATA, PADDED, stream, &payload).await;
    }

    /// Waits until the other end takes so many bytes, padding included.
    async fn reserve(&mut self, stream: u32, length: usize) {
        let length = i64::try_from(length).unwrap();
        while self.credit < length || self.stream(stream).credit < length {
            self.turn().await;
        }
        self.credit -= length;
        self.streams.get_mut(&stream).unwrap().credit -= length;
    }

    /// Lets the other end send so many bytes more on a stream.
    pub(crate) async fn grant(&mut self, stream: u32, n: u32) {
        self.streams.get_mut(&stream).unwrap().window += i64::from(n);
        self.send(WINDOW_UPDATE, 0, stream, &n.to_be_bytes()).await;
    }

    /// Changes the window of all streams, and waits until the other end knows it.
    pub(crate) async fn set_window(&mut self, window: u32) {
        let size = setting(INITIAL_WINDOW_SIZE, window);
        self.unacknowledged.push_back(i64::from(window));
        self.send(SETTINGS, 0, 0, &size).await;
        while !self.unacknowledged.is_empty() || !self.has_settings {
            self.turn().await;
        }
    }

    /// Waits for the answer to a PING: what the other end had sent before has come then.
    pub(crate) async fn ping(&mut self) {
        let before = self.pongs;
        self.send(PING, 0, 0, b"question").await;
        while self.pongs == before {
            self.turn().await;
        }
    }

    /// Waits for so many bytes of a stream and takes them. Each byte that comes is granted anew if `refill` says so.
    pub(crate) async fn read(&mut self, stream: u32, length: usize, refill: bool) -> Vec<u8> {
        while self.stream(stream).data.len() < length {
            let before = self.stream(stream).window;
            let state = self.stream(stream);
            assert!(!state.ended && state.reset.is_none(), "{state:?}");
            self.turn().await;
            let used = before - self.stream(stream).window;
            if refill && used > 0 {
                self.grant(stream, u32::try_from(used).unwrap()).await;
            }
        }
        let data = &mut self.streams.get_mut(&stream).unwrap().data;
        let rest = data.split_off(length);
        std::mem::replace(data, rest)
    }

    /// Waits for `END_STREAM`. No byte may come before it.
    pub(crate) async fn end(&mut self, stream: u32) {
        while !self.stream(stream).ended {
            assert_eq!(self.stream(stream).reset, None);
            self.turn().await;
        }
        assert_eq!(self.stream(stream).data, b"");
    }

    /// What is under it.
    pub(crate) fn transport(&mut self) -> &mut S {
        &mut self.transport
    }

    pub(crate) fn stream(&self, stream: u32) -> &Stream {
        &self.streams[&stream]
    }

    fn add(&mut self, stream: u32) {
        let state = Stream {
            window: self.initial_window,
            credit: self.initial_credit,
            ..Stream::default()
        };
        self.streams.insert(stream, state);
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

    /// Takes the next frame.
    pub(crate) async fn turn(&mut self) {
        let frame = async {
            let mut head = [0; 9];
            self.transport.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.transport.read_exact(&mut payload).await.unwrap();
            (head, payload)
        };
        let (head, payload) = timeout(LIMIT, frame).await.expect("a frame comes");
        let (kind, flags, stream) = (head[3], head[4], number(&head[5..]));
        match kind {
            DATA => self.take_data(stream, flags, &payload).await,
            HEADERS => self.take_headers(stream, &payload),
            RST_STREAM => {
                self.streams.get_mut(&stream).unwrap().reset = Some(number(&payload));
            }
            SETTINGS if flags & ACK != 0 => self.take_acknowledgement(),
            SETTINGS => self.take_settings(&payload).await,
            PING if flags & ACK != 0 => self.pongs += 1,
            PING => self.send(PING, ACK, 0, &payload).await,
            GOAWAY => self.goaways.push((number(&payload), number(&payload[4..]))),
            WINDOW_UPDATE => {
                let n = i64::from(number(&payload));
                if stream == 0 {
                    self.credit += n;
                } else if let Some(stream) = self.streams.get_mut(&stream) {
                    stream.credit += n;
                }
            }
            _ => panic!("a frame of type {kind}"),
        }
    }

    async fn take_data(&mut self, stream: u32, flags: u8, payload: &[u8]) {
        assert_eq!(flags & PADDED, 0, "h2 does not pad");
        let length = i64::try_from(payload.len()).unwrap();
        let state = self.streams.get_mut(&stream).unwrap();
        assert!(!state.ended && state.reset.is_none(), "{state:?}");
        // An empty frame may be sent whatever the window (RFC 9113 section 6.9.1).
        if length > 0 {
            state.window -= length;
            self.window -= length;
            assert!(state.window >= 0, "over the window of stream {stream}");
            assert!(self.window >= 0, "over the window of the connection");
        }
        state.data.extend(payload);
        state.ended = flags & END_STREAM != 0;
        // What tests are about is the windows of streams.
        if self.window < DEFAULT_WINDOW / 2 {
            let n = u32::try_from(DEFAULT_WINDOW - self.window).unwrap();
            self.window = DEFAULT_WINDOW;
            self.send(WINDOW_UPDATE, 0, 0, &n.to_be_bytes()).await;
        }
    }

    /// The answer of a server, or the request of the one client that there is.
    fn take_headers(&mut self, stream: u32, block: &[u8]) {
        if !self.streams.contains_key(&stream) {
            assert_eq!((self.next_stream, stream), (2, 1));
            self.add(stream);
        }
        let state = self.streams.get_mut(&stream).unwrap();
        assert_eq!(state.status, None, "one header block");
        state.status = block.first().copied();
    }

    fn take_acknowledgement(&mut self) {
        let window = self.unacknowledged.pop_front().unwrap();
        // The windows of all streams change by the difference (RFC 9113 section 6.9.2).
        for stream in self.streams.values_mut() {
            stream.window += window - self.initial_window;
        }
        self.initial_window = window;
    }

    async fn take_settings(&mut self, payload: &[u8]) {
        self.has_settings = true;
        for setting in payload.chunks(6) {
            let value = number(&setting[2..]);
            match u16::from_be_bytes([setting[0], setting[1]]) {
                INITIAL_WINDOW_SIZE => {
                    let value = i64::from(value);
                    for stream in self.streams.values_mut() {
                        stream.credit += value - self.initial_credit;
                    }
                    self.initial_credit = value;
                }
                ENABLE_CONNECT_PROTOCOL => self.takes_web_sockets = value == 1,
                _ => {}
            }
        }
        self.send(SETTINGS, ACK, 0, &[]).await;
    }
}

fn setting(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// The number of 31 bits that this begins with.
fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0] & 0x7f, bytes[1], bytes[2], bytes[3]])
}
