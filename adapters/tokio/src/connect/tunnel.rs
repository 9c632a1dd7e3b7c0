//! A tunnel through an HTTP proxy, with CONNECT (RFC 9110, section 9.3.6).
//!
//! `hyper_util`'s `Tunnel` does not say which status the proxy answers. So this uses hyper itself.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};

use bytes::{Bytes, BytesMut};
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Method, Request};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::upgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::connect::body::WAIT;
use crate::connect::error::ProxyError;
use crate::connect::response::{BODY, Response};
use crate::connect::transport::BoxedStream;

/// The longest head of the proxy's response, in bytes.
const HEAD: usize = 16 << 10;

/// Asks the proxy at the other end of `stream` to connect to `server`, a host and a port.
pub(crate) async fn open(
    stream: BoxedStream,
    server: &str,
    authorization: Option<&HeaderValue>,
) -> Result<BoxedStream, ProxyError> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(server)
        .header(HOST, server);
    if let Some(authorization) = authorization {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    let request = request.body(String::new()).map_err(protocol)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(protocol)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(protocol)?;
        if !response.status().is_success() {
            return Err(ProxyError::Refused(Box::new(refusal(response).await)));
        }
        upgrade::on(response).await.map_err(protocol)
    };
    let mut exchange = pin!(exchange);
    // The connection reads and writes. No task does it, so dropping this future ends everything.
    let upgraded = tokio::select! {
        biased;
        upgraded = &mut exchange => upgraded?,
        _ = connection.with_upgrades() => exchange.await?,
    };
    let parts = upgraded.downcast::<TokioIo<BoxedStream>>();
    let parts = parts.map_err(|_| protocol("the proxy changed the transport"))?;
    if !parts.read_buf.is_empty() {
        // In TLS and in a WebSocket, the client sends first.
        return Err(protocol("bytes follow the response of the proxy"));
    }
    Ok(parts.io.into_inner())
}

fn protocol(error: impl Into<Box<dyn Error + Send + Sync>>) -> ProxyError {
    ProxyError::Protocol(error.into())
}

/// The response with the start of its body.
async fn refusal(response: http::Response<Incoming>) -> Response {
    let (parts, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let reading = async {
        while body.len() < BODY {
            let frame = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await;
            let Some(Ok(frame)) = frame else { return };
            let data = frame.into_data().unwrap_or_default();
            body.extend_from_slice(&data);
        }
    };
    _ = timeout(WAIT, reading).await;
    let mut body: Bytes = body.freeze();
    body.truncate(BODY);
    Response {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}
