//! Clients in memory.

use sockless::test_util::Role;
use sockless::{Config, ReadBuffer};
use sockless_tokio::{Error, WebSocket, accept};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
    DuplexStream, duplex,
};

/// A request that every default server accepts.
pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The request with one more header.
pub(crate) fn request_with(header: &str) -> String {
    REQUEST.replacen("\r\n", &format!("\r\n{header}\r\n"), 1)
}

/// Reads a response, without its body.
pub(crate) async fn head(transport: &mut (impl AsyncRead + Unpin)) -> String {
    // A buffer of one byte reads no byte after the head.
    let mut reader = BufReader::with_capacity(1, transport);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).await.unwrap() > 0, "{head}");
    }
    head
}

/// Reads until the server ends the transport.
pub(crate) async fn rest(transport: &mut DuplexStream) -> String {
    let mut all = String::new();
    transport.read_to_string(&mut all).await.unwrap();
    all
}

/// A client and a server after the opening handshake, over a transport that holds `capacity` bytes each way.
pub(crate) async fn open(capacity: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (ours, mut theirs) = duplex(capacity);
    let client = async {
        theirs.write_all(REQUEST.as_bytes()).await.unwrap();
        assert!(head(&mut theirs).await.starts_with("HTTP/1.1 101 "));
    };
    let (server, ()) = tokio::join!(accept(ours), client);
    (client_over(theirs), server.unwrap())
}

/// A client without deadlines, after the opening handshake.
pub(crate) fn client_over<S: AsyncRead + AsyncWrite + Unpin>(transport: S) -> WebSocket<S> {
    let connection = Role::Client.connection(&Config::new());
    WebSocket::new(transport, connection, ReadBuffer::new())
}

/// Sends every message back until the connection ends.
pub(crate) async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    websocket: &mut WebSocket<S>,
) -> Result<(), Error> {
    while let Some(message) = websocket.recv().await? {
        websocket.feed(message).await?;
    }
    Ok(())
}
