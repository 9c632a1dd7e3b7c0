//! An echo server as a route of an axum application.
//!
//! ```text
//! cargo run --package example-axum [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS defaults to `127.0.0.1:8080`. Port 0 means a free port.

use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use example_tokio::command_line::{self, Listen, Program};
use example_tokio::server;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use sockless_tokio::ServerOptions;
use sockless_tokio::axum::WebSocketUpgrade;
use sockless_tokio::server::Shutdown;
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
    server::serve(listener, end, |transport, shutdown| {
        requests(transport, application.clone(), patience, shutdown)
    })
    .await;
    Ok(())
}

/// The route of the WebSocket. Any other request gets a line of text.
async fn echo(
    upgrade: Option<WebSocketUpgrade>,
    Extension(options): Extension<ServerOptions<'static>>,
    Extension(shutdown): Extension<Shutdown>,
) -> Response {
    let Some(upgrade) = upgrade else {
        return "an echo server: connect with a WebSocket\n".into_response();
    };
    upgrade
        .options(options)
        .shutdown(&shutdown)
        .on_upgrade(async move |websocket| server::echo(websocket, &shutdown).await)
}

/// Answers all requests of a client.
///
/// `axum::serve` lacks a deadline for the head of a request, which is `patience` here.
async fn requests(
    transport: TcpStream,
    application: Router,
    patience: Duration,
    shutdown: Shutdown,
) {
    let application = application.layer(Extension(shutdown.clone()));
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
        () = shutdown.begun() => {
            // hyper still writes the response to a request that it has read.
            connection.as_mut().graceful_shutdown();
            _ = connection.await;
        }
    }
}
