//! The echo servers. Each runs in its own process, on one thread if its name does not say otherwise.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, set_parent_process_death_signal};

mod bare;
mod fastwebsockets;
mod sockless_tokio;
mod tokio_tungstenite;
mod tokio_websockets;
mod with_tokio;

use with_tokio::Threads;

/// An echo server.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// The name on the command line and in the report.
    pub name: &'static str,
    /// The package whose version the report states.
    package: &'static str,
    kind: Kind,
    /// Whether it is measured without being named.
    pub default: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// This program contains it.
    Here(fn() -> Result<(), String>),
    /// An example program of sockless. The time is the one for all its deadlines: no Ping is due during a run.
    Example(&'static str),
    /// A script for Node.
    Node,
    /// A program in C++.
    Beast,
}

const CARGO_LOCK: &str = include_str!("../../../../Cargo.lock");
const PACKAGE_JSON: &str = include_str!("../../peers/package.json");
const BOOST_VERSION: &str = "/usr/include/boost/version.hpp";

/// All servers. The first one is the measure of the others.
pub const ALL: [Server; 15] = [
    here("bare-epoll", "sockless", bare::serve),
    example("mio", "example-mio"),
    example("io_uring", "example-io-uring"),
    here("sockless-tokio", "sockless-tokio", || {
        sockless_tokio::serve(Threads::One)
    }),
    here("sockless-tokio-multi", "sockless-tokio", || {
        sockless_tokio::serve(Threads::Many)
    }),
    here("tokio-tungstenite", "tokio-tungstenite", || {
        tokio_tungstenite::serve(Threads::One)
    }),
    here("tokio-websockets", "tokio-websockets", || {
        tokio_websockets::serve(Threads::One)
    }),
    here("fastwebsockets", "fastwebsockets", || {
        fastwebsockets::serve(Threads::One)
    }),
    Server {
        name: "ws",
        package: "ws",
        kind: Kind::Node,
        default: true,
    },
    Server {
        name: "boost-beast",
        package: "boost",
        kind: Kind::Beast,
        default: true,
    },
    on_demand("tokio-tungstenite-multi", "tokio-tungstenite", || {
        tokio_tungstenite::serve(Threads::Many)
    }),
    on_demand("tokio-websockets-multi", "tokio-websockets", || {
        tokio_websockets::serve(Threads::Many)
    }),
    on_demand("fastwebsockets-multi", "fastwebsockets", || {
        fastwebsockets::serve(Threads::Many)
    }),
    on_demand(
        "sockless-tokio-send",
        "sockless-tokio",
        sockless_tokio::serve_with_send,
    ),
    on_demand(
        "tokio-websockets-send",
        "tokio-websockets",
        tokio_websockets::serve_with_send,
    ),
];

const fn here(
    name: &'static str,
    package: &'static str,
    serve: fn() -> Result<(), String>,
) -> Server {
    Server {
        name,
        package,
        kind: Kind::Here(serve),
        default: true,
    }
}

const fn on_demand(
    name: &'static str,
    package: &'static str,
    serve: fn() -> Result<(), String>,
) -> Server {
    Server {
        default: false,
        ..here(name, package, serve)
    }
}

const fn example(name: &'static str, program: &'static str) -> Server {
    Server {
        name,
        package: "sockless",
        kind: Kind::Example(program),
        default: true,
    }
}

/// Finds a server by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<Server> {
    ALL.into_iter().find(|server| server.name == name)
}

impl Server {
    /// The name and the version of its package.
    #[must_use]
    pub fn version(&self) -> String {
        let package = self.package;
        let headers;
        let (text, start) = match self.kind {
            Kind::Node => (PACKAGE_JSON, format!("\"{package}\": \"")),
            Kind::Beast => {
                headers = fs::read_to_string(BOOST_VERSION).unwrap_or_default();
                (&*headers, String::from("#define BOOST_LIB_VERSION \""))
            }
            Kind::Here(_) | Kind::Example(_) => {
                (CARGO_LOCK, format!("name = \"{package}\"\nversion = \""))
            }
        };
        let version = text
            .split_once(&start)
            .and_then(|(_, rest)| rest.split_once('"'));
        format!(
            "{package} {}",
            version.map_or("unknown", |(version, _)| version)
        )
    }

    /// The command that starts the server. It is this program, which ends when its parent ends.
    #[must_use]
    pub fn command(&self) -> Command {
        // This path is right even if another build has replaced the file.
        let mut command = Command::new("/proc/self/exe");
        command.args(["serve", self.name]);
        command
    }

    /// Is the server. Returns only if it fails.
    ///
    /// # Errors
    ///
    /// Why it cannot serve.
    pub fn serve(&self) -> Result<(), String> {
        // The signal is also in effect after `exec`.
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
        let (program, arguments) = match self.kind {
            Kind::Here(serve) => return serve(),
            Kind::Example(name) => {
                let arguments = ["127.0.0.1:0", "--timeout", "100000"];
                (beside(name)?, arguments.map(PathBuf::from).to_vec())
            }
            Kind::Node => (
                PathBuf::from("node"),
                vec![peers().join("ws.mjs"), node_modules()],
            ),
            Kind::Beast => (beast(), Vec::new()),
        };
        let error = Command::new(&program).args(arguments).exec();
        Err(format!("{}: {error}", program.display()))
    }
}

/// A program in the same folder as this one.
fn beside(name: &str) -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(this.with_file_name(name))
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Where `run` installs ws and builds the server in C++.
fn built() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    target.join("loopback")
}

fn node_modules() -> PathBuf {
    built().join("node")
}

fn beast() -> PathBuf {
    built().join("beast")
}

/// Prints the line that the load waits for.
fn say_listening(address: SocketAddr) {
    let mut output = io::stdout();
    // If nobody reads it, nobody connects.
    _ = writeln!(output, "listening on http://{address}/");
    _ = output.flush();
}
