//! A TCP listener for servers that run for a long time.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::time::{Instant, sleep_until};

/// The pause after a failed `accept`. Most likely the process has no free file descriptor. A client that leaves frees
/// one.
const PAUSE: Duration = Duration::from_millis(100);

/// A TCP listener that keeps working after errors.
///
/// When the process has no free file descriptor, each call of [`TcpListener::accept`] fails at once. So a plain loop
/// uses 100% CPU. This type waits 100 ms before it tries again.
///
/// # Example
///
/// See the [module](super).
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    /// When to call `accept` again after it has failed. `None` after a success.
    retry: Option<Instant>,
}

impl Listener {
    /// Listens at an address. Port 0 means a free port, see [`local_addr`](Self::local_addr).
    ///
    /// # Errors
    ///
    /// The errors of [`TcpListener::bind`].
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(TcpListener::bind(address).await?.into())
    }

    /// The next client. Small frames are sent at once ([`TcpStream::set_nodelay`]).
    ///
    /// A client that has left already is skipped.
    ///
    /// # Errors
    ///
    /// The error of the system. Most likely the process has no free file descriptor. Report the error and call this
    /// again: it pauses and tries again, until it succeeds. It reports only the first error of a series.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, no client is lost, and the next call continues the pause.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            if let Some(retry) = self.retry {
                sleep_until(retry).await;
            }
            match self.listener.accept().await {
                Ok((transport, address)) => {
                    self.retry = None;
                    // Without this option, a small frame may wait for an acknowledgement. If it fails, the client has
                    // left, and its task will see that.
                    _ = transport.set_nodelay(true);
                    return Ok((transport, address));
                }
                Err(error) if is_of_client(&error) => {}
                Err(error) => {
                    let reported = self.retry.replace(Instant::now() + PAUSE).is_some();
                    if !reported {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The local address.
    ///
    /// # Errors
    ///
    /// The errors of [`TcpListener::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self {
            listener,
            retry: None,
        }
    }
}

/// Whether the error is about one client, which has left. The others are about this process.
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}
