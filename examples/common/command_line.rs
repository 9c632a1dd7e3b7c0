//! The command lines of all example programs: help, errors, exit statuses and `--timeout`.
//!
//! The examples do not use `println!` and `eprintln!`, because these panic when nobody reads the output. A server must
//! go on.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use lexopt::{Error, Parser};
use sockless::Deadlines;

/// The longest `--timeout`, about 11 days. No clock overflows with it.
const LONGEST: Duration = Duration::from_secs(1_000_000);

/// The part of the help that is the same for every program.
const COMMON: &str =
    "  --timeout SECONDS  the limit for the opening handshake, the Pong and the Close, and the time between Pings
  --help             print this";

/// The command line of a program.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    pub name: &'static str,
    /// The arguments in the usage line.
    pub arguments: &'static str,
    /// The part of the help about these arguments.
    pub options: &'static str,
}

impl Program {
    /// A server with the arguments of [`Listen`].
    #[must_use]
    pub const fn server(name: &'static str) -> Self {
        Self {
            name,
            arguments: "[ADDRESS] [--timeout SECONDS]",
            options: "  ADDRESS            the address to listen at (127.0.0.1:8080); port 0 takes a free port",
        }
    }

    /// Reads the command line with `read`. `read` returns `None` to print the help.
    ///
    /// # Errors
    ///
    /// The exit status if the program must end: 0 after help, 2 after wrong arguments.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&mut Parser) -> Result<Option<T>, Error>,
    ) -> Result<T, ExitCode> {
        let Self {
            name,
            arguments,
            options,
        } = self;
        let usage = format!("usage: {name} {arguments}");
        match read(&mut Parser::from_env()) {
            Ok(Some(read)) => Ok(read),
            Ok(None) => {
                say(format_args!("{usage}\n{options}\n{COMMON}"));
                Err(ExitCode::SUCCESS)
            }
            Err(error) => Err(self.ended(Err(format!("{error}\n{usage}")))),
        }
    }

    /// The exit status. After an error this prints the error, and the status is 2.
    #[must_use]
    pub fn ended(&self, result: Result<(), String>) -> ExitCode {
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(format_args!("{}: {error}", self.name));
                ExitCode::from(2)
            }
        }
    }
}

/// The arguments of a simple server.
#[derive(Clone, Debug)]
pub struct Listen {
    pub address: String,
    /// The deadlines of `--timeout`.
    pub deadlines: Option<Deadlines>,
}

impl Listen {
    /// Reads the command line. Returns `None` if it asks for help.
    ///
    /// # Errors
    ///
    /// The first wrong argument.
    pub fn read(parser: &mut Parser) -> Result<Option<Self>, Error> {
        let (mut address, mut deadlines) = (None, None);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("timeout") => deadlines = Some(timeout(parser)?),
                Value(value) if address.is_none() => address = Some(value.string()?),
                _ => return Err(argument.unexpected()),
            }
        }
        let address = address.unwrap_or_else(|| String::from("127.0.0.1:8080"));
        Ok(Some(Self { address, deadlines }))
    }

    /// Resolves the address.
    ///
    /// # Errors
    ///
    /// Why the address is wrong.
    pub fn resolve(&self) -> Result<SocketAddr, String> {
        let address = &self.address;
        match address.to_socket_addrs().map(|mut all| all.next()) {
            Ok(Some(resolved)) => Ok(resolved),
            Ok(None) => Err(format!("{address:?} is no address")),
            Err(error) => Err(format!("{address:?} is no address: {error}")),
        }
    }
}

/// Reads the value of `--timeout`, in whole or decimal seconds. All deadlines get this length.
///
/// # Errors
///
/// If it is not a number, not above 0, or above 1,000,000.
pub fn timeout(parser: &mut Parser) -> Result<Deadlines, Error> {
    let value = parser.value()?.string()?;
    let seconds = value.parse().ok();
    let timeout = seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|timeout| !timeout.is_zero() && *timeout <= LONGEST)
        .ok_or_else(|| {
            format!("--timeout needs seconds above 0, such as 2 or 0.5, not {value:?}")
        })?;
    Ok(Deadlines::new()
        .with_handshake(timeout)
        .with_ping_interval(timeout)
        .with_pong(timeout)
        .with_close(timeout))
}

/// Writes a line to stdout. Ignores errors.
pub fn say(line: impl Display) {
    let mut stdout = io::stdout().lock();
    _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Writes a line to stderr. Ignores errors.
pub fn complain(line: impl Display) {
    _ = writeln!(io::stderr(), "{line}");
}
