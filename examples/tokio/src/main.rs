//! An echo server on tokio that ends gracefully.
//!
//! On Ctrl-C or SIGTERM it stops listening, closes all connections with code 1001 (going away), and waits for their
//! end, at most 20 seconds.
//!
//! ```text
//! cargo run --package example-tokio [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS defaults to `127.0.0.1:8080`. Port 0 means a free port.

use std::process::ExitCode;

use example_tokio::command_line::{self, Listen, Program};
use example_tokio::server;

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program::server("tokio");
    match program.read(Listen::read) {
        Ok(arguments) => program.ended(run(arguments).await),
        Err(status) => status,
    }
}

async fn run(arguments: Listen) -> Result<(), String> {
    let options = server::options(arguments.deadlines.unwrap_or_default());
    let end = server::signalled().map_err(|error| error.to_string())?;
    let listener = command_line::listen("http", &arguments.address).await?;
    server::serve(listener, end, |transport, shutdown| {
        let options = options.clone();
        async move {
            // An error means that the client has left, which is normal.
            _ = server::talk(transport, &options, &shutdown).await;
        }
    })
    .await;
    Ok(())
}
