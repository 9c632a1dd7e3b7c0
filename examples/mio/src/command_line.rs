//! The one argument of the programs, and what to say about it.

use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;

/// Runs the program at the address that the command line has, `127.0.0.1:8080` unless it has one.
pub fn run(name: &str, serve: impl FnOnce(SocketAddr) -> Result<(), String>) -> ExitCode {
    let usage = format!("usage: {name} [ADDRESS]");
    let arguments = std::env::args_os().skip(1);
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let address = arguments.next();
    let address = match address.as_deref() {
        Some("--help" | "-h") => {
            _ = writeln!(io::stdout(), "{usage}");
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

/// Says where the program listens, to whoever started it.
pub fn listening(address: SocketAddr) {
    let mut stdout = io::stdout();
    // It serves also if nobody wants to know.
    _ = writeln!(stdout, "listening on http://{address}/");
    _ = stdout.flush();
}

fn failed(name: &str, error: &str) -> ExitCode {
    _ = writeln!(io::stderr(), "{name}: {error}");
    ExitCode::from(2)
}
