//! A WebSocket connection of single frames, in either role.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::frames::{CLOSE, Frame, PING, PONG, Parser, TEXT, close, frame};
use super::{LIMIT, Server};
use crate::target::Transport;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The maximum size of the head of a request or a response, in bytes.
const HEAD: usize = 16 << 10;

pub(super) struct Connection {
    pub(super) transport: Box<dyn Transport>,
    role: Role,
    pub(super) parser: Parser,
    /// The address of this side, then the peer's.
    addresses: (SocketAddr, SocketAddr),
}

/// What a peer sends besides Pings and Pongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// The first byte of its first frame, with FIN set, and the data.
    Message(u8, Vec<u8>),
    Close(Vec<u8>),
}

impl Connection {
    /// Only connects the transport. `receive_buffer` is the size of its TCP receive buffer.
    pub(super) async fn connect(
        server: &Server,
        receive_buffer: Option<u32>,
    ) -> Result<Self, String> {
        let transport = server.target.connect_with(receive_buffer).await?;
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

    /// Opens a connection.
    pub(super) async fn open(server: &Server) -> Result<Self, String> {
        let mut connection = Self::connect(server, None).await?;
        connection.send(&request(server)).await?;
        connection.opened().await?;
        Ok(connection)
    }

    /// Opens this number of connections.
    pub(super) async fn open_many(server: &Server, number: usize) -> Result<Vec<Self>, String> {
        let mut connections = Vec::new();
        for _ in 0..number {
            connections.push(Self::open(server).await?);
        }
        Ok(connections)
    }

    /// Reads the response that opens it.
    pub(super) async fn opened(&mut self) -> Result<(), String> {
        let head = self.head().await?;
        if !head.starts_with("HTTP/1.1 101 ")
            || header(&head, "sec-websocket-accept") != Some(ACCEPT)
        {
            let line = head.lines().next().unwrap_or_default();
            return Err(format!("no opening handshake: {line}"));
        }
        Ok(())
    }

    /// Reads a client's request and accepts it.
    pub(super) async fn serve(tcp: TcpStream) -> Result<Self, String> {
        let mut connection = Self::new(Box::new(tcp), Role::Server)?;
        let head = connection.head().await?;
        let key = header(&head, "sec-websocket-key").ok_or("a request without a key")?;
        let accept = derive_accept_key(key.as_bytes());
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
                return Err("the stream ended before the opening handshake".into());
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

    /// Reads once. 0 means the end of the stream.
    async fn fill(&mut self) -> Result<usize, String> {
        match timeout(LIMIT, self.transport.read_buf(&mut self.parser.bytes)).await {
            Ok(Ok(n)) => Ok(n),
            Ok(Err(error)) => Err(format!("the stream broke: {error}")),
            Err(_) => Err(format!("nothing came for {} s", LIMIT.as_secs())),
        }
    }

    /// The next frame that is already in the buffer.
    fn buffered(&mut self) -> Result<Option<Frame>, String> {
        self.parser.next(match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        })
    }

    /// The next frame, or `None` at the end of the stream.
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
                n => Err(format!("the stream ended after {n} bytes of a frame")),
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
                "not the message {first:02x} of {} bytes, but {found:02x} of {} bytes",
                payload.len(),
                data.len()
            )),
            Received::Close(payload) => Err(format!("a Close frame {payload:?} and no message")),
        }
    }

    /// Sends a text and waits for its echo.
    pub(super) async fn echo(&mut self, text: &str) -> Result<(), String> {
        self.send_frame(TEXT, text.as_bytes()).await?;
        self.expect(TEXT, text.as_bytes()).await
    }

    /// Waits for a Close frame with exactly this payload.
    pub(super) async fn expect_close(&mut self, payload: &[u8]) -> Result<(), String> {
        match self.receive().await? {
            Received::Close(found) if found == payload => Ok(()),
            other => Err(format!("{other:?} and no Close frame {payload:?}")),
        }
    }

    /// Waits for the end of the stream. The peer may send only Pings before it.
    pub(super) async fn end(&mut self) -> Result<(), String> {
        self.end_after(&[PING]).await
    }

    /// As [`end`](Self::end). The peer may also send fragments of a text: a server may echo the start of a message.
    pub(super) async fn end_in_a_message(&mut self) -> Result<(), String> {
        self.end_after(&[PING, TEXT & 0x0f, 0]).await
    }

    async fn end_after(&mut self, allowed: &[u8]) -> Result<(), String> {
        while let Some(frame) = self.frame().await? {
            if !allowed.contains(&frame.first) {
                return Err(format!("a frame {:02x} and no end", frame.first));
            }
        }
        Ok(())
    }

    /// Closes with 1000 and waits for the end of the stream.
    pub(super) async fn close(mut self) -> Result<(), String> {
        self.send_frame(CLOSE, &close(1000, "")).await?;
        self.expect_close(&close(1000, "")).await?;
        self.end().await
    }

    /// Ends this direction: sends a `close_notify` if there is TLS, then FIN.
    pub(super) async fn shutdown(&mut self) -> Result<(), String> {
        let done = self.transport.shutdown().await;
        done.map_err(|error| format!("cannot shut down: {error}"))
    }

    /// Answers Pings until that time. Anything else is an error.
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

    /// The inode of the server's end, once the server has accepted it. `None` if the system does not show it.
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

/// A request for a WebSocket.
pub(super) fn request(server: &Server) -> Vec<u8> {
    request_for(server, server.target.path())
}

/// A request for a WebSocket at another path.
pub(super) fn request_for(server: &Server, path: &str) -> Vec<u8> {
    let host = server.target.authority();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

/// The value of a header.
fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = headers.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}
