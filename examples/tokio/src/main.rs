//! An echo server on tokio that ends gracefully: on Ctrl-C or SIGTERM it takes no more clients, closes all connections
//! with code 1001, and ends when they have.
//!
//! ```text
//! cargo run --package example-tokio [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS is `127.0.0.1:8080` unless given; port 0 takes a free one. All that is worth copying is in the library of this
//! package.

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
    server::serve(listener, end, |transport, ending| {
        let options = options.clone();
        async move {
            // A client that left, or got another answer, is nothing to complain about.
            _ = server::talk(transport, &options, ending).await;
        }
    })
    .await;
    Ok(())
}
