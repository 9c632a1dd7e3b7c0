//! The server's response, as a value that owns its parts.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// How many bytes of a body are kept.
pub(crate) const BODY: usize = 4 << 10;

/// The response to the opening handshake, or to a CONNECT.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers. Names are in lower case.
    pub headers: HeaderMap,
    /// The first bytes of the body, at most 4 KiB. Empty if the server accepted.
    ///
    /// The body ends earlier if the rest does not arrive within a second.
    pub body: Bytes,
}

impl Response {
    /// The subprotocol that the server chose. `None` if it chose none.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        let name = self.headers.get("sec-websocket-protocol")?.to_str().ok()?;
        (!name.is_empty()).then_some(name)
    }

    /// A response without a body.
    pub(crate) fn of(response: &sockless::handshake::Response<'_>) -> Self {
        let (parts, ()) = response.to_http().into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: Bytes::new(),
        }
    }
}

/// Shows the status, the number of headers and the length of the body. The values may contain credentials.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status.as_u16())
            .field("headers", &self.headers.len())
            .field("body", &format_args!("{} B", self.body.len()))
            .finish()
    }
}
