//! An echo server that is a route of an axum application: axum and hyper read the requests and write the answers, what the
//! answers are is decided by sockless, and the upgraded transport goes to the connection of the tokio example.
//!
//! ```text
//! cargo run --package example-axum [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS is `127.0.0.1:8080` unless given; port 0 takes a free one.

use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use example_tokio::WebSocket;
use example_tokio::command_line::{self, Listen, Program};
use example_tokio::server::{self, Ending};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use sockless::handshake::{self, ServerOptions};
use sockless::{Connection, ReadBuffer};
use tokio::net::TcpStream;

use crate::patient_timer::PatientTimer;

#[path = "../../common/patient_timer.rs"]
mod patient_timer;

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program::server("axum");
    match program.read(Listen::read) {
        Ok(arguments) => program.ended(run(arguments).await),
        Err(status) => status,
    }
}

async fn run(arguments: Listen) -> Result<(), String> {
    let deadlines = arguments.deadlines.unwrap_or_default();
    let patience = deadlines.handshake;
    let end = server::signalled().map_err(|error| error.to_string())?;
    let listener = command_line::listen("http", &arguments.address).await?;
    let application = Router::new()
        .route("/", any(echo))
        .route(
            "/about",
            get("WebSockets of sockless in an axum application\n"),
        )
        .layer(Extension(server::options(deadlines)));
    server::serve(listener, end, |transport, ending| {
        requests(transport, application.clone(), patience, ending)
    })
    .await;
    Ok(())
}

/// Answers all requests of a client. `axum::serve` would do as well, but for two things: it has no deadline for the head of
/// a request, which is `patience` here, and it does not tell connections that were upgraded when the server is to end.
async fn requests(
    transport: TcpStream,
    application: Router,
    patience: Duration,
    mut ending: Ending,
) {
    let application = application.layer(Extension(ending.clone()));
    let connection = http1::Builder::new()
        .timer(PatientTimer)
        .header_read_timeout(patience)
        // A client that has ended its side still gets the answer.
        .half_close(true)
        .serve_connection(
            TokioIo::new(transport),
            TowerToHyperService::new(application),
        )
        .with_upgrades();
    tokio::pin!(connection);
    // An error is a client that left or did not keep to HTTP, which is nothing to complain about.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = ending.begins() => {
            // The answer to a request that was read is still written.
            connection.as_mut().graceful_shutdown();
            _ = connection.await;
        }
    }
}

/// The route of the WebSocket, and of a line about it.
async fn echo(
    Extension(ending): Extension<Ending>,
    Extension(options): Extension<ServerOptions<'static>>,
    request: Request,
) -> Response {
    let asked = handshake::Request::from_http(&request);
    if !asked.is_websocket() {
        return "an echo server: connect with a WebSocket\n".into_response();
    }
    match asked.negotiate(&options) {
        Ok((answer, connection)) => {
            tokio::spawn(converse(request, connection, ending));
            answer.to_http().map(|()| Body::empty())
        }
        Err(error) => error.to_http().map(Body::from),
    }
}

/// Waits until hyper has written the answer; then the transport is the connection's.
async fn converse(request: Request, connection: Connection, ending: Ending) {
    // An error is a client that left before.
    if let Ok(upgraded) = hyper::upgrade::on(request).await {
        // What hyper read behind the request is the first that is read from it.
        let transport = TokioIo::new(upgraded);
        let websocket = WebSocket::new(transport, connection, ReadBuffer::new());
        server::echo(websocket, ending).await;
    }
}
