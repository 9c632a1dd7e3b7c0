//! Where to connect, with which credentials, and where a redirect leads.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::LOCATION;
use sockless::handshake::{ClientOptions, Header, InputError, Uri};

use crate::connect::error::{ConnectError, RedirectError};
use crate::connect::response::Response;

/// The server and the resource, and what may be sent there. It has no `Debug`, because it contains credentials.
pub(crate) struct Target {
    pub(crate) uri: Uri,
    /// The value of `Authorization` for the user and the password of the URI.
    basic: Option<Vec<u8>>,
    /// Whether all redirects stayed at the origin that the caller named. Only this origin gets credentials.
    original: bool,
}

/// The headers that are credentials. Another origin does not get them (Fetch, section 4.4, "HTTP-redirect fetch").
const CREDENTIALS: [&str; 3] = ["Authorization", "Cookie", "Proxy-Authorization"];

impl Target {
    /// Parses a `ws:` or `wss:` URI, which may have a user and a password.
    pub(crate) fn parse(uri: &str) -> Result<Self, ConnectError> {
        let invalid = ConnectError::Input(InputError::Uri);
        let Ok(parsed) = fluent_uri::Uri::parse(uri) else {
            return Err(invalid);
        };
        let Some(userinfo) = parsed
            .authority()
            .and_then(|authority| authority.userinfo())
        else {
            return Ok(Self {
                uri: Uri::parse(uri)?,
                basic: None,
                original: true,
            });
        };
        // RFC 6455, section 3, knows no user information. So it leaves the URI here.
        let without = uri.replacen(&format!("//{userinfo}@"), "//", 1);
        let decoded = userinfo.decode().to_bytes();
        Ok(Self {
            uri: Uri::parse(&without)?,
            basic: (!matches!(&*decoded, b"" | b":")).then(|| basic(&decoded)),
            original: true,
        })
    }

    /// The target of a redirect. `None` if the response is not a redirect with one `Location`.
    pub(crate) fn redirect(&self, response: &Response) -> Option<Result<Self, RedirectError>> {
        if !matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let mut locations = response.headers.get_all(LOCATION).iter();
        match (locations.next(), locations.next()) {
            (Some(location), None) => Some(self.follow(location.as_bytes())),
            _ => None,
        }
    }

    fn follow(&self, location: &[u8]) -> Result<Self, RedirectError> {
        let uri = self.resolve(location).ok_or(RedirectError::Location)?;
        if uri
            .authority()
            .is_some_and(|authority| authority.has_userinfo())
        {
            return Err(RedirectError::Credentials);
        }
        // Fetch, section 2.5: `http:` and `https:` mean the same as `ws:` and `wss:`.
        let (scheme, secure) = match uri.scheme().as_str().to_ascii_lowercase().as_str() {
            "ws" | "http" => ("ws", false),
            "wss" | "https" => ("wss", true),
            _ => return Err(RedirectError::Location),
        };
        if self.uri.is_secure() && !secure {
            return Err(RedirectError::Insecure);
        }
        let rest = uri.as_str().split_once(':').map_or("", |(_, rest)| rest);
        let uri = Uri::parse(&format!("{scheme}:{rest}")).map_err(|_| RedirectError::Location)?;
        // Credentials that were dropped once stay dropped, also if a later redirect returns.
        let original = self.original && is_same_origin(&self.uri, &uri);
        Ok(Self {
            uri,
            basic: self.basic.clone().filter(|_| original),
            original,
        })
    }

    /// The location as a URI without a fragment (RFC 3986, section 5.2).
    fn resolve(&self, location: &[u8]) -> Option<fluent_uri::Uri<String>> {
        let location = str::from_utf8(location).ok()?;
        let location = fluent_uri::UriRef::parse(location).ok()?;
        let base = self.uri.to_string();
        let base = fluent_uri::Uri::parse(base.as_str()).ok()?;
        let mut uri = location.resolve_against(&base).ok()?;
        uri.set_fragment(None);
        Some(uri)
    }

    /// The headers of the options that may be sent here, with the credentials of the URI.
    ///
    /// A header `Authorization` of the options takes precedence over the user of the URI.
    pub(crate) fn headers<'h>(&'h self, options: &ClientOptions<'h>) -> Vec<Header<'h>> {
        let is_allowed =
            |header: &Header<'_>| self.original || !CREDENTIALS.iter().any(|name| header.is(name));
        let mut headers: Vec<_> = options.headers.iter().copied().filter(is_allowed).collect();
        if let Some(value) = &self.basic
            && !headers.iter().any(|header| header.is("Authorization"))
        {
            headers.push(Header {
                name: "Authorization",
                value,
            });
        }
        headers
    }

    /// The options for this target: `headers` are those of [`headers`](Self::headers).
    pub(crate) fn options<'h>(
        &self,
        options: &ClientOptions<'h>,
        headers: &'h [Header<'h>],
    ) -> ClientOptions<'h> {
        let mut options = options.clone().with_headers(headers);
        if !self.original {
            // It names the first server.
            options.host = None;
        }
        options
    }
}

/// RFC 7617, section 2. A user without a password has an empty one.
fn basic(userinfo: &[u8]) -> Vec<u8> {
    let mut credentials = userinfo.to_vec();
    if !credentials.contains(&b':') {
        credentials.push(b':');
    }
    format!("Basic {}", BASE64_STANDARD.encode(credentials)).into_bytes()
}

fn is_same_origin(a: &Uri, b: &Uri) -> bool {
    a.is_secure() == b.is_secure()
        && a.host().eq_ignore_ascii_case(b.host())
        && a.port() == b.port()
}
