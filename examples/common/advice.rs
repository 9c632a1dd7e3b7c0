//! What the clients say about a URL that they cannot use, and about a server that speaks no WebSocket.

use sockless::handshake::{ResponseError, Uri};

/// What a URL is that nothing better can be said about.
const WRONG: &str =
    "not a WebSocket URL: that is ws://HOST[:PORT]/PATH, with other characters as %XX";

/// The URL's parts.
///
/// # Errors
///
/// What is wrong with it and what to write instead, in one line.
pub fn uri(url: &str) -> Result<Uri, String> {
    Uri::parse(url).map_err(|_| format!("{url:?}: {}", correct(url)))
}

/// As [`uri`], for a client that has no TLS.
///
/// # Errors
///
/// As of [`uri`], and that the URL is a `wss:` one.
pub fn uri_without_tls(url: &str) -> Result<Uri, String> {
    let uri = uri(url)?;
    if uri.is_secure() {
        return Err(format!(
            "{url:?}: wss: needs TLS, which this example leaves out: try ws:, \
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
            return String::from(
                "a WebSocket URL has no fragment: leave it out, or write # as %23",
            );
        }
        "ws" | "wss" if rest.contains('@') => {
            return String::from("a WebSocket URL has no user: leave out what is before the @");
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

/// The status of a response that is not 101, and what it means for a WebSocket client. `header` returns the value of
/// a header of the response, if that is known.
pub fn refused(status: u16, header: impl Fn(&str) -> Option<String>) -> String {
    let advice = match status {
        200..=299 | 404 | 405 | 410 => String::from("this path is no WebSocket: try another"),
        300..=399 => match header("Location") {
            Some(location) => format!("it is elsewhere, at {location:?}"),
            None => String::from("it is elsewhere"),
        },
        400 | 426 => match header("Sec-WebSocket-Version") {
            Some(versions) => format!("the server speaks WebSocket {versions:?}, and this is 13"),
            None => String::from(
                "the server does not take this request: \
                it may speak another version of WebSocket than 13, or miss a header",
            ),
        },
        401 => String::from("the server wants credentials: --header 'Authorization: ...'"),
        403 => String::from("the server forbids it: it may want credentials, with --header"),
        407 => String::from("a proxy wants credentials: --header 'Proxy-Authorization: ...'"),
        429 | 503 => String::from("the server is busy: try later"),
        500..=599 => String::from("the server, or one that it needs, has failed"),
        _ => String::from("the server does not want to talk"),
    };
    format!("refused {status}: {advice}")
}

/// What is wrong with a response, or with the bytes that should be one. They begin with `start`, if that is known.
#[must_use]
pub fn broken(error: ResponseError, start: &[u8]) -> String {
    let advice = match error {
        ResponseError::Timeout => OTHER,
        // RFC 8446 section 5.1: an alert or a handshake record, of any version.
        _ if matches!(start, [0x15 | 0x16, 3, ..]) => "the server speaks TLS: that is wss:",
        ResponseError::MalformedHead if !start.starts_with(b"HTTP/") => OTHER,
        _ => "the server, or a proxy before it, has a fault",
    };
    format!("opening handshake: {error}: {advice}")
}

/// What to ask if there is no answer.
pub const OTHER: &str = "is it TLS, or another protocol?";

/// What to say if the server ends the stream before there is an answer.
pub const ENDED: &str =
    "opening handshake: the server ended the stream: is it TLS, or another protocol?";
