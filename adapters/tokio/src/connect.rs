//! Clients: from a URI to an open WebSocket.

use std::time::Duration;

use sockless::handshake::ClientOptions;

use crate::trace;
use crate::websocket::WebSocket;
use error::{ConnectError, RedirectError, Step};
use http2::HttpVersions;
use limit::Limit;
use proxy::Proxy;
use response::Response;
use target::Target;
use tls::Tls;
use transport::{HttpVersion, Security, Transport};

mod body;
pub(crate) mod error;
pub(crate) mod handshake;
#[cfg(feature = "http2")]
pub(crate) mod http2;
#[cfg(not(feature = "http2"))]
#[path = "connect/no_http2.rs"]
mod http2;
mod limit;
#[cfg(feature = "proxy")]
pub(crate) mod proxy;
#[cfg(not(feature = "proxy"))]
#[path = "connect/no_proxy.rs"]
mod proxy;
pub(crate) mod response;
mod target;
mod tcp;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(not(feature = "rustls"))]
#[path = "connect/no_tls.rs"]
mod tls;
pub(crate) mod transport;
#[cfg(feature = "proxy")]
mod tunnel;

/// Opens a WebSocket at a `ws:` or `wss:` URI, with the defaults of [`Connector`].
///
/// # Example
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut websocket = sockless_tokio::connect("wss://example.com/chat").await?;
/// websocket.send("hello").await?;
/// while let Some(message) = websocket.recv().await? {
///     println!("{}", message.as_text().unwrap_or("binary data"));
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`ConnectError`] says which step failed, and why. [`ConnectError::is_temporary`] says whether to try again.
///
/// # Cancel safety
///
/// If you drop the future, everything that it has opened is closed.
pub async fn connect(uri: &str) -> Result<WebSocket<Transport>, ConnectError> {
    Connector::new().connect(uri).await
}

/// Opens a WebSocket at a URI, with options.
///
/// # What it does
///
/// 1. It looks up the name of the server, and tries its addresses. If an address does not answer within 250 ms, it
///    tries the next one at the same time (RFC 8305, section 5).
/// 2. It uses [the proxy of the environment](crate::Proxy::from_env), unless you set another one with `with_proxy`.
/// 3. For `wss:`, it uses TLS and checks the certificate.
/// 4. It makes the opening handshake, and follows redirects if you allow them.
///
/// It checks the options and the URI before all steps.
///
/// # Tasks
///
/// The connector borrows the headers and subprotocols of its [options](Self::options). If they contain a value that you
/// make at run time, such as a token, build the connector inside the task:
///
/// ```
/// use sockless_tokio::{ClientOptions, ConnectError, Connector, Header};
///
/// # async fn example(token: String) {
/// tokio::spawn(async move {
///     let value = format!("Bearer {token}");
///     let headers = [Header { name: "Authorization", value: value.as_bytes() }];
///     let connector = Connector::new().with_options(ClientOptions::new().with_headers(&headers));
///     let websocket = connector.connect("wss://example.com/chat").await?;
///     Ok::<_, ConnectError>(websocket)
/// });
/// # }
/// ```
///
/// # Credentials
///
/// A user and a password in the URI, as in `wss://user:password@example.com`, become the header `Authorization:
/// Basic`. They may be percent-encoded. A header `Authorization` in the [options](Self::options) takes precedence.
/// Credentials never occur in errors.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use sockless_tokio::{ClientOptions, Connector};
///
/// let connector = Connector::new()
///     .with_options(ClientOptions::new().with_subprotocols(&["chat"]))
///     .with_max_redirects(3)
///     .with_timeout(Duration::from_secs(10));
/// let connecting = connector.connect("wss://user:password@example.com/chat");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connector<'a> {
    /// The headers, the subprotocols, and the settings of the connection.
    ///
    /// Options without [deadlines](crate::Config::deadlines) get the default [`Deadlines`](crate::Deadlines). So the
    /// connection sends Pings, and a lost server ends it. [`Deadlines::handshake`](crate::Deadlines::handshake) also
    /// limits each step of connecting: 10 s by default. A step may take one second more, for bytes that arrived in
    /// time.
    pub options: ClientOptions<'a>,
    /// How many redirects to follow. Default: 0, and a redirect is [`ConnectError::Refused`].
    ///
    /// The statuses are 301, 302, 303, 307 and 308. `Location` may be relative, and `http:` and `https:` mean `ws:`
    /// and `wss:`. A redirect from `wss:` to `ws:` is an error.
    ///
    /// Not sent to another origin (scheme, host or port):
    ///
    /// - the user and the password of the URI
    /// - the headers `Authorization`, `Cookie` and `Proxy-Authorization`
    /// - [`ClientOptions::host`]
    ///
    /// Later redirects do not get them either, even back to the first origin. All other headers are sent.
    pub max_redirects: usize,
    /// The longest time for all steps together, with all redirects. Default: 30 s.
    ///
    /// It may take two seconds more: one for bytes that arrived in time, and one for the body of a refusal. The error
    /// is [`ConnectError::Timeout`] with the step that was not complete.
    pub timeout: Duration,
    tls: Tls,
    proxy: Proxy,
    http_versions: HttpVersions,
}

/// An open WebSocket, and the response that opened it.
type Opened = (WebSocket<Transport>, Response);

/// The names of HTTP/1.1 for ALPN (RFC 7301).
const PROTOCOLS: &[&[u8]] = &[b"http/1.1"];

impl<'a> Connector<'a> {
    /// The defaults, as each field and each setter states them.
    #[must_use]
    pub fn new() -> Self {
        Self {
            options: ClientOptions::new(),
            max_redirects: 0,
            timeout: Duration::from_secs(30),
            tls: Tls::default(),
            proxy: Proxy::default(),
            http_versions: HttpVersions::default(),
        }
    }

    /// Sets [`options`](Self::options).
    #[must_use]
    pub fn with_options(mut self, options: ClientOptions<'a>) -> Self {
        self.options = options;
        self
    }

    /// Sets [`max_redirects`](Self::max_redirects).
    #[must_use]
    pub const fn with_max_redirects(mut self, max_redirects: usize) -> Self {
        self.max_redirects = max_redirects;
        self
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Opens a WebSocket at a `ws:` or `wss:` URI.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says which step failed, and why.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, everything that it has opened is closed.
    pub async fn connect(&self, uri: &str) -> Result<WebSocket<Transport>, ConnectError> {
        let (websocket, _) = self.connect_with_response(uri).await?;
        Ok(websocket)
    }

    /// Like [`connect`](Self::connect), and returns the response. [`Response::subprotocol`] is the subprotocol that the
    /// server chose.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says which step failed, and why.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, everything that it has opened is closed.
    pub async fn connect_with_response(
        &self,
        uri: &str,
    ) -> Result<(WebSocket<Transport>, Response), ConnectError> {
        let opened = self.follow(uri).await;
        opened.inspect_err(trace::not_connected)
    }

    /// Opens a connection, and follows redirects.
    async fn follow(&self, uri: &str) -> Result<Opened, ConnectError> {
        let limit = Limit::new(&self.options.config, self.timeout);
        let mut target = Target::parse(uri)?;
        for _ in 0..self.max_redirects {
            let refused = match self.open(&target, limit).await {
                Err(ConnectError::Refused(response)) => response,
                result => return result,
            };
            target = match target.redirect(&refused) {
                Some(next) => next?,
                None => return Err(ConnectError::Refused(refused)),
            };
        }
        match self.open(&target, limit).await {
            Err(ConnectError::Refused(response))
                if self.max_redirects > 0 && target.redirect(&response).is_some() =>
            {
                Err(RedirectError::TooMany.into())
            }
            result => result,
        }
    }

    /// Connects to one target.
    async fn open(&self, target: &Target, limit: Limit) -> Result<Opened, ConnectError> {
        let headers = target.headers(&self.options);
        let options = target.options(&self.options, &headers);
        handshake::check(&target.uri, &options)?;
        let protocols = self.http_versions.protocols();
        // The futures of all steps are large, so they go to the heap.
        let opened = Box::pin(self.attempt(target, &options, protocols, limit)).await?;
        if let Some(opened) = opened {
            return Ok(opened);
        }
        let opened = Box::pin(self.attempt(target, &options, PROTOCOLS, limit)).await?;
        let unoffered = || std::io::Error::other("the server chose HTTP/2 without an offer");
        opened.ok_or_else(|| ConnectError::Http2(unoffered()))
    }

    /// Makes one connection. `None` if the server chose HTTP/2 but has no WebSocket there.
    async fn attempt(
        &self,
        target: &Target,
        options: &ClientOptions<'_>,
        protocols: &[&[u8]],
        limit: Limit,
    ) -> Result<Option<Opened>, ConnectError> {
        let uri = &target.uri;
        let (mut stream, peer) = self.proxy.connect(uri, &self.tls, limit).await?;
        let mut security = Security::Plain;
        if uri.is_secure() {
            let connected = self
                .tls
                .connect(stream, uri.host(), protocols, limit)
                .await?;
            let (encrypted, version) = connected;
            if version == HttpVersion::Http2 {
                return http2::open(encrypted, peer, target, options, limit).await;
            }
            (stream, security) = (encrypted, Security::Tls);
        }
        let transport = Transport::new(stream, peer, security, HttpVersion::Http11);
        let exchange = handshake::exchange(transport, uri, options);
        let answer = limit.run(Step::Handshake, exchange).await?;
        answer.finish().await.map(Some)
    }
}

impl Default for Connector<'_> {
    fn default() -> Self {
        Self::new()
    }
}
