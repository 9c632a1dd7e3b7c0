//! An echo server without the standard library, as a kernel, a unikernel or firmware needs it.
//!
//! ```text
//! cargo run --profile freestanding --package example-freestanding [-- [ADDRESS] [--timeout SECONDS]]
//! ```
//!
//! ADDRESS is an IPv4 address. The default is `127.0.0.1:8080`. Port 0 takes a free port. On another system, replace
//! these parts:
//!
//! - sockets, poll and a clock. This program calls Linux with the crate `rustix`, without the C library.
//! - [`runtime`]: the start of the program, its heap, and its panic handler.
//!
//! The rest is as in every other server:
//!
//! - [`limits`]: how much memory a client may take, and how much the program needs.
//! - [`client`]: one transport and its connection.
//! - [`server`]: the loop.

// Without std a program cannot unwind. If the profile unwinds, as in a build of the whole workspace, this is a program
// with std that compiles and refuses to run.
#![cfg_attr(panic = "abort", no_std, no_main)]
#![cfg_attr(not(panic = "abort"), expect(dead_code, reason = "it refuses to run"))]

extern crate alloc;

mod client;
mod limits;
#[path = "../../common/page.rs"]
mod page;
mod runtime;
mod server;
#[path = "../../common/stage.rs"]
mod stage;

#[cfg(not(panic = "abort"))]
fn main() {
    print_error(format_args!(
        "freestanding: this build has std in it: build it with --profile freestanding\n"
    ));
    std::process::exit(2);
}

use core::fmt::Arguments;
use core::net::SocketAddrV4;
use core::time::Duration;

use crate::runtime::{print, print_error};
use crate::server::Server;

const USAGE: &str = "usage: freestanding [ADDRESS] [--timeout SECONDS]";

const OPTIONS: &str = "  ADDRESS            the address to listen at (127.0.0.1:8080); port 0 takes a free port
  --timeout SECONDS  the limit for the opening handshake, the Pong and the Close, and the time between Pings
  --help             print this";

/// The longest `--timeout` in seconds, about 11 days. No clock overflows with it.
const LONGEST: u64 = 1_000_000;

/// Runs the program with its arguments, and returns its exit status.
fn run<'a>(mut arguments: impl Iterator<Item = &'a str>) -> u8 {
    let (mut address, mut timeout) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument {
            "--help" | "-h" => {
                print(format_args!("{USAGE}\n{OPTIONS}\n"));
                return 0;
            }
            "--timeout" => {
                let value = arguments.next().unwrap_or_default();
                match value.parse() {
                    Ok(seconds @ 1..=LONGEST) => timeout = Some(Duration::from_secs(seconds)),
                    _ => {
                        return failed(format_args!(
                            "--timeout needs whole seconds above 0, not {value:?}\n{USAGE}"
                        ));
                    }
                }
            }
            _ if address.is_none() && !argument.starts_with('-') => address = Some(argument),
            _ => return failed(format_args!("unexpected argument {argument:?}\n{USAGE}")),
        }
    }
    let address = address.unwrap_or("127.0.0.1:8080");
    let resolved = match address.parse::<SocketAddrV4>() {
        Ok(resolved) => resolved,
        Err(error) => return failed(format_args!("{address:?} is no address: {error}")),
    };
    let (mut server, local) = match Server::bind(resolved, timeout) {
        Ok(bound) => bound,
        Err(error) => return failed(format_args!("cannot listen on {address}: {error}")),
    };
    print(format_args!("listening on http://{local}/\n"));
    match server.run() {
        Ok(()) => 0,
        Err(error) => failed(format_args!("cannot wait for clients: {error}")),
    }
}

fn failed(error: Arguments<'_>) -> u8 {
    print_error(format_args!("freestanding: {error}\n"));
    2
}
