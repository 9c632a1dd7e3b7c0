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
