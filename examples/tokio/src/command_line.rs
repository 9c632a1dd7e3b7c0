//! What the example servers on tokio have in common before they serve.

use std::io::Write as _;
use std::process::ExitCode;

use tokio::net::TcpListener;

/// The end of a program: what was wrong, and status 2, if anything was.
#[must_use]
pub fn ended(name: &str, result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::from(2)
        }
    }
}

/// The address on the command line, `127.0.0.1:8080` unless it has one; `None` if it only asks for help, which is given.
///
/// # Errors
///
/// What is wrong with it.
pub fn address(name: &str) -> Result<Option<String>, String> {
    let usage = format!("usage: {name} [ADDRESS]");
    let mut address = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--help" | "-h" => {
                say(&usage);
                return Ok(None);
            }
            _ if argument.starts_with('-') || address.is_some() => {
                return Err(format!("unexpected argument {argument:?}\n{usage}"));
            }
            _ => address = Some(argument),
        }
    }
    Ok(Some(
        address.unwrap_or_else(|| String::from("127.0.0.1:8080")),
    ))
}

/// Listens, and says where, in the first line of the output.
///
/// # Errors
///
/// What the system says, for instance that the address is in use.
pub async fn listen(scheme: &str, address: &str) -> Result<TcpListener, String> {
    // A file for each client; as many as the system lets it have.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let cannot = |error| format!("cannot listen on {address}: {error}");
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let local = listener.local_addr().map_err(cannot)?;
    say(&format!("listening on {scheme}://{local}/"));
    Ok(listener)
}

/// Writes a line to stdout, if anybody reads it.
pub fn say(line: &str) {
    let mut stdout = std::io::stdout();
    _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
