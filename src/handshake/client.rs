//! A client's side of the opening handshake (RFC 6455, section 4.1).

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

/// The client's side of the opening handshake (RFC 6455, section 4.1): it connects to a server.
///
/// 1. Connect the transport to [`Uri::host`] and [`Uri::port`]. If [`Uri::is_secure`], use TLS.
/// 2. Write the [`output`](Self::output) to the transport.
/// 3. Read from the transport, and call [`read_response`](Self::read_response) after each read. It returns the
///    response, and an open [`Connection`] if the server accepts.
///
/// You read and write between the calls, with tokio, mio or threads. [`guide::blocking`](crate::guide::blocking)
/// shows it on threads. For transports of `std::io`, [`connect_on`](Self#method.connect_on) does steps 2 and 3.
///
/// If an HTTP library owns the transport, let it send the [`headers`](Self::headers), and give its response to
/// [`establish`](Self::establish). Over HTTP/2 and HTTP/3, begin with [`extended_connect`](Self::extended_connect).
///
/// sockless does not follow redirects and does not answer a 401. Start a new handshake for that. Run only one handshake
/// with the same server at a time (RFC 6455, section 4.1).
///
/// # Example: over a transport that blocks
///
/// ```
/// use std::error::Error;
/// use std::io::{Read, Write};
/// use sockless::handshake::{ClientHandshake, ClientOptions, Uri};
/// use sockless::{Connection, ReadBuffer, Seed};
///
/// /// Drive the connection like that of a server: events, output, transport action.
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
///             // The first messages may already be in the buffer.
///             Some((_, Some(connection))) => return Ok(connection),
///             Some((response, None)) => {
///                 return Err(format!("the server answers {}", response.status()).into());
///             }
///             None if n == 0 => return Err("the server has ended the stream".into()),
///             None => {} // Read more.
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
///
/// # Example: a deadline
///
/// ```
/// use std::time::Duration;
/// use sockless::handshake::{ClientHandshake, ClientOptions, InputError, Uri};
/// use sockless::{Config, Deadlines, Seed};
///
/// let config = Config::new().with_deadlines(Deadlines::new()); // 10 seconds for the handshake
/// let options = ClientOptions::new().with_config(config);
/// # let seed = Seed::new([7; 32]);
/// let mut handshake = ClientHandshake::new(&Uri::parse("wss://example.com")?, &options, seed)?;
///
/// // In each turn: read, call `read_response`, then pass the time.
/// let now = Duration::from_secs(100);
/// assert_eq!(handshake.handle_timeout(now), Ok(()));
/// // Wait for the transport until then.
/// assert_eq!(handshake.timeout_at(), Some(Duration::from_secs(110)));
/// # Ok::<(), InputError>(())
/// ```
#[doc(alias = "connect")]
#[doc(alias = "tokio")]
#[doc(alias = "wss")]
#[doc(alias = "proxy")]
pub struct ClientHandshake {
    pub(super) bootstrap: Bootstrap,
    /// Over HTTP/1.1, the request head. Over HTTP/2 and HTTP/3, the header fields as lines.
    request: Vec<u8>,
    /// How many bytes of `request` are written. Over HTTP/2 and HTTP/3 it is all of them, because a library writes the
    /// fields.
    written: usize,
    /// The only correct answer to the key in the request.
    accept: [u8; 28],
    keys: MaskingKeys,
    subprotocols: Vec<String>,
    config: Config,
    search: Search,
    deadline: HandshakeDeadline,
    /// Set by the first error, which every later call repeats.
    failed: Option<ResponseError>,
}

/// Shows the length of the request and the number of subprotocols. Both may contain credentials, so they stay hidden.
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
    /// All random values come from `seed`: the `Sec-WebSocket-Key` and the connection's masking keys. Use a new seed
    /// for each handshake.
    ///
    /// # Errors
    ///
    /// [`InputError`] if a host, header, origin or subprotocol in `options` is not valid.
    #[doc(alias = "connect")]
    pub fn new(uri: &Uri, options: &ClientOptions<'_>, seed: Seed) -> Result<Self, InputError> {
        Self::prepare(Bootstrap::Upgrade, uri, options, seed)
    }

    /// Prepares the request for `uri` over HTTP/2 or HTTP/3 (RFC 8441, RFC 9220).
    ///
    /// Let your HTTP library send its [`headers`](Self::headers), and give the response to
    /// [`establish`](Self::establish). The names of the headers in `options` must be in lower case.
    ///
    /// The connection's masking keys come from `seed`. Use a new seed for each handshake.
    ///
    /// # Errors
    ///
    /// [`InputError`] if a host, header, origin or subprotocol in `options` is not valid.
    #[doc(alias = "connect")]
    #[doc(alias = "HTTP/2")]
    #[doc(alias = "HTTP/3")]
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

    /// Reads the server's response over HTTP/1.1, or returns `None` if it is not complete. Then read more and call
    /// again.
    ///
    /// The response comes with the open connection if the server accepts. Another status than 101 comes without one,
    /// for instance a redirect, a 401 or a 404. [`Response::body`] is then the part of the body that has arrived. These
    /// bytes also stay unread in the buffer. After a 101, the bytes that follow stay in the buffer for the connection.
    ///
    /// Call this after every read, and before [`handle_timeout`](Self::handle_timeout). Do not call it again after it
    /// has returned the response. Interim responses, such as 100 and 103, are skipped.
    ///
    /// If the stream ends before the response is complete, the handshake has failed. Close the transport.
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if the response is malformed or over a limit, or if it is a 101 that breaks RFC 6455, section
    /// 4.1. [`ResponseError::Timeout`] if [`handle_timeout`](Self::handle_timeout) returned it before. After
    /// [`extended_connect`](Self::extended_connect) it always fails, with [`ResponseError::NotAnUpgrade`].
    ///
    /// Every later call returns the same error. Close the transport.
    pub fn read_response<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<(Response<'b>, Option<Connection>)>, ResponseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        // A response over HTTP/1.1 cannot answer an extended CONNECT.
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

    /// Checks a response that an HTTP library has read.
    ///
    /// Returns the response, and the open connection if the server accepts. Over HTTP/1.1 only status 101 accepts. Over
    /// HTTP/2 and HTTP/3, every status from 200 to 299 accepts (RFC 9110, section 9.3.6).
    ///
    /// # Errors
    ///
    /// [`ResponseError`] if the server accepts but breaks RFC 6455, section 4.1. Or the error of an earlier call, which
    /// is final. Close the transport, or reset the stream.
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

    /// Passes the time to the deadline of the handshake.
    ///
    /// `now` is the time since an origin that you choose. Use the same origin for [`Connection::handle_timeout`] later.
    /// If `now` is earlier than a time that you passed before, the latest time counts.
    ///
    /// The deadline counts from the first call. When it passes, this call returns `Ok` once more, because the response
    /// may have arrived in time and still be unread. [`timeout_at`](Self::timeout_at) is then zero. Read without
    /// waiting, call [`read_response`](Self::read_response), and call this again. If bytes keep arriving, this repeats.
    /// The handshake takes at most twice its deadline.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Timeout`] if [`Deadlines::handshake`](crate::Deadlines::handshake) has passed and nothing
    /// arrived in the last turn. If the response was wrong before, its error. Close the transport, or reset the stream.
    #[doc(alias = "deadline")]
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ResponseError> {
        if self.failed.is_none() && self.deadline.expired(now) {
            self.failed = Some(ResponseError::Timeout);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    ///
    /// `None` means that the handshake has no deadline, that the response is complete, or that the handshake has
    /// failed.
    ///
    /// [`Duration::ZERO`] means at once. It occurs before the first call, because the deadline counts from that call.
    /// It also occurs when the deadline has passed and you have one more turn to read.
    #[must_use]
    pub const fn timeout_at(&self) -> Option<Duration> {
        match self.failed {
            None => self.deadline.next(),
            Some(_) => None,
        }
    }

    /// Removes `n` bytes from the [`output`](Self::output), after you have written them to the transport.
    ///
    /// # Panics
    ///
    /// If `n` is more than the length of the output.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "`written` is at most the length of the request"
    )]
    pub fn advance_output(&mut self, n: usize) {
        assert!(n <= self.output().len(), "advanced by more than the output");
        self.written += n;
    }

    /// The bytes to write to the transport. They are empty after the whole request is written, and over HTTP/2 and
    /// HTTP/3.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.request.get(self.written..).unwrap_or_default()
    }

    /// The headers of the request, for an HTTP library to write.
    ///
    /// Over HTTP/1.1 the method is GET, and the target is the [path](Uri::path) with the [query](Uri::query). Over
    /// HTTP/2 and HTTP/3 the pseudo-header fields come first. Give the library's response to
    /// [`establish`](Self::establish).
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

    /// The whole request head over HTTP/1.1, written or not. Over HTTP/2 and HTTP/3 it is empty.
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

    /// The connection, if the response accepts.
    fn open(
        &mut self,
        status: u16,
        headers: &[Header<'_>],
    ) -> Result<Option<Connection>, ResponseError> {
        if !self.bootstrap.is_accepted(status, headers, &self.accept)? {
            return Ok(None);
        }
        self.check_subprotocol(headers)?;
        // Item 5: only extensions that the client offered, with parameters that fit the offer.
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

    /// Item 6: the server chooses a subprotocol that the client offered, or none.
    fn check_subprotocol(&self, headers: &[Header<'_>]) -> Result<(), ResponseError> {
        let mut chosen = values(headers, "Sec-WebSocket-Protocol");
        match (chosen.next(), chosen.next()) {
            (None, _) => Ok(()),
            // An empty value names no subprotocol. So it is not one "that was not present in the client's handshake".
            // Every client must accept a response without the header, and `Response::subprotocol` is `None` for both.
            // Two lines are an error, empty or not (section 11.3.4).
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

/// The client's request (RFC 6455, section 4.1; RFC 8441, section 5). All parts are checked before.
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
            // RFC 8441, section 5: the scheme is https for wss, and http for ws.
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
