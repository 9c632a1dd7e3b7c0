//! The opening handshake (RFC 6455 section 4, RFC 8441, RFC 9220).
//!
//! Over HTTP/1.1 it is one request and one response:
//!
//! - A server makes a [`ServerHandshake`], which reads the [`Request`] and answers it under the [`ServerOptions`].
//! - A client makes a [`ClientHandshake`], which writes the request for a [`Uri`] under the [`ClientOptions`], and reads the
//!   [`Response`].
//!
//! The outcome is a [`Connection`](crate::Connection), or an error that says what to do. A server's answer is the beginning
//! of its connection's output. A client has no connection before the server has answered, so it writes
//! [`ClientHandshake::output`] first.
//!
//! # With an HTTP library
//!
//! Where a library reads and writes the heads, the same rules apply to lists of headers. A server makes a [`Request::new`] and
//! calls [`Request::negotiate`]. A client gives [`ClientHandshake::headers`] to the library and [`Response::new`] to
//! [`ClientHandshake::establish`].
//!
//! # Over HTTP/2 and HTTP/3
//!
//! There a WebSocket begins with an extended CONNECT (RFC 8441, RFC 9220), and one stream is the transport of one connection.
//! An HTTP library has the streams. The pseudo-header fields are in the lists of headers like the others, as `:method` and
//! so on.
//!
//! - A server says that it can: `SETTINGS_ENABLE_CONNECT_PROTOCOL` is 1 (RFC 8441 section 3). It takes the fields of a request
//!   with [`Request::extended_connect`], and answers with the status and headers of [`Request::negotiate`], or with
//!   [`RequestError::over_http2`].
//! - A client waits for that setting, opens a stream with the headers of [`ClientHandshake::extended_connect`], and gives
//!   the response to [`ClientHandshake::establish`].
//!
//! What differs from HTTP/1.1 (RFC 8441 section 5): the method is CONNECT and the status 200, and there is neither Upgrade nor
//! Connection, no key and no answer to it. Subprotocols, extensions and origins are the same, and so is all that
//! follows: the client masks its frames here, too.
//!
//! | the stream | the connection |
//! |---|---|
//! | a DATA frame came | its bytes go into the [`ReadBuffer`](crate::ReadBuffer); give the flow-control window back once they are there |
//! | `END_STREAM` came, which means the same as TCP's FIN (RFC 8441 section 5) | [`handle_eof`](crate::Connection::handle_eof), after the events |
//! | `RST_STREAM` came, or the HTTP connection ended | [`handle_reset`](crate::Connection::handle_reset): without both Close frames that is 1006 |
//! | [`TransportAction::Write`](crate::TransportAction::Write) | DATA frames, as far as flow control lets |
//! | [`TransportAction::ShutdownWrite`](crate::TransportAction::ShutdownWrite) | an empty DATA frame with `END_STREAM` |
//! | [`TransportAction::Close`](crate::TransportAction::Close) | `END_STREAM`, if it was not sent, when all output is written; otherwise a reset with [`CANCEL`](crate::TransportAction::CANCEL) or [`H3_REQUEST_CANCELLED`](crate::TransportAction::H3_REQUEST_CANCELLED), as for TCP's RST |
//!
//! ```
//! use sockless::handshake::{ClientHandshake, ClientOptions, Request, ServerOptions, Uri};
//! use sockless::Seed;
//!
//! let uri = Uri::parse("wss://example.com/chat")?;
//! let seed = Seed::new([7; 32]);
//! let mut client = ClientHandshake::extended_connect(&uri, &ClientOptions::default(), seed)?;
//!
//! // What the client's HTTP library sends, and the server's receives.
//! let fields = client.headers();
//! assert_eq!((fields[0].name, fields[0].value), (":method", &b"CONNECT"[..]));
//! let options = ServerOptions::default();
//! let (response, server) = Request::extended_connect(fields).negotiate(&options)?;
//!
//! // The answer, with status 200, and then both sides have a connection.
//! assert_eq!(response.status(), 200);
//! let (_, connection) = client.establish(response)?;
//! assert!(connection.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// | what | file |
// |---|---|
// | a server's side: reading the request, its deadline, the answer | `server.rs`, `request.rs` |
// | what a server agrees to: origin, host, subprotocol, extensions | `agreement.rs`, `origin.rs`, `options.rs` |
// | a refusal: its status, headers and body | `request_error.rs`, written by `response.rs` |
// | a client's side: writing the request, judging the response | `client.rs`, `response.rs`, `response_error.rs` |
// | what is demanded over HTTP/1.1, and over HTTP/2 and HTTP/3 | `bootstrap.rs` |
// | URIs and their authority, the client's key, what the application must not write | `uri.rs`, `key.rs`, `input_error.rs` |
// | the end of a head, and its lines | `head.rs` |
// | header fields, and those that a server goes by | `headers.rs`, `fields.rs` |
// | the negotiation of permessage-deflate | `deflate.rs`, `extensions.rs` |
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
