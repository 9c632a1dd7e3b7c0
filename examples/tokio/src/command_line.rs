//! What the example servers on tokio have in common before they serve.

use tokio::net::TcpListener;

#[path = "../../common/command_line.rs"]
mod shared;

pub use shared::{Listen, Program, complain, say, timeout};

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
    say(format_args!("listening on {scheme}://{local}/"));
    Ok(listener)
}
