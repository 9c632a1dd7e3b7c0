//! The opening handshake over HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220): the extended CONNECT.
//!
//! An HTTP library has the transport and its streams. One stream becomes the transport of one WebSocket connection, from
//! lists of header fields in which the pseudo-header fields stand like the others, as `:method` and so on:
//!
//! - A server says that it can: `SETTINGS_ENABLE_CONNECT_PROTOCOL` is 1 (RFC 8441 section 3). It takes the fields of a request
//!   with [`Request::new`], judges them with [`Request::negotiate`], and answers with status 200 and the
//!   [headers](ServerHandshake::headers) of the handshake, or with [`refusal`].
//! - A client waits for that setting, opens a stream with the [headers](ClientHandshake::headers) of its handshake, and gives
//!   the response to [`ClientHandshake::establish`].
//!
//! What differs from HTTP/1.1 (RFC 8441 section 5): the method is CONNECT and the status 200, and there is neither Upgrade nor
//! Connection, no key and no answer to it. Subprotocols, extensions and origins are the same, and so is all that
//! follows: the client masks its frames here, too.
//!
//! # The stream as a transport
//!
//! | the stream | the connection |
//! |---|---|
//! | a DATA frame came | its bytes go into the [`ReadBuffer`](crate::ReadBuffer); give the flow-control window back once they are there |
//! | `END_STREAM` came, which stands for TCP's FIN (RFC 8441 section 5) | [`handle_eof`](crate::Connection::handle_eof), after the events |
//! | `RST_STREAM` came, or the HTTP connection ended | [`handle_reset`](crate::Connection::handle_reset): without both Close frames that is 1006 |
//! | [`TransportAction::Write`](crate::TransportAction::Write) | DATA frames, as far as flow control lets |
//! | [`TransportAction::ShutdownWrite`](crate::TransportAction::ShutdownWrite) | an empty DATA frame with `END_STREAM` |
//! | [`TransportAction::Close`](crate::TransportAction::Close) | `END_STREAM`, if it was not sent, when all output is written; otherwise `RST_STREAM` with [`CANCEL`], as for TCP's RST |
//!
//! # Example
//!
//! ```
//! use sockless::handshake::extended_connect::{ClientHandshake, Request};
//! use sockless::handshake::{ClientOptions, Opening, Response, ServerOptions, Uri};
//! use sockless::Seed;
//!
//! let uri = Uri::parse("wss://example.com/chat")?;
//! let mut client = ClientHandshake::new(&uri, &ClientOptions::default(), Seed::new([7; 32]))?;
//!
//! // What the client's HTTP library sends, and the server's receives.
//! let fields = client.headers();
//! assert_eq!((fields[0].name, fields[0].value), (":method", &b"CONNECT"[..]));
//! let request = Request::new(fields);
//! assert!(request.is_websocket());
//! let handshake = request.negotiate(&ServerOptions::default())?;
//!
//! // The answer, with status 200, and then both sides have a connection.
//! let response = Response::new(200, handshake.headers());
//! let server = handshake.connection();
//! assert!(matches!(client.establish(response)?, Opening::Established { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod server;

pub use client::ClientHandshake;
pub use server::{Request, ServerHandshake, refusal};

/// The error code of `RST_STREAM` for a WebSocket that is dropped before its end, as TCP's RST would (RFC 8441 section 5).
/// HTTP/3 calls its own `H3_REQUEST_CANCELLED` (0x10c, RFC 9114 section 8.1).
pub const CANCEL: u32 = 0x8;

/// Field names are in lower case (RFC 9113 section 8.2.1, RFC 9114 section 4.2).
const ORIGIN: &str = "origin";
const VERSION: &str = "sec-websocket-version";
const PROTOCOL: &str = "sec-websocket-protocol";
const EXTENSIONS: &str = "sec-websocket-extensions";
