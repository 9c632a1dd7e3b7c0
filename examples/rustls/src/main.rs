//! An echo server with TLS (`wss:`). It uses rustls and `sockless-tokio`.
//!
//! ```text
//! cargo run --package example-rustls [-- [ADDRESS] [--cert FILE --key FILE | --write-cert FILE] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS defaults to `127.0.0.1:8443`. Port 0 means a free port. The files are in PEM. Without `--cert`, the server
//! makes a certificate for `localhost`. `--write-cert` writes it to a file, for clients that must trust it.

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
    server::serve(listener, end, |transport, shutdown| {
        let (acceptor, options) = (acceptor.clone(), options.clone());
        async move {
            let transport = tokio::select! {
                transport = accept(&acceptor, transport, patience) => transport,
                // Before the TLS handshake there is nothing to close.
                () = shutdown.begun() => return,
            };
            match transport {
                // An error means that the client has left, which is normal.
                Ok(transport) => _ = server::talk(transport, &options, &shutdown).await,
                Err(error) => complain(format_args!("rustls: {error}")),
            }
        }
    })
    .await;
    Ok(())
}
