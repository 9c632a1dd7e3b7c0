//! An echo server for many clients on one thread, with `io_uring`.
//!
//! ```text
//! cargo run --package example-io-uring [-- ADDRESS]
//! ```
//!
//! ADDRESS is `127.0.0.1:8080` unless given; port 0 takes a free one. It needs Linux 5.19 or newer, and a system that lets
//! programs use `io_uring`: many containers do not. Where it cannot have a ring it says so and exits with status 3; bad
//! arguments and an address that cannot be had are status 2.
//!
//! - [`ring`]: operations, and all that is unsafe.
//! - [`client`]: one transport and its connection.
//! - [`server`]: the loop.
//! - [`timers`]: whose time comes next.

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod refusal;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod timers;

use std::process::ExitCode;

/// The system gives no ring to this program.
const UNAVAILABLE: u8 = 3;

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("io-uring: only Linux has io_uring: try another of the examples");
    ExitCode::from(UNAVAILABLE)
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    const USAGE: &str = "usage: io-uring [ADDRESS]";
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let bad = address
        .iter()
        .find(|argument| argument.starts_with('-'))
        .cloned()
        .or_else(|| arguments.next());
    match (address.as_deref(), bad) {
        (Some("--help" | "-h"), _) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        (_, Some(argument)) => failed(2, &format!("unexpected argument {argument:?}\n{USAGE}")),
        (address, None) => serve(address.unwrap_or("127.0.0.1:8080")),
    }
}

#[cfg(target_os = "linux")]
fn serve(address: &str) -> ExitCode {
    use std::io::Write as _;
    use std::net::ToSocketAddrs as _;

    use sockless::Deadlines;
    use sockless::handshake::{Origins, ServerOptions};

    let resolved = match address.to_socket_addrs().map(|mut all| all.next()) {
        Ok(Some(address)) => address,
        Ok(None) => return failed(2, &format!("no address in {address:?}")),
        Err(error) => return failed(2, &format!("{address:?} is no address: {error}")),
    };
    let ring = match ring::Ring::new() {
        Ok(ring) => ring,
        Err(error) => return failed(UNAVAILABLE, &refusal::explain(&error)),
    };
    // A file for each client; as many as the system lets it have.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut options = ServerOptions::default();
    options.config.deadlines = Some(Deadlines::default());
    // Nothing here is secret or done in a visitor's name, so pages from everywhere may try it.
    options.origins = Origins::Any;
    let bound = server::Server::bind(resolved, ring, options)
        .and_then(|server| Ok((server.local_addr()?, server)));
    let (local, mut server) = match bound {
        Ok(bound) => bound,
        Err(error) => return failed(2, &format!("cannot listen on {address}: {error}")),
    };
    println!("listening on http://{local}/");
    _ = std::io::stdout().flush();
    match server.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(2, &format!("cannot wait for clients: {error}")),
    }
}

#[cfg(target_os = "linux")]
fn failed(status: u8, error: &str) -> ExitCode {
    eprintln!("io-uring: {error}");
    ExitCode::from(status)
}
