//! An echo server on tokio that ends gracefully.
//!
//! On Ctrl-C or SIGTERM it stops listening, closes all connections with code 1001 (going away), and waits for their
//! end, at most 20 seconds.
//!
//! ```text
//! cargo run --package example-tokio [-- [ADDRESS] [--deflate] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS defaults to `127.0.0.1:8080`. Port 0 means a free port. `--deflate` accepts permessage-deflate.

use std::process::ExitCode;

use example_tokio::command_line::{self, Program, timeout};
use example_tokio::server;
use lexopt::prelude::*;
use sockless_tokio::{Config, Deadlines};

#[path = "../../common/deflate.rs"]
#[expect(dead_code, reason = "this program prints nothing about a connection")]
mod deflate;

const PROGRAM: Program = Program {
    name: "tokio",
    arguments: "[ADDRESS] [--deflate[=no-context-takeover]] [--timeout SECONDS]",
    options: "  ADDRESS            the address to listen at (127.0.0.1:8080); port 0 takes a free port
  --deflate          accepts compression. =no-context-takeover compresses each message without context",
};

struct Arguments {
    address: String,
    config: Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    match PROGRAM.read(read) {
        Ok(arguments) => PROGRAM.ended(run(arguments).await),
        Err(status) => status,
    }
}

fn read(parser: &mut lexopt::Parser) -> Result<Option<Arguments>, lexopt::Error> {
    let mut address = None;
    let mut config = Config::new().with_deadlines(Deadlines::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("deflate") => deflate::configure(&mut config, parser.optional_value())?,
            Long("timeout") => config.deadlines = Some(timeout(parser)?),
            Value(value) if address.is_none() => address = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let address = address.unwrap_or_else(|| String::from("127.0.0.1:8080"));
    Ok(Some(Arguments { address, config }))
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let options = server::options(Deadlines::new()).with_config(arguments.config);
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
