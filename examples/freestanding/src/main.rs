//! An echo server without the standard library: what a kernel, a unikernel or firmware would do.
//!
//! ```text
//! cargo run --profile freestanding --package example-freestanding [-- ADDRESS]
//! ```
//!
//! ADDRESS is `127.0.0.1:8080` unless given, an IPv4 address always; port 0 takes a free one. The parts that another
//! system would have of its own:
//!
//! - sockets, poll and a clock: here Linux's, called without the C library by the crate `rustix`;
//! - [`runtime`]: where the program begins, its heap, and what a panic does.
//!
//! The rest is like any other server:
//!
//! - [`limits`]: what a client may take, and so what memory is needed.
//! - [`client`]: one transport and its connection.
//! - [`server`]: the loop.

// Without std a program cannot unwind. Where the profile wants that, as in a build of the whole
// workspace, this is an ordinary program that compiles and refuses to run.
#![cfg_attr(panic = "abort", no_std, no_main)]
#![cfg_attr(not(panic = "abort"), expect(dead_code, reason = "it refuses to run"))]

extern crate alloc;

mod client;
mod limits;
mod runtime;
mod server;

#[cfg(not(panic = "abort"))]
fn main() {
    print_error(format_args!(
        "freestanding: this build has std in it: build it with --profile freestanding\n"
    ));
    std::process::exit(2);
}

use core::fmt::Arguments;
use core::net::SocketAddrV4;

use crate::runtime::{print, print_error};
use crate::server::Server;

const USAGE: &str = "usage: freestanding [ADDRESS]";

/// Runs the program with its arguments, and returns its exit status.
fn run<'a>(mut arguments: impl Iterator<Item = &'a str>) -> u8 {
    let address = match arguments.next() {
        Some("--help" | "-h") => {
            print(format_args!("{USAGE}\n"));
            return 0;
        }
        Some(address) => address,
        None => "127.0.0.1:8080",
    };
    let option = address.starts_with('-').then_some(address);
    if let Some(argument) = option.or_else(|| arguments.next()) {
        return failed(format_args!("unexpected argument {argument:?}\n{USAGE}"));
    }
    let resolved = match address.parse::<SocketAddrV4>() {
        Ok(resolved) => resolved,
        Err(error) => return failed(format_args!("{address:?} is no address: {error}")),
    };
    let (mut server, local) = match Server::bind(resolved) {
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
