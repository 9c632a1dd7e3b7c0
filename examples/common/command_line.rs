//! What the command lines of all example programs have in common: help, complaints, exit statuses, `--timeout`.
//!
//! Nothing here, and nothing in any example, uses `println!` or `eprintln!`. They panic when nobody reads the output
//! any more, and a server must go on then.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use lexopt::{Error, Parser};
use sockless::Deadlines;

/// The longest `--timeout`, about 11 days: no clock overflows with it.
const LONGEST: Duration = Duration::from_secs(1_000_000);

/// What `--help` says of every program.
const COMMON: &str = "  --timeout SECONDS  how long to wait for the opening handshake, between Pings, for a Pong, and for the close
  --help             prints this";

/// A program as whoever starts it sees it.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    pub name: &'static str,
    /// What follows the name in the usage line.
    pub arguments: &'static str,
    /// What `--help` says about them.
    pub options: &'static str,
}

impl Program {
    /// A server that has the arguments of [`Listen`].
    #[must_use]
    pub const fn server(name: &'static str) -> Self {
        Self {
            name,
            arguments: "[ADDRESS] [--timeout SECONDS]",
            options: "  ADDRESS            where to listen, 127.0.0.1:8080 unless given; port 0 takes a free one",
        }
    }

    /// Reads the command line with `read`, which returns `None` if that asks for help.
    ///
    /// # Errors
    ///
    /// The status to exit with if the program has no more to do: 0 after help, 2 after wrong arguments.
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

    /// The status to exit with. Says what was wrong, if anything was: then it is 2.
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

/// The arguments of a server that has no others.
#[derive(Clone, Debug)]
pub struct Listen {
    pub address: String,
    /// What `--timeout` asks for.
    pub deadlines: Option<Deadlines>,
}

impl Listen {
    /// Reads the command line; `None` if it asks for help.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
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

    /// The address as numbers.
    ///
    /// # Errors
    ///
    /// Why it is no address.
    pub fn resolve(&self) -> Result<SocketAddr, String> {
        let address = &self.address;
        match address.to_socket_addrs().map(|mut all| all.next()) {
            Ok(Some(resolved)) => Ok(resolved),
            Ok(None) => Err(format!("{address:?} is no address")),
            Err(error) => Err(format!("{address:?} is no address: {error}")),
        }
    }
}

/// Reads the value of `--timeout`: whole or decimal seconds, which all deadlines are then.
///
/// # Errors
///
/// That it is no such number, or not over 0.
pub fn timeout(parser: &mut Parser) -> Result<Deadlines, Error> {
    let value = parser.value()?.string()?;
    let seconds = value.parse().ok();
    let timeout = seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|timeout| !timeout.is_zero() && *timeout <= LONGEST)
        .ok_or_else(|| {
            format!("--timeout needs seconds over 0, such as 2 or 0.5, and not {value:?}")
        })?;
    Ok(Deadlines::new()
        .with_handshake(timeout)
        .with_ping_interval(timeout)
        .with_pong(timeout)
        .with_close(timeout))
}

/// Writes a line to stdout, if anybody reads it.
pub fn say(line: impl Display) {
    let mut stdout = io::stdout().lock();
    _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Writes a line to stderr, if anybody reads it.
pub fn complain(line: impl Display) {
    _ = writeln!(io::stderr(), "{line}");
}
