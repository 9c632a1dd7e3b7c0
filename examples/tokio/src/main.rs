//! An echo server on tokio that ends gracefully: on Ctrl-C or SIGTERM it takes no more clients, closes all connections
//! with code 1001, and ends when they have.
//!
//! ```text
//! cargo run --package example-tokio [-- ADDRESS]
//! ```
//!
//! ADDRESS is `127.0.0.1:8080` unless given; port 0 takes a free one. All that is worth copying is in the library of this
//! package.

use std::process::ExitCode;

use example_tokio::{command_line, server};

#[tokio::main]
async fn main() -> ExitCode {
    command_line::ended("tokio", run().await)
}

async fn run() -> Result<(), String> {
    let Some(address) = command_line::address("tokio")? else {
        return Ok(());
    };
    let end = server::signalled().map_err(|error| error.to_string())?;
    let listener = command_line::listen("http", &address).await?;
    server::serve(listener, end, |transport, ending| async {
        // A client that left, or got another answer, is nothing to complain about.
        _ = server::talk(transport, ending).await;
    })
    .await;
    Ok(())
}
