//! The page that an echo server shows in a browser. This file needs no standard library.

use sockless::Connection;
use sockless::handshake::{Header, Request, RequestError, ServerOptions};

/// Accepts a request for a WebSocket. Answers other GET and HEAD requests with the page.
///
/// # Errors
///
/// Why the request is refused.
pub(crate) fn accept_or_page(
    request: &Request<'_>,
    options: &ServerOptions<'_>,
) -> Result<Connection, RequestError> {
    let is_page = matches!(request.method(), "GET" | "HEAD") && !request.is_websocket();
    if !is_page {
        return request.accept(options);
    }
    let text = Header {
        name: "Content-Type",
        value: b"text/plain; charset=utf-8",
    };
    let page = b"an echo server: connect with a WebSocket\n";
    let page = request.respond(200, &[text], page);
    let page = page.map_err(RequestError::Input)?;
    Ok(Connection::refused(page, &options.config))
}
