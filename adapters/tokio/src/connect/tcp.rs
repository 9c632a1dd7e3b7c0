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

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]
mod tests {
    use std::time::Instant;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    fn any() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// An address that refuses connections, as long as the socket lives.
    fn refusing() -> (TcpSocket, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(any()).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[tokio::test]
    async fn tries_every_address() {
        let (_one, one) = refusing();
        let (_two, two) = refusing();
        let listener = TcpListener::bind(any()).await.unwrap();
        let good = listener.local_addr().unwrap();
        for addresses in [vec![good], vec![one, good], vec![one, two, good, one]] {
            let (stream, address) = connect_any(addresses).await.unwrap();
            assert_eq!(address, good);
            assert_eq!(stream.peer_addr().unwrap(), good);
            assert!(stream.nodelay().unwrap());
        }
        let error = connect_any(vec![one, two]).await.unwrap_err();
        let ConnectError::Tcp(error) = error else {
            panic!("{error:?}");
        };
        let addresses: Vec<_> = error.attempts().map(|(address, _)| address).collect();
        assert_eq!(addresses, [one, two]);
        let text = error.to_string();
        assert!(text.contains(&one.to_string()), "{text}");
        assert!(text.contains(&format!(", nor to {two}: ")), "{text}");
    }

    /// Linux ignores new connections while the backlog is full.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_does_not_answer_does_not_stop_the_others() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(any()).unwrap();
        let full = socket.listen(1).unwrap();
        let silent = full.local_addr().unwrap();
        let mut backlog = Vec::new();
        let second = Duration::from_secs(1);
        while let Ok(stream) = timeout(second, TcpStream::connect(silent)).await {
            backlog.push(stream.unwrap());
        }
        let listener = TcpListener::bind(any()).await.unwrap();
        let good = listener.local_addr().unwrap();
        let (_socket, refuses) = refusing();
        let start = Instant::now();
        let (_, address) = connect_any(vec![silent, refuses, silent, good])
            .await
            .unwrap();
        assert_eq!(address, good);
        // Two addresses do not answer, and each delays the next one.
        assert!(
            start.elapsed() >= 2 * ATTEMPT_DELAY,
            "{:?}",
            start.elapsed()
        );
    }
}
