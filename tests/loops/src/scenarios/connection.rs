//! A WebSocket of frames written by hand, in either role.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::frames::{CLOSE, Frame, PING, PONG, Parser, Role, TEXT, close, frame};
use super::{LIMIT, Server};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Enough for the head of a request or a response.
const HEAD: usize = 16 << 10;

/// TCP, or TLS over it.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

pub(super) struct Connection {
    pub(super) transport: Box<dyn Transport>,
    role: Role,
    pub(super) parser: Parser,
    /// Both ends, this one first.
    addresses: (SocketAddr, SocketAddr),
}

/// What came, but for Pings and Pongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// With the first byte of its first frame, but with FIN.
    Message(u8, Vec<u8>),
    Close(Vec<u8>),
}

impl Connection {
    /// Only the transport, whose receive buffer has this size if one is given.
    pub(super) async fn connect(
        server: &Server,
        receive_buffer: Option<u32>,
    ) -> Result<Self, String> {
        let target = &server.target;
        let tcp = target.connect_with(receive_buffer).await?;
        let transport: Box<dyn Transport> = if target.is_tls() {
            Box::new(target.encrypt(tcp).await?)
        } else {
            Box::new(tcp)
        };
        Self::new(transport, Role::Client)
    }

    fn new(transport: Box<dyn Transport>, role: Role) -> Result<Self, String> {
        let tcp = transport.tcp();
        let addresses = tcp
            .local_addr()
            .and_then(|near| Ok((near, tcp.peer_addr()?)));
        Ok(Self {
            transport,
            role,
            parser: Parser::default(),
            addresses: addresses.map_err(|error| error.to_string())?,
        })
    }

    /// A connection that is open.
    pub(super) async fn open(server: &Server) -> Result<Self, String> {
        let mut connection = Self::connect(server, None).await?;
        connection.send(&request(server)).await?;
        connection.opened().await?;
        Ok(connection)
    }

    /// Reads the answer that opens it.
    pub(super) async fn opened(&mut self) -> Result<(), String> {
        let head = self.head().await?;
        let accept = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is = name.eq_ignore_ascii_case("sec-websocket-accept");
            is.then_some(value.trim())
        });
        if !head.starts_with("HTTP/1.1 101 ") || accept != Some(ACCEPT) {
            let line = head.lines().next().unwrap_or_default();
            return Err(format!("no opening handshake: {line}"));
        }
        Ok(())
    }

    /// The server's side of a client's connection: reads its request and answers it.
    pub(super) async fn serve(tcp: TcpStream) -> Result<Self, String> {
        let mut connection = Self::new(Box::new(tcp), Role::Server)?;
        let head = connection.head().await?;
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is = name.eq_ignore_ascii_case("sec-websocket-key");
            is.then_some(value.trim())
        });
        let accept = derive_accept_key(key.ok_or("a request without a key")?.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        connection.send(answer.as_bytes()).await?;
        Ok(connection)
    }

    /// Reads up to an empty line.
    pub(super) async fn head(&mut self) -> Result<String, String> {
        loop {
            let unread = self.parser.unread();
            let end = unread.windows(4).position(|it| it == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8_lossy(&unread[..end]).into_owned();
                self.parser.skip(end + 4);
                return Ok(head);
            }
            if unread.len() > HEAD {
                return Err(String::from("the head does not end"));
            }
            if self.fill().await? == 0 {
                return Err(String::from(
                    "the stream ended before the opening handshake",
                ));
            }
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = async {
            self.transport.write_all(bytes).await?;
            self.transport.flush().await
        };
        match timeout(LIMIT, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("cannot write: {error}")),
            Err(_) => Err(String::from("it takes no more bytes")),
        }
    }

    pub(super) async fn send_frame(&mut self, first: u8, payload: &[u8]) -> Result<(), String> {
        self.send(&frame(self.role, first, payload)).await
    }

    /// Reads once; 0 bytes are the end of the stream.
    async fn fill(&mut self) -> Result<usize, String> {
        match timeout(LIMIT, self.transport.read_buf(&mut self.parser.bytes)).await {
            Ok(Ok(n)) => Ok(n),
            Ok(Err(error)) => Err(format!("the stream broke: {error}")),
            Err(_) => Err(format!("nothing came for {} s", LIMIT.as_secs())),
        }
    }

    /// The next frame that is in the buffer already.
    pub(super) fn buffered(&mut self) -> Result<Option<Frame>, String> {
        let from = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        self.parser.next(from)
    }

    /// The next frame; none at the end of the stream.
    pub(super) async fn frame(&mut self) -> Result<Option<Frame>, String> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(Some(frame));
            }
            if self.fill().await? > 0 {
                continue;
            }
            return match self.parser.unread().len() {
                0 => Ok(None),
                n => Err(format!(
                    "the stream ended in a frame, after {n} bytes of it"
                )),
            };
        }
    }

    /// The next message or Close frame. Answers Pings.
    pub(super) async fn receive(&mut self) -> Result<Received, String> {
        let mut message: Option<(u8, Vec<u8>)> = None;
        loop {
            let frame = self.frame().await?;
            let Frame { first, payload } = frame.ok_or("the stream ended without a Close frame")?;
            match first & 0xf {
                8 => return Ok(Received::Close(payload)),
                9 => self.send_frame(PONG, &payload).await?,
                10 => {}
                0 => match &mut message {
                    Some((_, data)) => data.extend(payload),
                    None => return Err(String::from("a continuation of no message")),
                },
                _ => message = Some((first | 0x80, payload)),
            }
            if first & 0x88 == 0x80
                && let Some((first, payload)) = message.take()
            {
                return Ok(Received::Message(first, payload));
            }
        }
    }

    /// Waits for exactly this message.
    pub(super) async fn expect(&mut self, first: u8, payload: &[u8]) -> Result<(), String> {
        match self.receive().await? {
            Received::Message(found, data) if found == first && data == payload => Ok(()),
            Received::Message(found, data) => Err(format!(
                "a message {found:02x} of {} bytes, and not {first:02x} of {}, or other bytes",
                data.len(),
                payload.len()
            )),
            Received::Close(payload) => Err(format!("a Close frame {payload:?} and no message")),
        }
    }

    /// Sends a text that has to come back.
    pub(super) async fn echo(&mut self, text: &str) -> Result<(), String> {
        self.send_frame(TEXT, text.as_bytes()).await?;
        self.expect(TEXT, text.as_bytes()).await
    }

    /// Waits for a Close frame with just this.
    pub(super) async fn expect_close(&mut self, payload: &[u8]) -> Result<(), String> {
        match self.receive().await? {
            Received::Close(found) if found == payload => Ok(()),
            other => Err(format!("{other:?} and no Close frame {payload:?}")),
        }
    }

    /// Waits for the end of the stream. Nothing but Pings may come before it.
    pub(super) async fn end(&mut self) -> Result<(), String> {
        while let Some(frame) = self.frame().await? {
            if frame.first != PING {
                return Err(format!("a frame {:02x} and no end", frame.first));
            }
        }
        Ok(())
    }

    /// As `end`. Fragments of one more message may come before: a server may echo what it has of it.
    pub(super) async fn end_in_a_message(&mut self) -> Result<(), String> {
        while let Some(frame) = self.frame().await? {
            if ![PING, TEXT & 0x0f, 0].contains(&frame.first) {
                return Err(format!("a frame {:02x} and no end", frame.first));
            }
        }
        Ok(())
    }

    /// The closing handshake, with 1000.
    pub(super) async fn close(mut self) -> Result<(), String> {
        self.send_frame(CLOSE, &close(1000, "")).await?;
        self.expect_close(&close(1000, "")).await?;
        self.end().await
    }

    /// Ends this direction only: by FIN, and in TLS by a `close_notify` before it.
    pub(super) async fn shutdown(&mut self) -> Result<(), String> {
        let done = self.transport.shutdown().await;
        done.map_err(|error| format!("cannot shut down: {error}"))
    }

    /// Answers Pings until then.
    pub(super) async fn idle(&mut self, until: Instant) -> Result<(), String> {
        loop {
            match self.buffered()? {
                Some(frame) if frame.first == PING => {
                    self.send_frame(PONG, &frame.payload).await?;
                }
                Some(frame) => return Err(format!("a frame {:02x} while idle", frame.first)),
                None => match timeout_at(until, self.fill()).await {
                    Err(_) => return Ok(()),
                    Ok(Ok(0)) => return Err(String::from("the stream ended while idle")),
                    Ok(read) => _ = read?,
                },
            }
        }
    }

    /// Resets TCP.
    pub(super) fn reset(self) -> Result<(), String> {
        let set = self.transport.tcp().set_zero_linger();
        set.map_err(|error| error.to_string())
    }

    /// The inode of the server's end, once the server has accepted it. `None` if that cannot be seen.
    pub(super) async fn accepted(&self, server: &Server) -> Option<u64> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            let (near, far) = self.addresses;
            if let Some(inode) = server.process.socket(near, far) {
                return server.process.has_socket(inode).then_some(inode);
            }
            sleep(Duration::from_millis(10)).await;
        }
        None
    }
}

/// The head of a request for a WebSocket.
pub(super) fn request(server: &Server) -> Vec<u8> {
    request_for(server, server.target.path())
}

/// The same, for another path.
pub(super) fn request_for(server: &Server, path: &str) -> Vec<u8> {
    let host = server.target.authority();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}
