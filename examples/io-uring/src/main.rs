//! An echo server for many clients on one thread, with `io_uring`.
//!
//! ```text
//! cargo run --package example-io-uring [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! The default ADDRESS is `127.0.0.1:8080`. Port 0 takes a free port. The server needs Linux 5.19 or newer, and a
//! system that allows `io_uring`. Many containers do not. If the system refuses a ring, the program says so and exits
//! with status 3. Bad arguments and an address that is not available give status 2.
//!
//! - [`ring`]: operations, and all unsafe code.
//! - [`client`]: one transport and its connection.
//! - [`server`]: the loop.

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
#[path = "../../common/command_line.rs"]
mod command_line;
#[cfg(target_os = "linux")]
#[path = "../../common/page.rs"]
mod page;
#[cfg(target_os = "linux")]
mod refusal;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
#[path = "../../common/stage.rs"]
mod stage;
#[cfg(target_os = "linux")]
#[path = "../../common/timers.rs"]
mod timers;

use std::process::ExitCode;

/// The exit status if the system refuses a ring.
const UNAVAILABLE: u8 = 3;

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    use std::io::Write as _;

    _ = writeln!(
        std::io::stderr(),
        "io-uring: only Linux has io_uring: try another example"
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

    // Each client needs a file, so this raises the limit as far as the system allows.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let deadlines = arguments.deadlines.clone().unwrap_or_default();
    // An echo has no secrets and does nothing in a visitor's name, so every page may use it.
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
