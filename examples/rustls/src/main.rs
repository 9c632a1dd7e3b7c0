//! An echo server behind TLS (`wss:`), with rustls on the transport of the tokio example.
//!
//! ```text
//! cargo run --package example-rustls [-- [ADDRESS] [--cert FILE --key FILE | --write-cert FILE] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS is `127.0.0.1:8443` unless given; port 0 takes a free one. FILEs are PEM. Without a certificate one is made for
//! `localhost`, which clients have to be told to trust: `--write-cert` says where to put it.

use std::process::ExitCode;

use example_rustls::{Options, accept};
use example_tokio::command_line::{self, complain};
use example_tokio::server;

#[tokio::main]
async fn main() -> ExitCode {
    let program = example_rustls::program("rustls");
    match program.read(Options::read) {
        Ok(arguments) => program.ended(run(arguments).await),
        Err(status) => status,
    }
}

async fn run(arguments: Options) -> Result<(), String> {
    let acceptor = arguments.acceptor(&[b"http/1.1"])?;
    let deadlines = arguments.deadlines.unwrap_or_default();
    let patience = deadlines.handshake;
    let options = server::options(deadlines);
    let end = server::signalled().map_err(|error| error.to_string())?;
    let listener = command_line::listen("https", &arguments.address).await?;
    server::serve(listener, end, |transport, mut ending| {
        let (acceptor, options) = (acceptor.clone(), options.clone());
        async move {
            let transport = tokio::select! {
                transport = accept(&acceptor, transport, patience) => transport,
                // It has not been told anything, and need not be.
                () = ending.begins() => return,
            };
            match transport {
                // A client that left, or got another answer, is nothing to complain about.
                Ok(transport) => _ = server::talk(transport, &options, ending).await,
                Err(error) => complain(format_args!("rustls: {error}")),
            }
        }
    })
    .await;
    Ok(())
}
