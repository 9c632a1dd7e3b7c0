//! The arguments, the output and the exit status of every program in this package.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use lexopt::{Error, Parser};

use crate::Failure;

/// Reads the arguments with `read` and passes them to `act`. `read` returns `None` to print the usage.
///
/// The exit status is 0 after success and after help, 1 after [`Failure::Lost`], and 2 after wrong arguments and
/// [`Failure::Unable`]. Errors go to stderr.
pub fn run<T>(
    name: &str,
    usage: &str,
    read: impl FnOnce(&mut Parser) -> Result<Option<T>, Error>,
    act: impl AsyncFnOnce(T) -> Result<(), Failure>,
) -> ExitCode {
    let result = match read(&mut Parser::from_env()) {
        Err(error) => Err(Failure::Unable(format!("{error}\n{usage}"))),
        Ok(None) => {
            say(usage);
            Ok(())
        }
        Ok(Some(arguments)) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Unable(error.to_string()))
            .and_then(|runtime| runtime.block_on(act(arguments))),
    };
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    complain(format_args!("{name}: {failure}"));
    match failure {
        Failure::Lost(_) => ExitCode::from(1),
        Failure::Unable(_) => ExitCode::from(2),
    }
}

/// Writes a line to stdout. Ignores errors: the program continues when nobody reads its output.
pub fn say(line: impl Display) {
    let mut stdout = io::stdout().lock();
    _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Writes a line to stderr. Ignores errors.
pub fn complain(line: impl Display) {
    _ = writeln!(io::stderr(), "{line}");
}
