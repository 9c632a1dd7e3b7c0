//! Advice for users of the clients: about wrong URLs, and about servers that do not speak WebSocket.

use sockless::handshake::{ResponseError, Uri};

/// The advice for a URL without a better one.
const WRONG: &str =
    "not a WebSocket URL: write ws://HOST[:PORT]/PATH, with special characters as %XX";

/// Parses a URL.
///
/// # Errors
///
/// One line with the mistake and what to write instead.
pub fn uri(url: &str) -> Result<Uri, String> {
    Uri::parse(url).map_err(|_| format!("{url:?}: {}", correct(url)))
}

/// As [`uri`], for a client without TLS.
///
/// # Errors
///
/// As [`uri`]. Also if the URL begins with `wss:`.
pub fn uri_without_tls(url: &str) -> Result<Uri, String> {
    let uri = uri(url)?;
    if uri.is_secure() {
        return Err(format!(
            "{url:?}: wss: needs TLS, which this example does not have: try ws:, \
            or the client of the package example-http2"
        ));
    }
    Ok(uri)
}

fn correct(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let scheme = scheme.to_ascii_lowercase();
    let (reason, suggestion) = match scheme.as_str() {
        "ws" | "wss" if rest.contains('#') => {
            return String::from("a WebSocket URL has no fragment: remove it, or write # as %23");
        }
        "ws" | "wss" if rest.contains('@') => {
            return String::from("a WebSocket URL has no user: remove the part before the @");
        }
        "" if !url.starts_with("ws:") && !url.starts_with("wss:") => {
            ("the scheme is missing", format!("ws://{url}"))
        }
        "http" => ("http: is for pages", format!("ws://{rest}")),
        "https" => ("https: is for pages", format!("wss://{rest}")),
        _ => return String::from(WRONG),
    };
    match Uri::parse(&suggestion) {
        Ok(_) => format!("{reason}: try {suggestion}"),
        Err(_) => String::from(WRONG),
    }
}

/// Describes a response with a status that is not 101. `header` returns the value of a header of the response, or
/// `None` if that is not known.
pub fn refused(status: u16, header: impl Fn(&str) -> Option<String>) -> String {
    let advice = match status {
        200..=299 | 404 | 405 | 410 => String::from("this path is no WebSocket: try another"),
        300..=399 => match header("Location") {
            Some(location) => format!("the WebSocket is elsewhere: {location:?}"),
            None => String::from("the WebSocket is elsewhere"),
        },
        400 | 426 => match header("Sec-WebSocket-Version") {
            Some(versions) => {
                format!("the server speaks WebSocket {versions:?}, but this client speaks 13")
            }
            None => String::from(
                "the server does not accept this request: \
                it may speak another version of WebSocket than 13, or need another header",
            ),
        },
        401 => String::from("the server wants credentials: --header 'Authorization: ...'"),
        403 => String::from("the server forbids it: it may want credentials, see --header"),
        407 => String::from("a proxy wants credentials: --header 'Proxy-Authorization: ...'"),
        429 | 503 => String::from("the server is busy: try later"),
        500..=599 => String::from("the server, or another server that it needs, has failed"),
        _ => String::from("the server does not want this client"),
    };
    format!("refused {status}: {advice}")
}

/// Describes an error in a response. `start` is the start of the received bytes, or empty if that is not known.
#[must_use]
pub fn broken(error: ResponseError, start: &[u8]) -> String {
    let advice = match error {
        ResponseError::Timeout => OTHER,
        // RFC 8446, section 5.1: an alert or a handshake record of any version.
        _ if matches!(start, [0x15 | 0x16, 3, ..]) => "the server speaks TLS: use wss:",
        ResponseError::MalformedHead if !start.starts_with(b"HTTP/") => OTHER,
        _ => "the server, or a proxy before it, has a fault",
    };
    format!("opening handshake: {error}: {advice}")
}

/// The advice if there is no answer.
pub const OTHER: &str = "is it TLS, or another protocol?";

/// The error if the server ends the stream before its answer.
pub const ENDED: &str =
    "opening handshake: the server ended the stream: is it TLS, or another protocol?";
