//! The opening handshake (RFC 6455, section 4; RFC 8441; RFC 9220).
//!
//! The opening handshake is one HTTP request and one HTTP response:
//!
//! - On a server, a [`ServerHandshake`] reads the [`Request`] and answers it under your [`ServerOptions`].
//! - On a client, a [`ClientHandshake`] writes the request for a [`Uri`] under your [`ClientOptions`]. Then it reads
//!   the [`Response`].
//!
//! Both end with a [`Connection`], or with an error that says what to do.
//!
//! A server's response is the beginning of [`Connection::output`], unless an HTTP library writes it. A client has no
//! connection until the server answers. Until then, it writes [`ClientHandshake::output`].
//!
//! # Where to find what
//!
//! | you want to | use |
//! |---|---|
//! | accept a WebSocket | [`ServerHandshake::accept`] |
//! | connect to a server | [`ClientHandshake::new`] |
//! | serve a plain page at `/` next to the WebSocket | [`Request::respond`] and [`Connection::refused`] |
//! | refuse with your own status, such as 401 | [`Request::respond`] and [`Connection::refused`] |
//! | choose a subprotocol | [`ServerOptions::subprotocols`], [`ClientOptions::subprotocols`] |
//! | learn which subprotocol was chosen | [`Request::negotiate`] on a server, [`Response::subprotocol`] |
//! | read a header or a cookie | [`Request::single_header`] |
//! | send a header, a cookie or a password | [`ServerOptions::headers`], [`ClientOptions::headers`] |
//! | decide which web pages may connect | [`ServerOptions::origins`] |
//! | limit the time | [`Config::deadlines`], [`ServerHandshake::accept`], [`ClientHandshake::handle_timeout`] |
//! | limit the size | [`Config::max_head_size`], [`Config::max_headers`] |
//! | compress messages | `Config::deflate`, with the feature `deflate` |
//! | use hyper, axum or h2 | [`Request::from_http`](Request#method.from_http) or `from_http_connect`, with the feature `http` |
//!
//! # TLS: `wss:`
//!
//! sockless does not encrypt. You bring TLS, for instance rustls, and give sockless the decrypted bytes. The handshake
//! is the same with and without TLS.
//!
//! - A client asks [`Uri::is_secure`]. If it is true, connect to [`Uri::host`] and [`Uri::port`], which is 443 by
//!   default. Complete the TLS handshake for that host (RFC 6455, section 4.1). Then write [`ClientHandshake::output`]
//!   through TLS.
//! - A server listens on port 443 and completes the TLS handshake before it reads the request.
//! - If you use ALPN, offer `http/1.1` only. `h2` selects HTTP/2, which needs an HTTP library.
//!
//! # Proxies
//!
//! - **A client that must use a proxy** first asks the proxy for a tunnel: `CONNECT host:port` (RFC 6455, section 4.1).
//!   sockless does not send that request. After the proxy's answer, the tunnel is the transport. TLS starts inside it.
//! - **A server at a reverse proxy** needs a proxy that forwards `Upgrade` and `Connection`. Proxies drop these headers
//!   unless you configure them. Let the proxy forward `Host` unchanged, or see [`Origins`].
//! - Many proxies close a silent connection after about a minute. Set [`Config::deadlines`] on one side: its Pings keep
//!   the connection alive.
//! - The proxy may add the client's address as `X-Forwarded-For`. Any client can send this header, so trust it only if
//!   your proxy overwrites it.
//!
//! # With an HTTP library
//!
//! If an HTTP library reads and writes the heads, use lists of headers. The checks are the same.
//!
//! - A server calls [`Request::new`] and then [`Request::negotiate`]. The library writes the response.
//! - A client lets the library send [`ClientHandshake::headers`]. It gives the answer as a [`Response::new`] to
//!   [`ClientHandshake::establish`].
//!
//! # Over HTTP/2 and HTTP/3
//!
//! Over HTTP/2 and HTTP/3 a WebSocket begins with an extended CONNECT (RFC 8441, RFC 9220). One stream is the transport
//! of one connection. Your HTTP library owns the streams. The lists of headers contain the pseudo-header fields, such
//! as `:method`.
//!
//! - A server sets `SETTINGS_ENABLE_CONNECT_PROTOCOL` to 1 (RFC 8441, section 3). It gives the fields of a request to
//!   [`Request::extended_connect`]. It answers with the status and headers of [`Request::negotiate`], or with
//!   [`RequestError::over_http2`].
//! - A client waits for that setting. Then it opens a stream with the headers of [`ClientHandshake::extended_connect`],
//!   and gives the response to [`ClientHandshake::establish`].
//!
//! Three things differ from HTTP/1.1 (RFC 8441, section 5). The method is CONNECT. The status is 200. The headers
//! `Upgrade`, `Connection`, `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` do not exist. Everything else is the same:
//! subprotocols, extensions, origins and all frames. The client masks its frames here, too.
//!
//! | event or action | what to do |
//! |---|---|
//! | a DATA frame arrives | put its bytes into the [`ReadBuffer`], then release the flow-control window |
//! | `END_STREAM` arrives, which is like TCP's FIN | take the events, then call [`handle_eof`] |
//! | `RST_STREAM` arrives, or the HTTP connection ends | call [`handle_reset`] |
//! | [`TransportAction::Write`] | send DATA frames, as many as flow control allows |
//! | [`TransportAction::ShutdownWrite`] | send an empty DATA frame with `END_STREAM` |
//! | [`TransportAction::Close`], all output written | send `END_STREAM`, if you have not |
//! | [`TransportAction::Close`], output left | reset it with [`CANCEL`] or [`H3_REQUEST_CANCELLED`], like TCP's RST |
//!
//! After a reset without the peer's Close frame, the [`CloseEvent`](crate::CloseEvent) has code 1006.
//!
//! [`CANCEL`]: crate::TransportAction::CANCEL
//! [`Config::deadlines`]: crate::Config::deadlines
//! [`Config::max_head_size`]: crate::Config::max_head_size
//! [`Config::max_headers`]: crate::Config::max_headers
//! [`Connection`]: crate::Connection
//! [`Connection::output`]: crate::Connection::output
//! [`Connection::refused`]: crate::Connection::refused
//! [`H3_REQUEST_CANCELLED`]: crate::TransportAction::H3_REQUEST_CANCELLED
//! [`handle_eof`]: crate::Connection::handle_eof
//! [`handle_reset`]: crate::Connection::handle_reset
//! [`ReadBuffer`]: crate::ReadBuffer
//! [`TransportAction::Close`]: crate::TransportAction::Close
//! [`TransportAction::ShutdownWrite`]: crate::TransportAction::ShutdownWrite
//! [`TransportAction::Write`]: crate::TransportAction::Write
//!
//! ```
//! use sockless::handshake::{ClientHandshake, ClientOptions, Request, ServerOptions, Uri};
//! use sockless::Seed;
//!
//! let uri = Uri::parse("wss://example.com/chat")?;
//! let seed = Seed::new([7; 32]);
//! let mut client = ClientHandshake::extended_connect(&uri, &ClientOptions::default(), seed)?;
//!
//! // The client's HTTP library sends these fields, and the server's library receives them.
//! let fields = client.headers();
//! assert_eq!((fields[0].name, fields[0].value), (":method", &b"CONNECT"[..]));
//! let options = ServerOptions::default();
//! let (response, server) = Request::extended_connect(fields).negotiate(&options)?;
//!
//! // After the response with status 200, both sides have a connection.
//! assert_eq!(response.status(), 200);
//! let (_, connection) = client.establish(response)?;
//! assert!(connection.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// | concern | file |
// |---|---|
// | a server reads the request within its deadline, and answers | `server.rs`, `request.rs` |
// | the checks of a server: host, origin, subprotocol, extensions | `agreement.rs`, `origin.rs`, `options.rs` |
// | a refusal: its status, headers and body | `request_error.rs`, written by `response.rs` |
// | a client writes the request, and checks the response | `client.rs`, `response.rs`, `response_error.rs` |
// | the differences between HTTP/1.1 and HTTP/2 or HTTP/3 | `bootstrap.rs` |
// | URIs, `Host` values, the client's key | `uri.rs`, `key.rs` |
// | errors in the application's input | `input_error.rs` |
// | the end of a head, and its lines | `head.rs`, `head_error.rs` |
// | header fields, and those that a server needs | `headers.rs`, `fields.rs` |
// | the negotiation of permessage-deflate | `deflate.rs`, `no_deflate.rs`, `extensions.rs` |
// | the types of the crate `http`, the traits of `std::io` | `http.rs`, `std_io.rs` |

mod agreement;
mod bootstrap;
mod client;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "no_deflate.rs"]
mod deflate;
mod extensions;
mod fields;
mod head;
mod head_error;
mod headers;
#[cfg(feature = "http")]
mod http;
mod input_error;
mod key;
mod options;
mod origin;
mod request;
mod request_error;
mod response;
mod response_error;
mod server;
#[cfg(feature = "std")]
mod std_io;
mod uri;

pub use client::ClientHandshake;
pub use headers::Header;
pub use input_error::InputError;
pub use options::{ClientOptions, ServerOptions};
pub use origin::Origins;
pub use request::Request;
pub use request_error::RequestError;
pub use response::Response;
pub use response_error::ResponseError;
pub use server::ServerHandshake;
pub use uri::Uri;
