//! What a client asks and demands (RFC 6455 section 4.1).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str;
use core::time::Duration;

use crate::config::Config;
use crate::connection::Connection;
#[cfg(feature = "deflate")]
use crate::handshake::deflate;
use crate::handshake::error::{InputError, ResponseError};
use crate::handshake::extensions;
use crate::handshake::headers::{
    Header, Single, check_for_handshake, check_value, contains_token, is_token, single, values,
};
use crate::handshake::key::{accept_key, encode_key};
use crate::handshake::response::{Response, write_header};
use crate::handshake::uri::Uri;
use crate::masking_keys::{MaskingKeys, Seed};
use crate::read_buffer::ReadBuffer;
use crate::timers::Timer;

/// What a client asks for in the opening handshake.
///
/// # Example
///
/// ```
/// use sockless::handshake::{ClientOptions, Header};
///
/// let mut options = ClientOptions::default();
/// options.subprotocols = &["chat"];
/// options.headers = &[Header { name: "Authorization", value: b"Bearer 1234" }];
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ClientOptions<'a> {
    /// Limits and choices of the connection.
    pub config: Config,
    /// The subprotocols the client speaks, each a token, the preferred first.
    pub subprotocols: &'a [&'a str],
    /// The `Origin` header: sent by browsers always, by other clients if they speak for a web page.
    pub origin: Option<&'a str>,
    /// Further headers, such as cookies or credentials.
    pub headers: &'a [Header<'a>],
}

/// The client's side of the opening handshake: write the [`output`](Self::output), then read the response.
///
/// # Example
///
/// ```
/// use sockless::{ReadBuffer, Seed};
/// use sockless::handshake::{ClientHandshake, ClientOptions, Opening, Uri};
///
/// let uri = Uri::parse("ws://example.com/chat")?;
/// let mut handshake = ClientHandshake::new(&uri, &ClientOptions::default(), Seed::new([7; 32]))?;
/// assert!(handshake.output().starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
/// // ... write it and say so with `advance_output`, then until there is an outcome: read some bytes.
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
/// match handshake.read_response(&mut buffer)? {
///     None => {} // read more
///     Some(Opening::Established { connection, .. }) => drop(connection), // talk
///     Some(Opening::Refused(response)) => assert_eq!(response.status(), 404),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientHandshake {
    keys: MaskingKeys,
    request: Vec<u8>,
    /// How many bytes of it have been written to the transport.
    written: usize,
    /// The only right answer to the key in the request.
    accept: [u8; 28],
    subprotocols: Vec<String>,
    config: Config,
    timer: Timer,
    /// An error is final.
    failed: Option<ResponseError>,
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

impl ClientHandshake {
    /// Prepares the request for `uri`.
    ///
    /// The seed gives the key of this handshake and all masking keys of the connection.
    ///
    /// # Errors
    ///
    /// [`InputError`] for a header, origin or subprotocol that must not be written.
    #[expect(clippy::needless_pass_by_value, reason = "a seed is used up")]
    pub fn new(uri: &Uri<'_>, options: &ClientOptions<'_>, seed: Seed) -> Result<Self, InputError> {
        for header in options.headers {
            check_for_handshake(header)?;
        }
        if let Some(origin) = options.origin {
            check_value(origin.as_bytes())?;
        }
        let mut rest = options.subprotocols;
        while let Some((subprotocol, tail)) = rest.split_first() {
            if !is_token(subprotocol.as_bytes()) || tail.contains(subprotocol) {
                return Err(InputError::Subprotocol);
            }
            rest = tail;
        }
        let patience = options
            .config
            .deadlines
            .map_or(Duration::MAX, |it| it.handshake);
        let mut keys = MaskingKeys::new(&seed);
        let key = encode_key(keys.nonce());
        Ok(Self {
            keys,
            request: write_request(uri, options, &key),
            written: 0,
            accept: accept_key(&key),
            subprotocols: options
                .subprotocols
                .iter()
                .map(ToString::to_string)
                .collect(),
            config: options.config,
            timer: Timer::new(patience),
            failed: None,
        })
    }

    /// Reads the server's response, or `None` if it has not all come yet: read more and call again.
    ///
    /// Interim responses (100, 103) are passed over. A stream that ends before there is an outcome is a
    /// server that does not want to talk.
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if the response is not HTTP/1.1, or is a 101 that does not keep to section 4.1.
    /// Close the transport; every further call returns the same error.
    pub fn read_response<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Opening<'b>>, ResponseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match Response::read(buffer, &self.config) {
            Ok(None) => Ok(None),
            Ok(Some(response)) => self.establish(response).map(Some),
            Err(error) => Err(self.fail(error.into())),
        }
    }

    /// Judges a response that an HTTP library has read, as [`read_response`](Self::read_response) does.
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if it is a 101 that does not keep to section 4.1.
    pub fn establish<'b>(&mut self, response: Response<'b>) -> Result<Opening<'b>, ResponseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if response.status() != 101 {
            return Ok(Opening::Refused(response));
        }
        match self.open(response.headers()) {
            Ok(connection) => Ok(Opening::Established {
                connection,
                response,
            }),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Tells the time, as a [`Duration`] since an origin of the caller's choice: the one that
    /// [`Connection::handle_timeout`] then counts from.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Timeout`] when [`Deadlines::handshake`](crate::Deadlines::handshake) has passed since the first time
    /// that was told, and what was wrong with the response before. Close the transport.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ResponseError> {
        if self.failed.is_none() && self.timer.is_due(now) {
            self.failed = Some(ResponseError::Timeout);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is no deadline or it has passed.
    ///
    /// At first it is [`Duration::ZERO`], which is in the past: the deadline counts from the first time that is told.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        match self.failed {
            None => self.timer.next(),
            Some(_) => None,
        }
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

    /// The whole request, written or not.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// The connection that a 101 with these headers opens.
    fn open(&mut self, headers: &[Header<'_>]) -> Result<Connection, ResponseError> {
        self.check(headers)?;
        // Item 5: only extensions that were offered, as they were offered.
        let extensions = extensions::parse(headers).map_err(|_| ResponseError::Extensions)?;
        let connection = Connection::client(self.config, self.keys.fork());
        #[cfg(feature = "deflate")]
        let connection = {
            let agreed = deflate::check_response(&extensions, self.config.deflate);
            connection.with_deflate(agreed.map_err(|_| ResponseError::Extensions)?.as_ref())
        };
        #[cfg(not(feature = "deflate"))]
        if !extensions.is_empty() {
            return Err(ResponseError::Extensions);
        }
        Ok(connection)
    }

    const fn fail(&mut self, error: ResponseError) -> ResponseError {
        self.failed = Some(error);
        error
    }

    /// Section 4.1: what a client demands of a 101, by the numbers of its second list.
    fn check(&self, headers: &[Header<'_>]) -> Result<(), ResponseError> {
        // Items 2 and 3.
        if !contains_token(headers, "Upgrade", "websocket")
            || !contains_token(headers, "Connection", "upgrade")
        {
            return Err(ResponseError::NotAnUpgrade);
        }
        // Item 4.
        if single(headers, "Sec-WebSocket-Accept") != Single::One(&self.accept) {
            return Err(ResponseError::Accept);
        }
        // Item 6.
        let mut chosen = values(headers, "Sec-WebSocket-Protocol");
        match (chosen.next(), chosen.next()) {
            (None, _) => Ok(()),
            (Some(name), None)
                if self
                    .subprotocols
                    .iter()
                    .any(|offer| offer.as_bytes() == name) =>
            {
                Ok(())
            }
            _ => Err(ResponseError::Subprotocol),
        }
    }
}

/// Section 4.1: the client's request. All parts have been checked.
fn write_request(uri: &Uri<'_>, options: &ClientOptions<'_>, key: &[u8]) -> Vec<u8> {
    let (mark, query) = uri.query().map_or(("", ""), |query| ("?", query));
    let mut request = alloc::format!(
        "GET {}{mark}{query} HTTP/1.1\r\nHost: {}\r\n",
        uri.path(),
        uri.authority()
    )
    .into_bytes();
    let mut add = |name, value: &[u8]| write_header(&mut request, &Header { name, value });
    add("Upgrade", b"websocket");
    add("Connection", b"Upgrade");
    add("Sec-WebSocket-Key", key);
    add("Sec-WebSocket-Version", b"13");
    if let Some(origin) = options.origin {
        add("Origin", origin.as_bytes());
    }
    if !options.subprotocols.is_empty() {
        add(
            "Sec-WebSocket-Protocol",
            options.subprotocols.join(", ").as_bytes(),
        );
    }
    #[cfg(feature = "deflate")]
    if let Some(wishes) = options.config.deflate {
        add(extensions::NAME, deflate::offer(wishes).as_bytes());
    }
    for header in options.headers {
        add(header.name, header.value);
    }
    request.extend_from_slice(b"\r\n");
    request
}
