//! The one argument of the programs, and what to say about it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;

/// Runs the program at the address that the command line has, `127.0.0.1:8080` unless it has one.
pub fn run(name: &str, serve: impl FnOnce(SocketAddr) -> Result<(), String>) -> ExitCode {
    let usage = format!("usage: {name} [ADDRESS]");
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let address = match address.as_deref() {
        Some("--help" | "-h") => {
            println!("{usage}");
            return ExitCode::SUCCESS;
        }
        Some(option) if option.starts_with('-') => {
            return failed(name, &format!("unexpected argument {option:?}\n{usage}"));
        }
        Some(address) => address,
        None => "127.0.0.1:8080",
    };
    if let Some(argument) = arguments.next() {
        return failed(name, &format!("unexpected argument {argument:?}\n{usage}"));
    }
    let resolved = address.to_socket_addrs().map(|mut all| all.next());
    let result = match resolved {
        Ok(Some(address)) => serve(address),
        Ok(None) => Err(format!("no address in {address:?}")),
        Err(error) => Err(format!("{address:?} is no address: {error}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(name, &error),
    }
}

fn failed(name: &str, error: &str) -> ExitCode {
    eprintln!("{name}: {error}");
    ExitCode::from(2)
}
