//! A client's side of the opening handshake (RFC 6455 section 4.1).

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::connection::{Config, Connection, HandshakeDeadline, MaskingKeys, ReadBuffer, Seed};
use crate::handshake::bootstrap::Bootstrap;
use crate::handshake::deflate;
use crate::handshake::extensions;
use crate::handshake::head::Search;
use crate::handshake::headers::{Header, check_value, is_token, parse_lines, trim, values};
use crate::handshake::input_error::InputError;
use crate::handshake::key::encode_key;
use crate::handshake::options::ClientOptions;
use crate::handshake::response::{Response, write_header};
use crate::handshake::response_error::ResponseError;
use crate::handshake::uri::{Authority, Uri};
use crate::wire::{Bytes, accept_key};

/// The client's side of the opening handshake.
///
/// Over HTTP/1.1, write the [`output`](Self::output), then read the response with [`read_response`](Self::read_response).
/// Over HTTP/2 and HTTP/3, and wherever an HTTP library has the transport, let it send the [`headers`](Self::headers), and
/// judge its response with [`establish`](Self::establish).
///
/// # Example: over a transport that blocks
///
/// ```
/// use std::error::Error;
/// use std::io::{Read, Write};
/// use sockless::handshake::{ClientHandshake, ClientOptions, Uri};
/// use sockless::{Connection, ReadBuffer, Seed};
///
/// /// The loop that follows is that of a server: events, output, transport action.
/// fn open(
///     transport: &mut (impl Read + Write),
///     buffer: &mut ReadBuffer,
///     uri: &str,
///     seed: Seed,
/// ) -> Result<Connection, Box<dyn Error>> {
///     let mut handshake = ClientHandshake::new(&uri.parse()?, &ClientOptions::default(), seed)?;
///     transport.write_all(handshake.output())?;
///     loop {
///         let n = transport.read(buffer.spare_mut(4096))?;
///         buffer.advance_filled(n);
///         match handshake.read_response(buffer)? {
///             // Messages may have come after the response: they are in the buffer.
///             Some((_, Some(connection))) => return Ok(connection),
///             Some((response, None)) => {
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
#[doc(alias = "connect")]
pub struct ClientHandshake {
    pub(super) bootstrap: Bootstrap,
    /// The head to write over HTTP/1.1. Over HTTP/2 and HTTP/3, the header fields as lines.
    request: Vec<u8>,
    /// How many bytes of it were written. All of them over HTTP/2 and HTTP/3, where a library writes the fields.
    written: usize,
    /// The only right answer to the key in the request.
    accept: [u8; 28],
    keys: MaskingKeys,
    subprotocols: Vec<String>,
    config: Config,
    search: Search,
    deadline: HandshakeDeadline,
    /// An error is final.
    failed: Option<ResponseError>,
}

/// Shows how long the request is, since its headers may hold credentials, and how many subprotocols are offered, since some
/// applications put a token there.
impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("bootstrap", &self.bootstrap)
            .field("request", &Bytes(self.request.len()))
            .field("written", &Bytes(self.written))
            .field("subprotocols", &self.subprotocols.len())
            .field("deadline", &self.deadline)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl ClientHandshake {
    /// Prepares the request for `uri` over HTTP/1.1.
    ///
    /// The seed gives the key of this handshake and all masking keys of the connection.
    ///
    /// # Errors
    ///
    /// [`InputError`] for a host, header, origin or subprotocol that must not be written.
    pub fn new(uri: &Uri, options: &ClientOptions<'_>, seed: Seed) -> Result<Self, InputError> {
        Self::prepare(Bootstrap::Upgrade, uri, options, seed)
    }

    /// Prepares the request for `uri` over HTTP/2 or HTTP/3 (RFC 8441, RFC 9220): the fields are its
    /// [`headers`](Self::headers).
    ///
    /// The names of the headers in `options` must be in lower case. All masking keys of the connection come from the seed.
    ///
    /// # Errors
    ///
    /// [`InputError`] for a host, header, origin or subprotocol that must not be written.
    pub fn extended_connect(
        uri: &Uri,
        options: &ClientOptions<'_>,
        seed: Seed,
    ) -> Result<Self, InputError> {
        Self::prepare(Bootstrap::ExtendedConnect, uri, options, seed)
    }

    fn prepare(
        bootstrap: Bootstrap,
        uri: &Uri,
        options: &ClientOptions<'_>,
        seed: Seed,
    ) -> Result<Self, InputError> {
        check_options(bootstrap, options)?;
        let mut keys = MaskingKeys::new(seed);
        let key = encode_key(keys.nonce());
        let request = write_request(bootstrap, uri, options, &key);
        Ok(Self {
            bootstrap,
            written: match bootstrap {
                Bootstrap::Upgrade => 0,
                Bootstrap::ExtendedConnect => request.len(),
            },
            request,
            accept: accept_key(&key),
            keys,
            subprotocols: options
                .subprotocols
                .iter()
                .map(ToString::to_string)
                .collect(),
            config: options.config.clone(),
            search: Search::default(),
            deadline: HandshakeDeadline::new(options.config.deadlines.as_ref()),
            failed: None,
        })
    }

    /// Reads the server's response over HTTP/1.1, or `None` if it has not all come yet: read more and call again.
    ///
    /// With the response comes the open connection, or `None` if the server answered with another status than 101: a
    /// redirect, a demand for credentials, a refusal. What came of the body of such an answer is in [`Response::body`], and
    /// unread in the buffer as well. What came after a 101 is in the buffer for the connection.
    ///
    /// Call it after every read, and before [`handle_timeout`](Self::handle_timeout): what has come is not late.
    /// Interim responses (100, 103) are passed over. A stream that ends before there is a response is a
    /// server that does not want to talk: close the transport. With the response the handshake has done its part.
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if the response is not HTTP/1.1, or is a 101 that does not keep to section 4.1.
    /// Close the transport. Every further call returns the same error.
    pub fn read_response<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<(Response<'b>, Option<Connection>)>, ResponseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        // No head of HTTP/1.1 answers an extended CONNECT.
        if self.bootstrap == Bootstrap::ExtendedConnect {
            return Err(self.fail(ResponseError::NotAnUpgrade));
        }
        let skipped = Response::skip_interim(buffer, &mut self.search, &self.config)
            .map_err(|error| self.fail(error.into()))?;
        self.deadline.received(buffer.unread().len(), skipped);
        let response = Response::read(buffer, &mut self.search, &self.config)
            .map_err(|error| self.fail(error.into()))?;
        response
            .map(|response| self.establish(response))
            .transpose()
    }

    /// Judges a response that an HTTP library has read, as [`read_response`](Self::read_response) does.
    ///
    /// Over HTTP/2 and HTTP/3, any status from 200 to 299 opens the connection (RFC 9110 section 9.3.6).
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if the server accepts and does not keep to what was offered, or if there was an error before. Close
    /// the transport, or reset the stream.
    pub fn establish<'b>(
        &mut self,
        response: Response<'b>,
    ) -> Result<(Response<'b>, Option<Connection>), ResponseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.deadline.stop();
        let connection = self
            .open(response.status(), &response.headers())
            .map_err(|error| self.fail(error))?;
        Ok((response, connection))
    }

    /// Passes the time, as a [`Duration`] since an origin of your choice. Use the same origin for
    /// [`Connection::handle_timeout`] later.
    ///
    /// A deadline that passes is no error at once, since the response may have arrived in time and still be unread. It makes
    /// [`timeout_at`](Self::timeout_at) zero: read what there is without waiting, call
    /// [`read_response`](Self::read_response), then this again. An earlier time counts as the latest so far.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Timeout`] when [`Deadlines::handshake`](crate::Deadlines::handshake) has passed since the first time
    /// and nothing came in that last turn, and what was wrong with the response before. Close the transport, or reset the
    /// stream.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ResponseError> {
        if self.failed.is_none() && self.deadline.expired(now) {
            self.failed = Some(ResponseError::Timeout);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is no deadline, the response has come,
    /// or the handshake has failed.
    ///
    /// It is [`Duration::ZERO`], which is in the past, in two cases: at first, since the deadline counts from the first time
    /// that you pass, and when the deadline has passed and you have one more turn to read.
    #[must_use]
    pub const fn timeout_at(&self) -> Option<Duration> {
        match self.failed {
            None => self.deadline.next(),
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

    /// The bytes to write to the transport. Empty when the whole request is written, and over HTTP/2 and HTTP/3.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.request.get(self.written..).unwrap_or_default()
    }

    /// The headers of the request, for an HTTP library to write. Over HTTP/1.1 the method is GET. Over HTTP/2 and HTTP/3 the
    /// pseudo-header fields come first.
    ///
    /// Give the library's response to [`establish`](Self::establish).
    #[must_use]
    pub fn headers(&self) -> Vec<Header<'_>> {
        let lines = match self.bootstrap {
            Bootstrap::Upgrade => {
                let start_line = self.request.iter().position(|byte| *byte == b'\n');
                let start_line = start_line.unwrap_or_default().saturating_add(1);
                self.request.get(start_line..).unwrap_or_default()
            }
            Bootstrap::ExtendedConnect => &self.request,
        };
        parse_lines(lines)
    }

    /// The whole request over HTTP/1.1, written or not.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        match self.bootstrap {
            Bootstrap::Upgrade => &self.request,
            Bootstrap::ExtendedConnect => &[],
        }
    }

    const fn fail(&mut self, error: ResponseError) -> ResponseError {
        self.failed = Some(error);
        error
    }

    /// The connection that a response opens, if it does.
    fn open(
        &mut self,
        status: u16,
        headers: &[Header<'_>],
    ) -> Result<Option<Connection>, ResponseError> {
        if !self.bootstrap.is_accepted(status, headers, &self.accept)? {
            return Ok(None);
        }
        self.check_subprotocol(headers)?;
        // Item 5: only extensions that were offered, as they were offered.
        let extensions =
            extensions::parse(headers).map_err(|_| ResponseError::MalformedExtensions)?;
        let agreed = deflate::check_response(&extensions, &self.config)?;
        let connection = Connection::client(&self.config, self.keys.fork());
        let connection = connection.with_deflate(agreed.as_ref());
        Ok(Some(match self.bootstrap {
            Bootstrap::Upgrade => connection,
            Bootstrap::ExtendedConnect => connection.over_http_stream(),
        }))
    }

    /// Item 6: one that was offered, or none.
    fn check_subprotocol(&self, headers: &[Header<'_>]) -> Result<(), ResponseError> {
        let mut chosen = values(headers, "Sec-WebSocket-Protocol");
        match (chosen.next(), chosen.next()) {
            (None, _) => Ok(()),
            // An empty value names no subprotocol, so it is not one "that was not present in the client's
            // handshake". The outcome is that of a response without the header, which every client must be ready
            // for: `Response::subprotocol` is `None`. Two lines stay an error (section 11.3.4), empty or not.
            (Some(name), None) if trim(name).is_empty() => Ok(()),
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

/// Checks what the application wants to send.
fn check_options(bootstrap: Bootstrap, options: &ClientOptions<'_>) -> Result<(), InputError> {
    for header in options.headers {
        bootstrap.check_header(header)?;
    }
    if let Some(host) = options.host {
        Authority::parse(host.as_bytes()).ok_or(InputError::Host)?;
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
    Ok(())
}

/// The client's request (RFC 6455 section 4.1, RFC 8441 section 5). All parts have been checked.
fn write_request(
    bootstrap: Bootstrap,
    uri: &Uri,
    options: &ClientOptions<'_>,
    key: &[u8],
) -> Vec<u8> {
    let target = uri.target();
    let authority = options
        .host
        .map_or_else(|| Cow::Owned(uri.authority()), Cow::Borrowed);
    let mut request = match bootstrap {
        Bootstrap::Upgrade => alloc::format!("GET {target} HTTP/1.1\r\n").into_bytes(),
        Bootstrap::ExtendedConnect => Vec::new(),
    };
    let mut add = |name: &str, value: &[u8]| write_header(&mut request, &Header { name, value });
    match bootstrap {
        Bootstrap::Upgrade => {
            add("Host", authority.as_bytes());
            add("Upgrade", b"websocket");
            add("Connection", b"Upgrade");
            add("Sec-WebSocket-Key", key);
        }
        Bootstrap::ExtendedConnect => {
            add(":method", b"CONNECT");
            add(":protocol", b"websocket");
            // RFC 8441 section 5: wss is https here, and ws is http.
            add(":scheme", if uri.is_secure() { b"https" } else { b"http" });
            add(":path", target.as_bytes());
            add(":authority", authority.as_bytes());
        }
    }
    let names = bootstrap.names();
    add(names.version, b"13");
    if let Some(origin) = options.origin {
        add(names.origin, origin.as_bytes());
    }
    if !options.subprotocols.is_empty() {
        add(
            names.subprotocol,
            options.subprotocols.join(", ").as_bytes(),
        );
    }
    if let Some(offer) = deflate::offer(&options.config) {
        add(names.extensions, offer.as_bytes());
    }
    for header in options.headers {
        add(header.name, header.value);
    }
    if bootstrap == Bootstrap::Upgrade {
        request.extend_from_slice(b"\r\n");
    }
    request
}
