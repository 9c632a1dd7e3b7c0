//! WebSockets on servers with hyper and axum, over HTTP/1.1 and HTTP/2.

mod extractor;
mod http1;
mod http2;
mod support;
