//! DNS and TCP.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connect::error::{ConnectError, Step, TcpError};
use crate::connect::limit::Limit;

/// How long an attempt runs before the next address is tried, too (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to one of the addresses of `host`.
pub(crate) async fn connect(
    host: &str,
    port: u16,
    limit: Limit,
) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let addresses = resolve(host, port, limit).await?;
    limit.run(Step::Tcp, connect_any(addresses)).await
}

/// The addresses of `host`: at least one.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    limit: Limit,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let failed = |source| ConnectError::Dns {
        host: host.to_owned(),
        source,
    };
    let lookup = async {
        let found = lookup_host((host, port)).await.map_err(failed)?;
        let addresses: Vec<_> = found.collect();
        if addresses.is_empty() {
            return Err(failed(io::Error::new(ErrorKind::NotFound, "no address")));
        }
        Ok(addresses)
    };
    limit.run(Step::Dns, lookup).await
}

/// Tries the addresses in their order. An address that does not answer delays the next one only a little.
async fn connect_any(addresses: Vec<SocketAddr>) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let mut failed = Vec::new();
    // Dropping the set ends the other attempts.
    let mut attempts = JoinSet::new();
    let mut waiting = addresses.into_iter();
    loop {
        let delay = match waiting.next() {
            Some(address) => {
                attempts.spawn(async move { (address, TcpStream::connect(address).await) });
                ATTEMPT_DELAY
            }
            None => Duration::MAX,
        };
        match timeout(delay, attempts.join_next()).await {
            Ok(Some(Ok((address, Ok(stream))))) => {
                // Messages are written whole, so waiting for more bytes only adds delay.
                _ = stream.set_nodelay(true);
                return Ok((stream, address));
            }
            Ok(Some(Ok((address, Err(error))))) => failed.push((address, error)),
            Ok(None) if waiting.len() == 0 => return Err(ConnectError::Tcp(TcpError::new(failed))),
            // The attempt takes long. (Or its task was aborted because the runtime ends.)
            Ok(_) | Err(_) => {}
        }
    }
}
