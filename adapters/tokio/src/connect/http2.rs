//! A WebSocket in a stream of HTTP/2 (RFC 8441).

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{Builder, Connection, SendRequest};
use h2::ext::Protocol;
use h2::{Ping, Reason, RecvStream, SendStream};
use sockless::ReadBuffer;
use sockless::handshake::{self, ClientHandshake, ClientOptions, Header};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::connect::body::WAIT;
use crate::connect::error::{ConnectError, Step};
use crate::connect::handshake::{seed, with_deadlines};
use crate::connect::limit::Limit;
use crate::connect::response::{BODY, Response};
use crate::connect::target::Target;
use crate::connect::transport::{BoxedStream, HttpVersion, Security, Task, Transport};
use crate::connect::{Connector, Opened, PROTOCOLS};
use crate::http2::Stream;
use crate::websocket::WebSocket;

/// The window of the stream and of the connection: how many unread bytes the server may send.
const WINDOW: u32 = 256 << 10;

/// How many unread DATA frames h2 accepts, in its unit of 256 bytes for each short frame. The smallest frame of a
/// WebSocket has two bytes. So the window is full first, and a slow reader never ends the connection.
const FRAMES: usize = (WINDOW as usize / 2) * 256;

/// How long the connection may take to write its last frames after the WebSocket is dropped.
const LINGER: Duration = Duration::from_secs(10);

/// Which versions of HTTP the client offers to a server with TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpVersions {
    /// HTTP/1.1 only. This is the default, as in browsers: most servers with HTTP/2 have no WebSocket there.
    #[default]
    Http11,
    /// HTTP/2, or HTTP/1.1 if the server has no WebSocket over HTTP/2.
    ///
    /// If a server speaks HTTP/2 without RFC 8441, the first connection ends, and the client makes a second one.
    PreferHttp2,
}

impl HttpVersions {
    /// The names for ALPN (RFC 7301).
    pub(crate) const fn protocols(self) -> &'static [&'static [u8]] {
        match self {
            Self::Http11 => PROTOCOLS,
            Self::PreferHttp2 => &[b"h2", b"http/1.1"],
        }
    }
}

/// # With the feature `http2`
impl Connector<'_> {
    /// Sets the versions of HTTP to offer. Default: [`HttpVersions::Http11`].
    ///
    /// Without TLS, the version is always HTTP/1.1.
    #[must_use]
    pub const fn with_http_versions(mut self, versions: HttpVersions) -> Self {
        self.http_versions = versions;
        self
    }
}

/// Opens a WebSocket in a stream of a new connection. `None` if the server has no WebSocket over HTTP/2.
pub(crate) async fn open(
    transport: BoxedStream,
    peer: SocketAddr,
    target: &Target,
    options: &ClientOptions<'_>,
    limit: Limit,
) -> Result<Option<Opened>, ConnectError> {
    let largest_head = options.config.max_head_size;
    let (requests, task) = limit
        .run(Step::Http2, start(transport, largest_head))
        .await?;
    // RFC 8441, section 3: without the setting, the request would be malformed.
    if !requests.is_extended_connect_protocol_enabled() {
        return Ok(None);
    }
    let exchange = exchange(requests, target, options);
    let Some(answer) = limit.run(Step::Handshake, exchange).await? else {
        return Ok(None);
    };
    let mut response = answer.head;
    let Some(connection) = answer.connection else {
        response.body = start_of(answer.recv).await;
        return Err(ConnectError::Refused(Box::new(response)));
    };
    let stream = Stream::new(answer.send, answer.recv);
    let transport = Transport::new(Box::new(stream), peer, Security::Tls, HttpVersion::Http2);
    let transport = transport.with_task(task);
    let websocket = WebSocket::new(transport, connection, ReadBuffer::new());
    Ok(Some((websocket, response)))
}

struct Answer {
    head: Response,
    /// `None` if the server refused.
    connection: Option<sockless::Connection>,
    send: SendStream<Bytes>,
    recv: RecvStream,
}

/// Starts a connection and its task, and waits for the settings of the server. The task ends after both parts of the
/// result are dropped.
async fn start(
    transport: BoxedStream,
    largest_head: usize,
) -> Result<(SendRequest<Bytes>, Task), ConnectError> {
    let (requests, mut connection) = Builder::new()
        .enable_push(false)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .data_frame_budget(FRAMES)
        .max_header_list_size(u32::try_from(largest_head).unwrap_or(u32::MAX))
        .handshake(transport)
        .await
        .map_err(failed)?;
    let pings = connection.ping_pong();
    let (ending, ended) = oneshot::channel();
    let handle = tokio::spawn(drive(connection, ended));
    // SETTINGS is the first frame of a server. So the settings have arrived before the answer to a PING.
    if let Some(mut pings) = pings {
        pings.ping(Ping::opaque()).await.map_err(failed)?;
    }
    Ok((requests, Task { ending, handle }))
}

/// Drives the connection until its stream ends. A peer that stops reading cannot keep it.
async fn drive(connection: Connection<BoxedStream>, ended: oneshot::Receiver<Infallible>) {
    let mut connection = pin!(connection);
    tokio::select! {
        // If this fails, the stream fails as well and reports the error.
        _ = &mut connection => return,
        _ = ended => {}
    }
    _ = timeout(LINGER, connection).await;
}

/// Sends the request and reads the head of the response. `None` if the server wants HTTP/1.1 for it.
async fn exchange(
    requests: SendRequest<Bytes>,
    target: &Target,
    options: &ClientOptions<'_>,
) -> Result<Option<Answer>, ConnectError> {
    // RFC 9113, section 8.2.1: names are in lower case.
    let lower = |header: &Header<'_>| header.name.to_ascii_lowercase();
    let names: Vec<String> = options.headers.iter().map(lower).collect();
    let headers: Vec<Header<'_>> = names
        .iter()
        .zip(options.headers)
        .map(|(name, Header { value, .. })| Header { name, value })
        .collect();
    let options = with_deadlines(options).with_headers(&headers);
    let mut handshake = ClientHandshake::extended_connect(&target.uri, &options, seed()?)?;
    // Only the crate `http` refuses this: it has lower limits than HTTP.
    let request = handshake.to_http();
    let mut request = request.map_err(|error| ConnectError::Http2(io::Error::other(error)))?;
    let protocol = Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    let mut requests = requests.ready().await.map_err(failed)?;
    let (response, send) = requests.send_request(request, false).map_err(failed)?;
    let response = match response.await {
        // RFC 9113, section 7.
        Err(error) if error.reason() == Some(Reason::HTTP_1_1_REQUIRED) => return Ok(None),
        response => response.map_err(failed)?,
    };
    let (head, connection) = handshake.establish(handshake::Response::from_http(&response))?;
    Ok(Some(Answer {
        head: Response::of(&head),
        connection,
        send,
        recv: response.into_body(),
    }))
}

async fn start_of(mut incoming: RecvStream) -> Bytes {
    let mut body = BytesMut::new();
    let reading = async {
        while body.len() < BODY {
            let Some(Ok(data)) = poll_fn(|cx| incoming.poll_data(cx)).await else {
                return;
            };
            body.extend_from_slice(&data);
        }
    };
    _ = timeout(WAIT, reading).await;
    body.truncate(BODY);
    body.freeze()
}

fn failed(error: h2::Error) -> ConnectError {
    ConnectError::Http2(io::Error::other(error))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use tokio::io::duplex;
    use tokio::time::Instant;

    use super::*;

    /// The peer takes no byte, so the connection cannot even write that it ends.
    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_reading_cannot_keep_the_connection() {
        let (transport, _peer) = duplex(30);
        let (requests, connection) = Builder::new()
            .handshake::<BoxedStream, Bytes>(Box::new(transport))
            .await
            .unwrap();
        let (ending, ended) = oneshot::channel();
        let driving = tokio::spawn(drive(connection, ended));
        tokio::task::yield_now().await;
        drop((requests, ending));
        let start = Instant::now();
        driving.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), LINGER.as_secs());
    }
}
