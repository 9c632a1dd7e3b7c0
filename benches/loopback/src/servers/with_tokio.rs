//! What all servers on tokio have in common.

use std::future::Future;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

use super::say_listening;

/// The number of threads of the runtime.
#[derive(Clone, Copy, Debug)]
pub(super) enum Threads {
    One,
    /// One for each processor.
    Many,
}

/// Serves each client with `serve`, in its own task.
pub(super) fn run<F>(threads: Threads, serve: impl Fn(TcpStream) -> F) -> Result<(), String>
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = match threads {
        Threads::One => Builder::new_current_thread().enable_all().build(),
        Threads::Many => Builder::new_multi_thread().enable_all().build(),
    };
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let accepting = async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            say_listening(listener.local_addr()?);
            loop {
                let (transport, _) = listener.accept().await?;
                transport.set_nodelay(true)?;
                tokio::spawn(serve(transport));
            }
        };
        let ended: std::io::Result<()> = accepting.await;
        ended.map_err(|error| error.to_string())
    })
}
