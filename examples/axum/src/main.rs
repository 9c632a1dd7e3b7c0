//! An echo server as a route of an axum application.
//!
//! axum and hyper read the requests and write the responses. sockless decides what the response is. The connection of
//! the tokio example then takes the upgraded transport.
//!
//! ```text
//! cargo run --package example-axum [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS defaults to `127.0.0.1:8080`. Port 0 means a free port.

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

/// Answers all requests of a client.
///
/// `axum::serve` lacks two things: a deadline for the head of a request, which is `patience` here, and a notice to the
/// upgraded connections when the server ends.
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
        // A client that has ended its side still gets the response.
        .half_close(true)
        .serve_connection(
            TokioIo::new(transport),
            TowerToHyperService::new(application),
        )
        .with_upgrades();
    tokio::pin!(connection);
    // An error means that the client has left or has violated HTTP, which is not this server's fault.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = ending.begins() => {
            // hyper still writes the response to a request that it has read.
            connection.as_mut().graceful_shutdown();
            _ = connection.await;
        }
    }
}

/// The route of the WebSocket. Any other request gets a line of text.
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
            tokio::spawn(talk(request, connection, ending));
            answer.to_http().map(|()| Body::empty())
        }
        Err(error) => error.to_http().map(Body::from),
    }
}

/// Waits until hyper has written the response. Then the connection takes the transport.
async fn talk(request: Request, connection: Connection, ending: Ending) {
    // An error means that the client has left.
    if let Ok(upgraded) = hyper::upgrade::on(request).await {
        // This transport first returns the bytes that hyper has read after the request.
        let transport = TokioIo::new(upgraded);
        let websocket = WebSocket::new(transport, connection, ReadBuffer::new());
        server::echo(websocket, ending).await;
    }
}
