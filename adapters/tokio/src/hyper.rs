//! The WebSocket upgrade of a server on hyper 1, over HTTP/1.1 and HTTP/2.
//!
//! hyper reads the request and writes the response. [`upgrade`] checks the request and makes the response. It also
//! returns a future of the [`WebSocket`], which you await in another task.
//!
//! # What hyper needs
//!
//! - Over HTTP/1.1, serve the connection [`with_upgrades`].
//! - Over HTTP/2, call [`enable_connect_protocol`] (RFC 8441, section 3). Each WebSocket is one stream.
//! - Over HTTP/2, set a large [`initial_connection_window_size`], for instance 4 MiB. All streams share this window. It
//!   also limits the unread DATA frames of a few bytes: about 1 per 512 bytes of the window, so 8192 with 4 MiB (h2
//!   0.4.20). A client that exceeds this number loses all its streams.
//! - A deadline for the head of a request: [`header_read_timeout`], with a timer. Without it, a client can send its
//!   request as slowly as it likes.
//!
//! [`with_upgrades`]: hyper::server::conn::http1::Connection::with_upgrades
//! [`enable_connect_protocol`]: hyper::server::conn::http2::Builder::enable_connect_protocol
//! [`initial_connection_window_size`]: hyper::server::conn::http2::Builder::initial_connection_window_size
//! [`header_read_timeout`]: hyper::server::conn::http1::Builder::header_read_timeout
//!
//! # Example
//!
//! ```
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use hyper::body::{Bytes, Incoming};
//! use sockless_tokio::ServerOptions;
//! use sockless_tokio::hyper::{is_upgrade_request, upgrade};
//!
//! /// A service: an echo, and a page for browsers.
//! async fn answer(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
//!     if !is_upgrade_request(&request) {
//!         return Ok(Response::new(Full::from("connect with a WebSocket\n")));
//!     }
//!     let (response, websocket) = match upgrade(&mut request, &ServerOptions::new()) {
//!         Ok(upgraded) => upgraded,
//!         Err(error) => return Ok(error.to_http().map(Full::from)),
//!     };
//!     tokio::spawn(async move {
//!         let mut websocket = websocket.await?;
//!         while let Some(message) = websocket.recv().await? {
//!             websocket.feed(message).await?;
//!         }
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//!     });
//!     Ok(response.map(|()| Full::default()))
//! }
//! ```

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{error, fmt};

use ::http::{Request, Response, StatusCode, Version};
use ::hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use sockless::handshake::{self, RequestError, ServerOptions};
use sockless::{Connection, ReadBuffer};

use crate::accept::with_deadlines;
use crate::websocket::WebSocket;

/// The transport of an upgraded connection: a whole TCP or TLS connection, or one stream of HTTP/2.
pub type Upgraded = TokioIo<::hyper::upgrade::Upgraded>;

/// Whether a request asks for a WebSocket. Use it if the same path also has a page.
#[must_use]
pub fn is_upgrade_request<B>(request: &Request<B>) -> bool {
    read(request).is_websocket()
}

/// Checks a request for a WebSocket. Returns the response for hyper to write, and a future of the connection.
///
/// Await the future in another task, because it waits until hyper has written the response. The header
/// `Sec-WebSocket-Protocol` of the response names the chosen subprotocol.
///
/// Options without [deadlines](crate::Config::deadlines) get the default [`Deadlines`](crate::Deadlines).
///
/// # Errors
///
/// [`UpgradeError`]. Answer with [`UpgradeError::to_http`].
///
/// # Example
///
/// See the [module](self).
pub fn upgrade<B>(
    request: &mut Request<B>,
    options: &ServerOptions<'_>,
) -> Result<(Response<()>, OnUpgrade), UpgradeError> {
    let (response, connection) = negotiate(request, &with_deadlines(options))?;
    let extensions = request.extensions_mut();
    let upgrade = extensions.remove::<::hyper::upgrade::OnUpgrade>();
    let on_upgrade = OnUpgrade {
        upgrade: upgrade.ok_or(UpgradeError::NotUpgradable)?,
        connection: Some(connection),
    };
    Ok((response.to_http(), on_upgrade))
}

/// A future of the [`WebSocket`]. It is ready when hyper has written the response.
///
/// The connection begins with the bytes that hyper has read after the request.
///
/// # Errors
///
/// The error of hyper. For instance, the client has left.
#[derive(Debug)]
#[must_use = "without it the connection ends after the response"]
pub struct OnUpgrade {
    upgrade: ::hyper::upgrade::OnUpgrade,
    /// `None` after the future was ready.
    connection: Option<Connection>,
}

impl Future for OnUpgrade {
    type Output = Result<WebSocket<Upgraded>, ::hyper::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let upgraded = ready!(Pin::new(&mut self.upgrade).poll(cx))?;
        let Some(connection) = self.connection.take() else {
            return Poll::Pending;
        };
        let transport = TokioIo::new(upgraded);
        let websocket = WebSocket::new(transport, connection, ReadBuffer::new());
        Poll::Ready(Ok(websocket))
    }
}

/// Why a request cannot become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeError {
    /// A request over HTTP/1.1 is wrong, or the options do not allow it.
    Http1(RequestError),
    /// A request over HTTP/2 is wrong, or the options do not allow it.
    Http2(RequestError),
    /// The request lacks the extension [`hyper::upgrade::OnUpgrade`]. Another part of the server has taken it, or the
    /// request does not come from hyper. This is a fault of the server.
    NotUpgradable,
}

impl UpgradeError {
    /// The status of the response. The client gets 500 for [`NotUpgradable`](Self::NotUpgradable). Otherwise the
    /// [`RequestError`] decides: 426 if the request does not ask for a WebSocket over HTTP/1.1, 403 for a page of
    /// another origin, and so on.
    #[must_use]
    pub fn status(self) -> StatusCode {
        let status = match self {
            Self::Http1(error) => error.status(),
            Self::Http2(error) => error.over_http2().0,
            Self::NotUpgradable => 500,
        };
        StatusCode::from_u16(status).unwrap_or_default()
    }

    /// The response that refuses the request. Its body is a line of text, or empty.
    #[must_use]
    pub fn to_http(self) -> Response<Vec<u8>> {
        match self {
            Self::Http1(error) => error.to_http(),
            Self::Http2(error) => error.to_http2(),
            Self::NotUpgradable => {
                let mut response = Response::default();
                *response.status_mut() = self.status();
                response
            }
        }
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http1(error) | Self::Http2(error) => error.fmt(f),
            Self::NotUpgradable => f.write_str("the request lacks the upgrade of hyper"),
        }
    }
}

impl error::Error for UpgradeError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Http1(error) | Self::Http2(error) => Some(error),
            Self::NotUpgradable => None,
        }
    }
}

/// Checks the request. Returns the response and the connection.
pub(crate) fn negotiate<B>(
    request: &Request<B>,
    options: &ServerOptions<'_>,
) -> Result<(handshake::Response<'static>, Connection), UpgradeError> {
    read(request)
        .negotiate(options)
        .map_err(if is_http2(request) {
            UpgradeError::Http2
        } else {
            UpgradeError::Http1
        })
}

pub(crate) fn read<B>(request: &Request<B>) -> handshake::Request<'_> {
    if is_http2(request) {
        let protocol = request.extensions().get::<Protocol>();
        handshake::Request::from_http_connect(request, protocol.map_or("", Protocol::as_str))
    } else {
        handshake::Request::from_http(request)
    }
}

fn is_http2<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_2
}
