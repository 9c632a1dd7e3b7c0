//! An echo server behind TLS (`wss:`), with rustls on the transport of the tokio example.
//!
//! ```text
//! cargo run --package example-rustls [-- [ADDRESS] [--cert FILE --key FILE | --write-cert FILE]]
//! ```
//!
//! ADDRESS is `127.0.0.1:8443` unless given; port 0 takes a free one. FILEs are PEM. Without a certificate one is made for
//! `localhost`, which clients have to be told to trust: `--write-cert` says where to put it.

use std::process::ExitCode;

use example_rustls::{Options, accept};
use example_tokio::{command_line, server};

#[tokio::main]
async fn main() -> ExitCode {
    command_line::ended("rustls", run().await)
}

async fn run() -> Result<(), String> {
    let Some(options) = Options::read("rustls")? else {
        return Ok(());
    };
    let acceptor = options.acceptor(&[b"http/1.1"])?;
    let end = server::signalled().map_err(|error| error.to_string())?;
    let listener = command_line::listen("https", &options.address).await?;
    server::serve(listener, end, |transport, mut ending| {
        let acceptor = acceptor.clone();
        async move {
            let transport = tokio::select! {
                transport = accept(&acceptor, transport) => transport,
                // It has not been told anything, and need not be.
                () = ending.begins() => return,
            };
            match transport {
                // A client that left, or got another answer, is nothing to complain about.
                Ok(transport) => _ = server::talk(transport, ending).await,
                Err(error) => eprintln!("rustls: {error}"),
            }
        }
    })
    .await;
    Ok(())
}
