//! What a client asks and demands (RFC 6455 section 4.1).

use alloc::vec::Vec;
use core::time::Duration;
use core::{fmt, str};

use crate::connection::{Connection, ReadBuffer, Seed};
use crate::handshake::attempt::{Attempt, authority, offer};
use crate::handshake::error::{InputError, ResponseError};
use crate::handshake::extensions;
use crate::handshake::headers::{Header, Single, contains_token, single};
use crate::handshake::key::encode_key;
use crate::handshake::options::ClientOptions;
use crate::handshake::response::{Response, write_header};
use crate::handshake::uri::Uri;
use crate::wire::{Bytes, accept_key};

/// The client's side of the opening handshake: write the [`output`](Self::output), then read the response.
///
/// # Example: over a transport that blocks
///
/// ```
/// use std::error::Error;
/// use std::io::{Read, Write};
/// use sockless::handshake::{ClientHandshake, ClientOptions, Opening, Uri};
/// use sockless::{Connection, ReadBuffer, Seed};
///
/// /// The loop that follows is that of a server: events, output, transport action.
/// fn open(
///     transport: &mut (impl Read + Write),
///     buffer: &mut ReadBuffer,
///     uri: &str,
///     seed: Seed,
/// ) -> Result<Connection, Box<dyn Error>> {
///     let uri = Uri::parse(uri)?;
///     let mut handshake = ClientHandshake::new(&uri, &ClientOptions::default(), seed)?;
///     transport.write_all(handshake.output())?;
///     loop {
///         let n = transport.read(buffer.spare_mut(4096))?;
///         buffer.advance(n);
///         match handshake.read_response(buffer)? {
///             // Messages may have come behind the response: they are in the buffer.
///             Some(Opening::Established { connection, .. }) => return Ok(connection),
///             Some(Opening::Refused(response)) => {
///                 return Err(format!("the server answers {}", response.status()).into());
///             }
///             None if n == 0 => return Err("the server has ended the stream".into()),
///             None => {} // read more
///         }
///     }
/// }
/// # struct Server(&'static [u8], Vec<u8>);
/// # impl Read for Server {
/// #     fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
/// #         self.0.read(buffer)
/// #     }
/// # }
/// # impl Write for Server {
/// #     fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
/// #         self.1.write(data)
/// #     }
/// #     fn flush(&mut self) -> std::io::Result<()> {
/// #         Ok(())
/// #     }
/// # }
/// # for (answer, outcome) in [
/// #     (&b"HTTP/1.1 404 Not Found\r\n\r\n"[..], "the server answers 404"),
/// #     (b"HTTP/1.1 404 Not", "the server has ended the stream"),
/// # ] {
/// #     let mut server = Server(answer, Vec::new());
/// #     let uri = "ws://example.com/chat";
/// #     let error = open(&mut server, &mut ReadBuffer::new(), uri, Seed::new([7; 32])).unwrap_err();
/// #     assert_eq!(error.to_string(), outcome);
/// #     assert!(server.1.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
/// # }
/// ```
pub struct ClientHandshake {
    attempt: Attempt,
    request: Vec<u8>,
    /// How many bytes of it have been written to the transport.
    written: usize,
    /// The only right answer to the key in the request.
    accept: [u8; 28],
}

/// How the server answered.
#[derive(Debug)]
pub enum Opening<'b> {
    /// The connection is open (RFC 6455 section 4.1, "the WebSocket connection is established").
    #[non_exhaustive]
    Established {
        /// The open connection. What came behind the response is in the buffer still.
        connection: Connection,
        /// The head of the server's response, for its cookies or subprotocol.
        response: Response<'b>,
    },
    /// The server answered with another status than 101: a redirect, a demand for credentials, a refusal.
    ///
    /// What came of the body with the head is in [`Response::body`], and unread in the buffer as well;
    /// where the body ends, and how it is encoded, is for the application to know.
    Refused(Response<'b>),
}

/// Shows how long the request is: its headers may hold credentials.
impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("attempt", &self.attempt)
            .field("request", &Bytes(self.request.len()))
            .field("written", &Bytes(self.written))
            .finish_non_exhaustive()
    }
}

impl ClientHandshake {
    /// Prepares the request for `uri`.
    ///
    /// The seed gives the key of this handshake and all masking keys of the connection.
    ///
    /// # Errors
    ///
    /// [`InputError`] for a host, header, origin or subprotocol that must not be written.
    #[expect(clippy::needless_pass_by_value, reason = "a seed is used up")]
    pub fn new(uri: &Uri<'_>, options: &ClientOptions<'_>, seed: Seed) -> Result<Self, InputError> {
        let mut attempt = Attempt::new(options, &seed)?;
        let key = encode_key(attempt.nonce());
        Ok(Self {
            attempt,
            request: write_request(uri, options, &key),
            written: 0,
            accept: accept_key(&key),
        })
    }

    /// Reads the server's response, or `None` if it has not all come yet: read more and call again.
    ///
    /// Call it after every read, and before [`handle_timeout`](Self::handle_timeout): what has come is not late.
    /// Interim responses (100, 103) are passed over. A stream that ends before there is an outcome is a
    /// server that does not want to talk: close the transport. With the outcome this has done its part.
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if the response is not HTTP/1.1, or is a 101 that does not keep to section 4.1.
    /// Close the transport; every further call returns the same error.
    pub fn read_response<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Opening<'b>>, ResponseError> {
        let config = *self.attempt.config();
        let skipped = self
            .attempt
            .judge(|_| Ok(Response::skip_interim(buffer, &config)?))?;
        self.attempt.received(buffer.unread().len(), skipped);
        match self
            .attempt
            .judge(|_| Ok(Response::read(buffer, &config)?))?
        {
            None => Ok(None),
            Some(response) => self.establish(response).map(Some),
        }
    }

    /// Judges a response that an HTTP library has read, as [`read_response`](Self::read_response) does.
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if it is a 101 that does not keep to section 4.1, or if there was an error before.
    pub fn establish<'b>(&mut self, response: Response<'b>) -> Result<Opening<'b>, ResponseError> {
        let accept = self.accept;
        self.attempt.judge(|attempt| {
            attempt.answered();
            if response.status() != 101 {
                return Ok(Opening::Refused(response));
            }
            check_upgrade(response.headers(), &accept)?;
            Ok(Opening::Established {
                connection: attempt.open(response.headers())?,
                response,
            })
        })
    }

    /// Passes the time, as a [`Duration`] since an origin of your choice. Use the same origin for
    /// [`Connection::handle_timeout`] later.
    ///
    /// A deadline that passes is no error at once, since the response may have arrived in time and still be unread. It makes
    /// [`next_timeout`](Self::next_timeout) zero: read what there is without waiting, call
    /// [`read_response`](Self::read_response), then this again. An earlier time counts as the latest so far.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Timeout`] when [`Deadlines::handshake`](crate::Deadlines::handshake) has passed since the first time
    /// and nothing came in that last turn, and what was wrong with the response before. Close the transport.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ResponseError> {
        self.attempt.handle_timeout(now)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is no deadline, the response has come,
    /// or the handshake has failed.
    ///
    /// It is [`Duration::ZERO`], which is in the past, at first (the deadline counts from the first time that you pass), and
    /// when the deadline has passed and you have one more turn to read.
    #[must_use]
    pub const fn next_timeout(&self) -> Option<Duration> {
        self.attempt.next_timeout()
    }

    /// Says that `n` bytes of [`output`](Self::output) were written to the transport.
    ///
    /// # Panics
    ///
    /// If `n` is more than its length, which is a mistake of the caller.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`written` is at most the length of the request"
    )]
    pub fn advance_output(&mut self, n: usize) {
        assert!(n <= self.output().len(), "advanced by more than the output");
        self.written += n;
    }

    /// What is still to be written to the transport; empty when the whole request is.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.request.get(self.written..).unwrap_or_default()
    }

    /// The headers of the request, for an HTTP library to write; its method is GET.
    ///
    /// Give the library's response to [`establish`](Self::establish).
    #[must_use]
    pub fn headers(&self) -> Vec<Header<'_>> {
        fn header(line: &[u8]) -> Option<Header<'_>> {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            Some(Header {
                name: str::from_utf8(name).ok()?,
                value: value.strip_prefix(b": ")?,
            })
        }
        let lines = self.request.split(|byte| *byte == b'\r').skip(1);
        // Written by `write_request`: a LF, the name, a colon, a space, the value.
        let fields = lines.filter_map(|line| line.strip_prefix(b"\n"));
        fields.filter_map(header).collect()
    }

    /// The path with the query, as it stands in the request.
    #[cfg(feature = "http")]
    pub(crate) fn target(&self) -> &str {
        // Written by `write_request`: the method, a space, the target, a space.
        let target = self.request.split(|byte| *byte == b' ').nth(1);
        target
            .and_then(|target| str::from_utf8(target).ok())
            .unwrap_or_default()
    }

    /// The whole request, written or not.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }
}

/// Section 4.1: what a client demands of a 101, by the numbers of its second list.
fn check_upgrade(headers: &[Header<'_>], accept: &[u8; 28]) -> Result<(), ResponseError> {
    // Items 2 and 3.
    if !contains_token(headers, "Upgrade", "websocket")
        || !contains_token(headers, "Connection", "upgrade")
    {
        return Err(ResponseError::NotAnUpgrade);
    }
    // Item 4.
    if single(headers, "Sec-WebSocket-Accept") != Single::One(accept) {
        return Err(ResponseError::Accept);
    }
    Ok(())
}

/// Section 4.1: the client's request. All parts have been checked.
fn write_request(uri: &Uri<'_>, options: &ClientOptions<'_>, key: &[u8]) -> Vec<u8> {
    let mut request = alloc::format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n",
        uri.target(),
        authority(uri, options)
    )
    .into_bytes();
    let mut add = |name: &str, value: &[u8]| write_header(&mut request, &Header { name, value });
    add("Upgrade", b"websocket");
    add("Connection", b"Upgrade");
    add("Sec-WebSocket-Key", key);
    add("Sec-WebSocket-Version", b"13");
    let names = ["Origin", "Sec-WebSocket-Protocol", extensions::NAME];
    offer(options, names, add);
    request.extend_from_slice(b"\r\n");
    request
}
