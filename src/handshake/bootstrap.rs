//! How a WebSocket begins in each version of HTTP: the request, the acceptance, and the spelling of the fields.

use core::str;

use crate::handshake::fields::Fields;
use crate::handshake::headers::{Header, Single, contains_token, single};
use crate::handshake::input_error::InputError;
use crate::handshake::key::is_valid_key;
use crate::handshake::request_error::RequestError;
use crate::handshake::response_error::ResponseError;
use crate::handshake::uri::Authority;
use crate::wire::accept_key;

/// How a WebSocket begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bootstrap {
    /// HTTP/1.1: GET, status 101, and a key that the server answers (RFC 6455, section 4).
    Upgrade,
    /// HTTP/2 and HTTP/3: CONNECT, a status from 200 to 299, and no key (RFC 8441, section 5; RFC 9220, section 3).
    ExtendedConnect,
}

/// The names of the header fields that both variants have. Over HTTP/2 and HTTP/3 they are in lower case (RFC 9113,
/// section 8.2.1; RFC 9114, section 4.2).
pub(crate) struct Names {
    pub(crate) origin: &'static str,
    pub(crate) version: &'static str,
    pub(crate) subprotocol: &'static str,
    pub(crate) extensions: &'static str,
}

/// What a server needs from a request that its version of HTTP allows.
pub(crate) struct Checked<'h> {
    /// The host of the request.
    pub(crate) host: &'h [u8],
    /// The ports that the request may mean if its host has no port.
    pub(crate) default_ports: &'static [u16],
    /// The value of `Sec-WebSocket-Accept`, over HTTP/1.1 only.
    pub(crate) accept: Option<[u8; 28]>,
}

/// Where a request comes from. This decides how a WebSocket begins, and who writes the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This crate has read it. The connection's output begins with the response.
    Transport(Version),
    /// An HTTP library has read it over HTTP/1.1 or earlier, and writes the response.
    Library(Version),
    /// An HTTP library has read it from a stream of HTTP/2 or HTTP/3, and writes the response.
    Stream(Scheme),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http10,
    Http11,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// The headers contain it.
    Listed,
    /// The HTTP library has dropped it.
    Unknown,
}

impl Source {
    pub(crate) const fn bootstrap(self) -> Bootstrap {
        match self {
            Self::Transport(_) | Self::Library(_) => Bootstrap::Upgrade,
            Self::Stream(_) => Bootstrap::ExtendedConnect,
        }
    }

    /// Whether the version allows an upgrade (RFC 9110, section 7.8).
    pub(crate) const fn is_http11(self) -> bool {
        matches!(
            self,
            Self::Transport(Version::Http11) | Self::Library(Version::Http11)
        )
    }

    /// The checks of a request that depend on the version of HTTP.
    pub(crate) fn check<'h>(
        self,
        method: &str,
        target: &str,
        headers: &[Header<'h>],
        fields: &Fields<'h>,
    ) -> Result<Checked<'h>, RequestError> {
        match self {
            Self::Transport(version) | Self::Library(version) => {
                check_upgrade(version, method, target, fields)
            }
            Self::Stream(scheme) => check_extended_connect(scheme, headers, fields),
        }
    }
}

/// The default ports of `http:` and `https:`, for a request whose scheme is not known.
const EITHER: &[u16] = &[80, 443];

impl Bootstrap {
    pub(crate) const fn names(self) -> &'static Names {
        match self {
            Self::Upgrade => &Names {
                origin: "Origin",
                version: "Sec-WebSocket-Version",
                subprotocol: "Sec-WebSocket-Protocol",
                extensions: "Sec-WebSocket-Extensions",
            },
            Self::ExtendedConnect => &Names {
                origin: "origin",
                version: "sec-websocket-version",
                subprotocol: "sec-websocket-protocol",
                extensions: "sec-websocket-extensions",
            },
        }
    }

    /// The status of a server that accepts.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Upgrade => 101,
            Self::ExtendedConnect => 200,
        }
    }

    /// The first headers of a server that accepts.
    pub(crate) const fn answer(self) -> &'static [u8] {
        match self {
            // RFC 6455, section 4.2.2, step 5.
            Self::Upgrade => b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
            Self::ExtendedConnect => b"",
        }
    }

    /// Refuses a header of the application that is not allowed.
    pub(crate) fn check_header(self, header: &Header<'_>) -> Result<(), InputError> {
        header.check_for_handshake()?;
        // RFC 9113, section 8.2.2: HTTP/2 forbids headers about the connection. It allows `te: trailers`, which a
        // WebSocket does not need.
        let is_reserved = || {
            ["keep-alive", "proxy-connection", "te"]
                .iter()
                .any(|name| header.is(name))
        };
        if self == Self::ExtendedConnect && is_reserved() {
            return Err(InputError::ReservedHeader);
        }
        let has_upper_case = || header.name.bytes().any(|byte| byte.is_ascii_uppercase());
        // RFC 9113, section 8.2.1: an upper-case name makes the message malformed.
        if self == Self::ExtendedConnect && has_upper_case() {
            return Err(InputError::HeaderName);
        }
        Ok(())
    }

    /// Whether a response accepts. It is an error if the response accepts but breaks a rule.
    pub(crate) fn is_accepted(
        self,
        status: u16,
        headers: &[Header<'_>],
        accept: &[u8; 28],
    ) -> Result<bool, ResponseError> {
        match (self, status) {
            (Self::Upgrade, 101) => {}
            // RFC 9110, section 9.3.6.
            (Self::ExtendedConnect, 200..300) => return Ok(true),
            _ => return Ok(false),
        }
        // RFC 6455, section 4.1, the second list, items 2 and 3.
        if !contains_token(headers, "Upgrade", "websocket")
            || !contains_token(headers, "Connection", "upgrade")
        {
            return Err(ResponseError::NotAnUpgrade);
        }
        // Item 4.
        if single(headers, "Sec-WebSocket-Accept") != Single::One(accept) {
            return Err(ResponseError::Accept);
        }
        Ok(true)
    }
}

/// RFC 6455, section 4.2.1.
fn check_upgrade<'h>(
    version: Version,
    method: &str,
    target: &str,
    fields: &Fields<'h>,
) -> Result<Checked<'h>, RequestError> {
    // Item 1. This check comes first, because the refusal of a HEAD has no body.
    if method != "GET" {
        return Err(RequestError::Method);
    }
    if version != Version::Http11 {
        return Err(RequestError::Http10);
    }
    if !is_path(target.as_bytes()) {
        return Err(RequestError::Target);
    }
    // Item 2.
    let host = host(fields.host)?;
    // Items 3 and 4.
    if !fields.upgrade {
        return Err(RequestError::NotAnUpgrade);
    }
    // A server reads frames after the head, and a proxy may read a body there. They would then disagree on the bytes.
    if fields.body {
        return Err(RequestError::Body);
    }
    check_version(fields)?;
    // Item 5.
    let key = match fields.key {
        Single::One(key) if is_valid_key(key) => key,
        _ => return Err(RequestError::Key),
    };
    Ok(Checked {
        host,
        // The request does not say whether it came over TLS, to this server or to a proxy.
        default_ports: EITHER,
        accept: Some(accept_key(key)),
    })
}

/// RFC 8441, sections 4 and 5.
fn check_extended_connect<'h>(
    scheme: Scheme,
    headers: &[Header<'h>],
    fields: &Fields<'h>,
) -> Result<Checked<'h>, RequestError> {
    if single(headers, ":method") != Single::One(b"CONNECT") {
        return Err(RequestError::Method);
    }
    if single(headers, ":protocol") != Single::One(b"websocket") {
        return Err(RequestError::NotAnUpgrade);
    }
    // RFC 8441, section 4: `:scheme` and `:path` are required. Section 5: they form the target.
    let default_ports: &[u16] = match single(headers, ":scheme") {
        Single::One(b"https") => &[443],
        Single::One(b"http") => &[80],
        Single::Missing if scheme == Scheme::Unknown => EITHER,
        _ => return Err(RequestError::Target),
    };
    match single(headers, ":path") {
        Single::One(path) if is_path(path) && fits_a_line(path) => {}
        _ => return Err(RequestError::Target),
    }
    // If the scheme is not known, the request has no `:authority`. Then nothing is compared, and the port has no
    // effect.
    let default_port = default_ports.first().copied().unwrap_or_default();
    let host = authority(headers, fields.host, default_port)?;
    // RFC 9113, section 8.2.2: a header about the connection makes the request malformed.
    let of_a_connection = |header: &Header<'_>| {
        ["connection", "upgrade", "keep-alive", "proxy-connection"]
            .iter()
            .any(|name| header.is(name))
    };
    if headers.iter().any(of_a_connection) {
        return Err(RequestError::ConnectionHeader);
    }
    // Frames follow the head, so the request has no body.
    if fields.body {
        return Err(RequestError::Body);
    }
    check_version(fields)?;
    Ok(Checked {
        host,
        default_ports,
        accept: None,
    })
}

/// RFC 6455, section 4.2.1, item 6, and section 4.4.
const fn check_version(fields: &Fields<'_>) -> Result<(), RequestError> {
    match fields.version {
        Single::One(b"13") => Ok(()),
        Single::One(_) => Err(RequestError::UnsupportedVersion),
        Single::Missing | Single::Several => Err(RequestError::MissingVersion),
    }
}

/// The host of a request over HTTP/2 or HTTP/3 (RFC 9113, section 8.3.1; RFC 9114, section 4.3.1). It is the
/// `:authority`, or the `host` field if there is no `:authority`. If both are there, they must name the same host.
pub(crate) fn authority<'h>(
    headers: &[Header<'h>],
    host: Single<'h>,
    default_port: u16,
) -> Result<&'h [u8], RequestError> {
    let (authority, other) = match (single(headers, ":authority"), host) {
        (Single::One(authority), Single::One(host)) => (authority, Some(host)),
        (Single::One(value), Single::Missing) | (Single::Missing, Single::One(value)) => {
            (value, None)
        }
        _ => return Err(RequestError::Host),
    };
    let parsed = Authority::parse(authority).ok_or(RequestError::Host)?;
    let agrees = other.is_none_or(|host| {
        Authority::parse(host).is_some_and(|host| host.is_same(&parsed, default_port))
    });
    agrees.then_some(authority).ok_or(RequestError::Host)
}

/// Whether a target is a path (RFC 6455, section 4.2.1, item 1) without a fragment (section 3).
fn is_path(target: &[u8]) -> bool {
    target.starts_with(b"/") && !target.contains(&b'#')
}

/// Whether a request line could contain `target`. Over HTTP/1.1, the parser makes this check.
fn fits_a_line(target: &[u8]) -> bool {
    let is_forbidden = |byte: &u8| byte.is_ascii_control() || *byte == b' ';
    !target.iter().any(is_forbidden) && str::from_utf8(target).is_ok()
}

/// The value of the only `Host` header, if it is valid.
pub(crate) fn host(host: Single<'_>) -> Result<&[u8], RequestError> {
    // RFC 9112, section 3.2: a server answers 400 unless there is exactly one valid value.
    match host {
        Single::One(host) if Authority::parse(host).is_some() => Ok(host),
        _ => Err(RequestError::Host),
    }
}
