//! What a client asks and demands over HTTP/2 or HTTP/3 (RFC 8441 sections 4 and 5).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::connection::Seed;
use crate::handshake::attempt::{Attempt, authority, offer};
use crate::handshake::client::Opening;
use crate::handshake::error::{InputError, ResponseError};
use crate::handshake::extended_connect::{EXTENSIONS, ORIGIN, PROTOCOL, VERSION};
use crate::handshake::headers::{Header, check_lower_case};
use crate::handshake::options::ClientOptions;
use crate::handshake::response::Response;
use crate::handshake::uri::Uri;

/// The client's side of the opening handshake: see the [module](super).
pub struct ClientHandshake {
    attempt: Attempt,
    fields: Vec<(String, Vec<u8>)>,
}

/// Shows the names of the fields: their values may be credentials.
impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("attempt", &self.attempt)
            .field("fields", &self.headers())
            .finish()
    }
}

impl ClientHandshake {
    /// Prepares the request for `uri`. The names of further headers in `options` must be in lower case.
    ///
    /// All masking keys of the connection come from the seed.
    ///
    /// # Errors
    ///
    /// [`InputError`] for a host, header, origin or subprotocol that must not be written.
    #[expect(clippy::needless_pass_by_value, reason = "a seed is used up")]
    pub fn new(uri: &Uri<'_>, options: &ClientOptions<'_>, seed: Seed) -> Result<Self, InputError> {
        for header in options.headers {
            check_lower_case(header)?;
        }
        let attempt = Attempt::new(options, &seed)?;
        let mut fields = Vec::new();
        let mut add = |name: &str, value: &[u8]| fields.push((name.to_owned(), value.to_owned()));
        // RFC 8441 section 5: wss is https here, and ws is http.
        let scheme: &[u8] = if uri.is_secure() { b"https" } else { b"http" };
        add(":method", b"CONNECT");
        add(":protocol", b"websocket");
        add(":scheme", scheme);
        add(":path", uri.target().as_bytes());
        add(":authority", authority(uri, options).as_bytes());
        add(VERSION, b"13");
        offer(options, [ORIGIN, PROTOCOL, EXTENSIONS], add);
        Ok(Self { attempt, fields })
    }

    /// The fields of the request, pseudo-header fields first.
    #[must_use]
    pub fn headers(&self) -> Vec<Header<'_>> {
        self.fields
            .iter()
            .map(|(name, value)| Header { name, value })
            .collect()
    }

    /// Judges the response: any status from 200 to 299 opens the connection (RFC 9110 section 9.3.6).
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if it does and does not keep to what was offered. Reset the stream; every further call returns the
    /// same error.
    pub fn establish<'b>(&mut self, response: Response<'b>) -> Result<Opening<'b>, ResponseError> {
        self.attempt.judge(|attempt| {
            attempt.answered();
            if !(200..300).contains(&response.status()) {
                return Ok(Opening::Refused(response));
            }
            Ok(Opening::Established {
                connection: attempt.open(response.headers())?.over_http_stream(),
                response,
            })
        })
    }

    /// Passes the time, as
    /// [`ClientHandshake::handle_timeout`](crate::handshake::ClientHandshake::handle_timeout) does over HTTP/1.1.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Timeout`] when [`Deadlines::handshake`](crate::Deadlines::handshake) has passed since the first time
    /// and no response came in one more turn, and what was wrong with the response before. Reset the stream.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ResponseError> {
        self.attempt.handle_timeout(now)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is no deadline, the response has come,
    /// or the handshake has failed.
    #[must_use]
    pub const fn next_timeout(&self) -> Option<Duration> {
        self.attempt.next_timeout()
    }
}
