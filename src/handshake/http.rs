//! Conversions from and to the types of the crate `http`, which hyper, axum, tower and h2 use.
//!
//! That crate compares and writes header names in lower case. A repeated header is several headers here.

use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;

use http::request::{self, Parts};
use http::uri::{self, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use crate::handshake::bootstrap::{Bootstrap, Scheme, Source, Version as HttpVersion};
use crate::handshake::client::ClientHandshake;
use crate::handshake::headers::Header;
use crate::handshake::input_error::InputError;
use crate::handshake::request::{Request, origin_form, set_host};
use crate::handshake::request_error::{RequestError, TEXT};
use crate::handshake::response::Response;
use crate::handshake::uri::Authority;

/// # With the crate `http`
impl<'a> Header<'a> {
    /// The headers of a map, as a list.
    #[must_use]
    pub fn from_map(map: &'a HeaderMap) -> Vec<Self> {
        let header = |(name, value): (&'a HeaderName, &'a HeaderValue)| Header {
            name: name.as_str(),
            value: value.as_bytes(),
        };
        map.iter().map(header).collect()
    }

    /// A map of these headers.
    ///
    /// Invalid headers are left out. A map holds every name that is a token and every value without
    /// control characters. It has room for about 24,576 names, and headers beyond that are left out.
    #[must_use]
    pub fn to_map(headers: &[Header<'_>]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for header in headers {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(header.value)) {
                // A full map would panic with `append`.
                _ = map.try_append(name, value);
            }
        }
        map
    }
}

/// # With the crate `http`
impl<'b> Request<'b> {
    /// Takes a request over HTTP/1.1, for instance from hyper or axum. Its body is not used.
    ///
    /// A request over another version is not accepted: the error is [`RequestError::Http10`]. Over
    /// HTTP/2 and HTTP/3, use [`from_http_connect`](Self::from_http_connect). If the target is absolute, its host
    /// becomes the `Host` header and its path becomes the target, see [`target`](Self::target).
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::handshake::{Request, ServerOptions};
    ///
    /// # let request = http::Request::builder()
    /// #     .uri("/chat")
    /// #     .header("host", "example.com")
    /// #     .header("upgrade", "websocket")
    /// #     .header("connection", "Upgrade")
    /// #     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    /// #     .header("sec-websocket-version", "13")
    /// #     .body(())?;
    /// let request = Request::from_http(&request);
    /// let answer: http::Response<_> = match request.negotiate(&ServerOptions::default()) {
    ///     // Let the library write the response. The upgraded transport then belongs to the connection.
    ///     Ok((response, connection)) => response.to_http().map(|()| Vec::new()),
    ///     Err(error) => error.to_http(),
    /// };
    /// assert_eq!(answer.status(), 101);
    /// assert_eq!(answer.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[doc(alias = "hyper")]
    #[doc(alias = "axum")]
    #[doc(alias = "tower")]
    #[must_use]
    pub fn from_http<B>(request: &'b http::Request<B>) -> Self {
        Self::of(
            request.method(),
            request.uri(),
            request.version(),
            request.headers(),
        )
    }

    /// Like [`from_http`](Self::from_http), for the parts of a request.
    #[doc(alias = "axum")]
    #[must_use]
    pub fn from_http_parts(parts: &'b Parts) -> Self {
        Self::of(&parts.method, &parts.uri, parts.version, &parts.headers)
    }

    /// Takes a request over HTTP/2 or HTTP/3 (RFC 8441, RFC 9220).
    ///
    /// Give the `:protocol` separately, because HTTP libraries keep it separately. It is in the extension
    /// `hyper::ext::Protocol` or `h2::ext::Protocol` of the request.
    ///
    /// A client may send a `host` field in place of `:authority`. In that case the library loses the `:scheme`,
    /// because an `http::Uri` without an authority has no scheme. Such a request is accepted, although it does not
    /// say whether it came over TLS.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::handshake::{Request, ServerOptions};
    ///
    /// # let request = http::Request::builder()
    /// #     .method("CONNECT")
    /// #     .uri("https://example.com/chat")
    /// #     .header("sec-websocket-version", "13")
    /// #     .body(())?;
    /// let request = Request::from_http_connect(&request, "websocket");
    /// let answer = match request.negotiate(&ServerOptions::default()) {
    ///     // Let the library write the response. The stream then belongs to the connection.
    ///     Ok((response, connection)) => response.to_http().map(|()| Vec::new()),
    ///     Err(error) => error.to_http2(),
    /// };
    /// assert_eq!(answer.status(), 200);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[doc(alias = "hyper")]
    #[doc(alias = "h2")]
    #[must_use]
    pub fn from_http_connect<B>(request: &'b http::Request<B>, protocol: &'b str) -> Self {
        Self::of_connect(request.method(), request.uri(), protocol, request.headers())
    }

    /// Like [`from_http_connect`](Self::from_http_connect), for the parts of a request.
    #[must_use]
    pub fn from_http_connect_parts(parts: &'b Parts, protocol: &'b str) -> Self {
        Self::of_connect(&parts.method, &parts.uri, protocol, &parts.headers)
    }

    fn of_connect(
        method: &'b Method,
        uri: &'b Uri,
        protocol: &'b str,
        headers: &'b HeaderMap,
    ) -> Self {
        let pseudo = [
            (":method", Some(method.as_str())),
            (":protocol", Some(protocol)),
            (":scheme", uri.scheme_str()),
            (":authority", uri.authority().map(uri::Authority::as_str)),
            (":path", uri.path_and_query().map(PathAndQuery::as_str)),
        ];
        let field = |(name, value): (&'static str, Option<&'b str>)| {
            let value = value?.as_bytes();
            Some(Header { name, value })
        };
        let fields = pseudo.into_iter().filter_map(field);
        let headers = fields.chain(Header::from_map(headers)).collect();
        if uri.scheme().is_none() && uri.authority().is_none() {
            Self::from_stream(headers, Scheme::Unknown)
        } else {
            Self::extended_connect(headers)
        }
    }

    fn of(method: &'b Method, uri: &'b Uri, version: Version, headers: &'b HeaderMap) -> Self {
        let mut headers = Header::from_map(headers);
        let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let target = match uri.authority().map(uri::Authority::as_str) {
            None => Cow::Borrowed(path),
            Some(host) if is_http && Authority::parse(host.as_bytes()).is_some() => {
                set_host(&mut headers, host);
                origin_form(path)
            }
            Some(_) => Cow::Owned(uri.to_string()),
        };
        let version = if version == Version::HTTP_11 {
            HttpVersion::Http11
        } else {
            HttpVersion::Http10
        };
        Self {
            method: method.as_str(),
            target,
            source: Source::Library(version),
            headers,
        }
    }
}

/// # With the crate `http`
impl<'b> Response<'b> {
    /// Takes a response that a client has received. Its body is not used.
    #[must_use]
    pub fn from_http<B>(response: &'b http::Response<B>) -> Self {
        let mut headers = Header::from_map(response.headers());
        let status = response.status();
        // RFC 9110, section 7.8: only HTTP/1.1 has Upgrade, so a 101 in another version means nothing.
        if status == StatusCode::SWITCHING_PROTOCOLS && response.version() != Version::HTTP_11 {
            headers.retain(|header| !header.is("Upgrade"));
        }
        Self::new(status.as_u16(), headers)
    }

    /// The response for an HTTP library to write. It has no body.
    #[must_use]
    pub fn to_http(&self) -> http::Response<()> {
        answer(self.status(), &self.headers(), ())
    }
}

/// # With the crate `http`
impl RequestError {
    /// The response that refuses a request over HTTP/1.1.
    ///
    /// Its body is one line of text. It is empty for [`Method`](Self::Method) and [`Host`](Self::Host), because the
    /// request may be a HEAD. The library that writes the response adds `Content-Length`, and decides whether the
    /// transport stays open.
    #[must_use]
    pub fn to_http(self) -> http::Response<Vec<u8>> {
        let headers = self.headers().iter().copied();
        // RFC 9110, section 7.8: the sender of Upgrade must name it in Connection.
        let upgrade = headers.clone().any(|header| header.is("Upgrade"));
        let connection = Header {
            name: "connection",
            value: b"Upgrade",
        };
        let headers = headers.chain(upgrade.then_some(connection));
        refusal(self.status(), headers, self)
    }

    /// The response that refuses a request over HTTP/2, with the status and headers of
    /// [`over_http2`](Self::over_http2).
    #[must_use]
    pub fn to_http2(self) -> http::Response<Vec<u8>> {
        let (status, headers) = self.over_http2();
        refusal(status, headers.iter().copied(), self)
    }

    /// The response that refuses a request over HTTP/3. It is the same as over HTTP/2 (RFC 9220, section 3).
    #[must_use]
    pub fn to_http3(self) -> http::Response<Vec<u8>> {
        self.to_http2()
    }
}

/// # With the crate `http`
impl ClientHandshake {
    /// The request, for an HTTP library to send.
    ///
    /// Over HTTP/1.1 the URI is only the path and the query, for a library that is already connected.
    ///
    /// Over HTTP/2 and HTTP/3 the request lacks the `:protocol`, because HTTP libraries keep it separately. Set it to
    /// `websocket`, for instance with the extension `hyper::ext::Protocol` or `h2::ext::Protocol`.
    ///
    /// # Errors
    ///
    /// `http::Error` if the crate `http` cannot hold the request. That crate does not allow percent-encoded
    /// characters in a host. It also has lower limits for the length of a URI, the length of a name, and the number
    /// of headers.
    #[doc(alias = "hyper")]
    #[doc(alias = "h2")]
    pub fn to_http(&self) -> http::Result<http::Request<()>> {
        let fields = self.headers();
        let (pseudo, headers): (Vec<Header<'_>>, Vec<Header<'_>>) = fields
            .iter()
            .partition(|header| header.name.starts_with(':'));
        let request = match self.bootstrap {
            Bootstrap::Upgrade => http::Request::get(self.target()),
            Bootstrap::ExtendedConnect => {
                let value = |name| pseudo.iter().find(|it| it.name == name).map(|it| it.value);
                let part = |name| value(name).unwrap_or_default();
                let uri = Uri::builder()
                    .scheme(part(":scheme"))
                    .authority(part(":authority"))
                    .path_and_query(part(":path"))
                    .build()?;
                http::Request::connect(uri).version(Version::HTTP_2)
            }
        };
        with(request, &headers).body(())
    }

    /// The path and the query, as in the request.
    fn target(&self) -> &str {
        // `write_request` has written the method, a space, the target, a space.
        let target = self.request().split(|byte| *byte == b' ').nth(1);
        target
            .and_then(|target| core::str::from_utf8(target).ok())
            .unwrap_or_default()
    }
}

/// # With the crate `http`
impl TryFrom<&Uri> for crate::handshake::Uri {
    type Error = InputError;

    /// Converts a `ws:` or `wss:` URI. Fails with [`InputError::Uri`] for any other URI.
    fn try_from(uri: &Uri) -> Result<Self, InputError> {
        Self::parse(&uri.to_string())
    }
}

fn with(mut request: request::Builder, headers: &[Header<'_>]) -> request::Builder {
    for header in headers {
        request = request.header(header.name, header.value);
    }
    request
}

fn answer<B>(status: u16, headers: &[Header<'_>], body: B) -> http::Response<B> {
    let mut response = http::Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    *response.headers_mut() = Header::to_map(headers);
    response
}

fn refusal<'h>(
    status: u16,
    headers: impl Iterator<Item = Header<'h>>,
    error: RequestError,
) -> http::Response<Vec<u8>> {
    let headers: Vec<_> = headers.chain([TEXT]).collect();
    answer(status, &headers, error.body().into_bytes())
}
