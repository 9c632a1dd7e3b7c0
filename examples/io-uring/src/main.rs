//! An echo server for many clients on one thread, with `io_uring`.
//!
//! ```text
//! cargo run --package example-io-uring [-- [ADDRESS] [--timeout SECONDS]]
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

#[cfg(target_os = "linux")]
#[path = "../../common/command_line.rs"]
mod command_line;

use std::process::ExitCode;

/// The system gives no ring to this program.
const UNAVAILABLE: u8 = 3;

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    use std::io::Write as _;

    _ = writeln!(
        std::io::stderr(),
        "io-uring: only Linux has io_uring: try another of the examples"
    );
    ExitCode::from(UNAVAILABLE)
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use command_line::{Listen, Program, complain};

    let program = Program::server("io-uring");
    let arguments = match program.read(Listen::read) {
        Ok(arguments) => arguments,
        Err(status) => return status,
    };
    let address = match arguments.resolve() {
        Ok(address) => address,
        Err(error) => return program.ended(Err(error)),
    };
    match ring::Ring::new() {
        Ok(ring) => program.ended(serve(&arguments, address, ring)),
        Err(error) => {
            complain(format_args!("io-uring: {}", refusal::explain(&error)));
            ExitCode::from(UNAVAILABLE)
        }
    }
}

#[cfg(target_os = "linux")]
fn serve(
    arguments: &command_line::Listen,
    resolved: std::net::SocketAddr,
    ring: ring::Ring,
) -> Result<(), String> {
    use sockless::Config;
    use sockless::handshake::{Origins, ServerOptions};

    // A file for each client; as many as the system lets it have.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let deadlines = arguments.deadlines.clone().unwrap_or_default();
    // Nothing here is secret or done in a visitor's name, so pages from everywhere may try it.
    let options = ServerOptions::new()
        .with_config(Config::new().with_deadlines(deadlines))
        .with_origins(Origins::Any);
    let cannot = |error| format!("cannot listen on {}: {error}", arguments.address);
    let mut server = server::Server::bind(resolved, ring, options).map_err(cannot)?;
    let local = server.local_addr().map_err(cannot)?;
    command_line::say(format_args!("listening on http://{local}/"));
    server
        .run()
        .map_err(|error| format!("cannot wait for clients: {error}"))
}
