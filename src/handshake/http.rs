//! The types of the crate `http`, which hyper, axum, tower and h2 share.
//!
//! Names are compared and written in lower case, as in that crate; a header that stands several times is several headers.

use alloc::vec::Vec;

use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use crate::handshake::client::ClientHandshake;
use crate::handshake::extended_connect;
use crate::handshake::headers::Header;
use crate::handshake::request::Request;
use crate::handshake::request_error::RequestError;
use crate::handshake::response::Response;
use crate::handshake::server::ServerHandshake;

/// # With the crate `http`
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl<'a> Header<'a> {
    /// All headers of a map.
    #[must_use]
    pub fn from_map(map: &'a HeaderMap) -> Vec<Self> {
        let header = |(name, value): (&'a HeaderName, &'a HeaderValue)| Header {
            name: name.as_str(),
            value: value.as_bytes(),
        };
        map.iter().map(header).collect()
    }

    /// A map of these headers, but for those that no map can hold.
    ///
    /// Whatever this crate writes can be held: names that are tokens, values without control characters.
    #[must_use]
    pub fn to_map(headers: &[Header<'_>]) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(headers.len());
        for header in headers {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(header.value)) {
                map.append(name, value);
            }
        }
        map
    }
}

/// # With the crate `http`
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl<'b> Request<'b> {
    /// A request over HTTP/1.1 or 1.0; its body plays no part.
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
    /// let answer: http::Response<_> = match Request::from_http(&request).negotiate(&ServerOptions::default()) {
    ///     Ok(handshake) => {
    ///         // What follows the answer on the transport is for this connection.
    ///         let connection = handshake.connection();
    ///         handshake.to_http().map(|()| Vec::new())
    ///     }
    ///     Err(error) => error.to_http(),
    /// };
    /// assert_eq!(answer.status(), 101);
    /// assert_eq!(answer.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn from_http<B>(request: &'b http::Request<B>) -> Self {
        let uri = request.uri();
        let mut headers = Header::from_map(request.headers());
        // RFC 9112 section 3.2.2: a host in the target stands in place of the header.
        if let Some(authority) = uri.authority() {
            headers.retain(|header| !header.is("Host"));
            headers.push(Header {
                name: "host",
                value: authority.as_str().as_bytes(),
            });
        }
        let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
        let method = request.method().as_str();
        if matches!(request.version(), Version::HTTP_10 | Version::HTTP_09) {
            Self::new_http10(method, target, headers)
        } else {
            Self::new(method, target, headers)
        }
    }
}

/// # With the crate `http`
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl<'b> Response<'b> {
    /// A response that a client has received; its body is left out.
    #[must_use]
    pub fn from_http<B>(response: &'b http::Response<B>) -> Self {
        let headers = Header::from_map(response.headers());
        Self::new(response.status().as_u16(), headers)
    }
}

/// # With the crate `http`
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl ServerHandshake<'_> {
    /// The answer, with status 101.
    #[must_use]
    pub fn to_http(&self) -> http::Response<()> {
        answer(101, &self.headers(), ())
    }
}

/// # With the crate `http`
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl RequestError {
    /// The answer that refuses a request over HTTP/1.1, its body a line of text.
    ///
    /// The library that writes it adds how long it is and whether the transport stays open.
    #[must_use]
    pub fn to_http(self) -> http::Response<Vec<u8>> {
        refusal(self.status(), self.headers(), self)
    }

    /// The answer that refuses a request over HTTP/2 or HTTP/3: see
    /// [`extended_connect::refusal`](crate::handshake::extended_connect::refusal).
    #[must_use]
    pub fn to_http2(self) -> http::Response<Vec<u8>> {
        let (status, headers) = extended_connect::refusal(self);
        refusal(status, headers, self)
    }
}

/// # With the crate `http`
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl ClientHandshake {
    /// The request, of which the target is the path: for a library that has the transport already.
    #[must_use]
    pub fn to_http(&self) -> http::Request<()> {
        let mut request = http::Request::new(());
        // The parts of a URI were checked when it was parsed.
        *request.uri_mut() = self.target().parse().unwrap_or_default();
        *request.headers_mut() = Header::to_map(&self.headers());
        request
    }
}

/// # With the crate `http`
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl<'b> extended_connect::Request<'b> {
    /// A request over HTTP/2 or HTTP/3, with the `:protocol` that its library keeps apart, for instance in the extension
    /// `hyper::ext::Protocol` or `h2::ext::Protocol`.
    ///
    /// # Example
    ///
    /// ```
    /// use sockless::handshake::ServerOptions;
    /// use sockless::handshake::extended_connect::Request;
    ///
    /// # let request = http::Request::builder()
    /// #     .method("CONNECT")
    /// #     .uri("https://example.com/chat")
    /// #     .header("sec-websocket-version", "13")
    /// #     .body(())?;
    /// let answer = match Request::from_http(&request, "websocket").negotiate(&ServerOptions::default()) {
    ///     Ok(handshake) => handshake.to_http().map(|()| Vec::new()),
    ///     Err(error) => error.to_http2(),
    /// };
    /// assert_eq!(answer.status(), 200);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn from_http<B>(request: &'b http::Request<B>, protocol: &'b str) -> Self {
        let uri = request.uri();
        let pseudo = [
            (":method", Some(request.method().as_str())),
            (":protocol", Some(protocol)),
            (":scheme", uri.scheme_str()),
            (":authority", uri.authority().map(Authority::as_str)),
            (":path", uri.path_and_query().map(PathAndQuery::as_str)),
        ];
        let field = |(name, value): (&'static str, Option<&'b str>)| {
            let value = value?.as_bytes();
            Some(Header { name, value })
        };
        let fields = pseudo.into_iter().filter_map(field);
        let headers = Header::from_map(request.headers());
        Self::new(fields.chain(headers).collect())
    }
}

/// # With the crate `http`
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl extended_connect::ServerHandshake<'_> {
    /// The answer, with status 200.
    #[must_use]
    pub fn to_http(&self) -> http::Response<()> {
        answer(200, &self.headers(), ())
    }
}

/// # With the crate `http`
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl extended_connect::ClientHandshake {
    /// The request, without the `:protocol`, which its library keeps apart: set it to `websocket`, for instance with
    /// the extension `hyper::ext::Protocol` or `h2::ext::Protocol`.
    #[must_use]
    pub fn to_http(&self) -> http::Request<()> {
        let fields = self.headers();
        let (pseudo, headers): (Vec<Header<'_>>, Vec<Header<'_>>) = fields
            .iter()
            .partition(|header| header.name.starts_with(':'));
        let value = |name| pseudo.iter().find(|it| it.name == name).map(|it| it.value);
        let part = |name| value(name).unwrap_or_default();
        let uri = http::Uri::builder()
            .scheme(part(":scheme"))
            .authority(part(":authority"))
            .path_and_query(part(":path"))
            .build();
        let mut request = http::Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        // The parts of a URI were checked when it was parsed.
        *request.uri_mut() = uri.unwrap_or_default();
        *request.headers_mut() = Header::to_map(&headers);
        request
    }
}

fn answer<B>(status: u16, headers: &[Header<'_>], body: B) -> http::Response<B> {
    let mut response = http::Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    *response.headers_mut() = Header::to_map(headers);
    response
}

fn refusal(status: u16, headers: &[Header<'_>], error: RequestError) -> http::Response<Vec<u8>> {
    let text = Header {
        name: "content-type",
        value: b"text/plain; charset=utf-8",
    };
    let body = alloc::format!("{error}\n").into_bytes();
    answer(status, &[headers, &[text]].concat(), body)
}
