//! Command lines, and how a server starts to listen.

use tokio::net::TcpListener;

#[path = "../../common/command_line.rs"]
mod shared;

pub use shared::{Listen, Program, complain, say, timeout};

/// Binds a listener, and prints its URL in the first line of the output.
///
/// # Errors
///
/// The error of the system, with the address. For instance, the address is in use.
pub async fn listen(scheme: &str, address: &str) -> Result<TcpListener, String> {
    // Each client needs a file. If the limit cannot be raised, the server works with fewer.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let cannot = |error| format!("cannot listen on {address}: {error}");
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let local = listener.local_addr().map_err(cannot)?;
    say(format_args!("listening on {scheme}://{local}/"));
    Ok(listener)
}
