//! An echo server over HTTP/2 and HTTP/1.1 with TLS, and a page.
//!
//! Over HTTP/2, a WebSocket is a stream that the extended CONNECT opens (RFC 8441). Over HTTP/1.1, the upgrade makes
//! the whole transport a WebSocket.
//!
//! ```text
//! cargo run --package example-http2 [-- [ADDRESS] [--cert FILE --key FILE | --write-cert FILE] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS defaults to `127.0.0.1:8443`. Port 0 means a free port. The files are in PEM. Without `--cert`, the server
//! makes a certificate for `localhost`, which you must tell the browser to trust. The server prints the version of
//! HTTP for each WebSocket. A client is in the same package: `cargo run --package example-http2 --bin client`.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::process::ExitCode;

use bytes::Bytes;
use example_rustls::Options;
use example_tokio::command_line::{self, complain, say};
use example_tokio::server;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use sockless_tokio::hyper::{OnUpgrade, is_upgrade_request, upgrade};
use sockless_tokio::server::Shutdown;
use sockless_tokio::{Deadlines, ServerOptions};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::patient_timer::PatientTimer;

#[path = "../../common/patient_timer.rs"]
mod patient_timer;

const PAGE: &str = include_str!("page.html");

/// The window of a connection, in bytes, for all streams together. h2 treats many short messages as an attack if they
/// exceed this window.
const CONNECTION_WINDOW: u32 = 4 << 20;

#[tokio::main]
async fn main() -> ExitCode {
    let program = example_rustls::program("http2");
    match program.read(Options::read) {
        Ok(arguments) => program.ended(run(arguments).await),
        Err(status) => status,
    }
}

async fn run(arguments: Options) -> Result<(), String> {
    let acceptor = arguments.acceptor(&[b"h2", b"http/1.1"])?;
    let deadlines = arguments.deadlines.unwrap_or_default();
    let end = server::signalled().map_err(|error| error.to_string())?;
    let listener = command_line::listen("https", &arguments.address).await?;
    server::serve(listener, end, |transport, shutdown| {
        let (acceptor, deadlines) = (acceptor.clone(), deadlines.clone());
        async move {
            match example_rustls::accept(&acceptor, transport, deadlines.handshake).await {
                Ok(transport) => requests(transport, deadlines, shutdown).await,
                Err(error) => complain(format_args!("http2: {error}")),
            }
        }
    })
    .await;
    Ok(())
}

/// Answers all requests of a client. Each WebSocket has its own task.
async fn requests(
    transport: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    deadlines: Deadlines,
    shutdown: Shutdown,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(PatientTimer)
        .header_read_timeout(deadlines.handshake)
        // A client that has ended its side still gets the response.
        .half_close(true);
    // RFC 8441, section 3: the setting permits the extended CONNECT.
    builder
        .http2()
        .timer(PatientTimer)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .enable_connect_protocol();
    let service = {
        let options = server::options(deadlines);
        let shutdown = shutdown.clone();
        service_fn(move |request| {
            let answer = answer(request, &options, &shutdown);
            async { Ok::<_, Infallible>(answer.map(|body| Full::new(Bytes::from(body)))) }
        })
    };
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(transport), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served
        && !is_break(&*error)
    {
        complain(format_args!("http2: {error}"));
    }
}

/// Whether the client has left, for example during a request or a response. This is not worth a line on stderr.
fn is_break(error: &(dyn Error + 'static)) -> bool {
    let left = |error: &hyper::Error| error.is_incomplete_message() || error.is_canceled();
    error.is::<io::Error>()
        || error.downcast_ref().is_some_and(left)
        || error.source().is_some_and(is_break)
}

fn answer(
    mut request: Request<Incoming>,
    options: &ServerOptions<'_>,
    shutdown: &Shutdown,
) -> Response<Vec<u8>> {
    // Any CONNECT is for a WebSocket, or is refused.
    if request.method() != Method::CONNECT && !is_upgrade_request(&request) {
        return page(&request);
    }
    match upgrade(&mut request, options) {
        Ok((response, on_upgrade)) => {
            say(format_args!("WebSocket over {:?}", request.version()));
            shutdown.spawn(echo(on_upgrade, shutdown.clone()));
            response.map(|()| Vec::new())
        }
        Err(error) => error.to_http(),
    }
}

/// Waits until hyper has sent the response. Then the connection takes the stream, or the whole transport.
async fn echo(on_upgrade: OnUpgrade, shutdown: Shutdown) {
    match on_upgrade.await {
        Ok(websocket) => server::echo(websocket, &shutdown).await,
        Err(error) if is_break(&error) => {}
        Err(error) => complain(format_args!("http2: {error}")),
    }
}

fn page(request: &Request<Incoming>) -> Response<Vec<u8>> {
    let found = request.method() == Method::GET && request.uri().path() == "/";
    let (status, kind, body) = if found {
        (200, "text/html; charset=utf-8", PAGE)
    } else {
        (404, "text/plain; charset=utf-8", "the only page is at /\n")
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(body.as_bytes().to_vec());
    // The parts are constant and valid, so this never fails.
    response.unwrap_or_default()
}
