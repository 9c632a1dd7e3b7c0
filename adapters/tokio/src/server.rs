//! A server that accepts clients and ends gracefully.
//!
//! [`Listener`] accepts TCP connections. [`Shutdown`] runs the task of each client, tells all tasks when the server
//! ends, and waits for them. With hyper or axum, use only [`Shutdown`].
//!
//! # Example
//!
//! An echo server that ends at Ctrl-C. Each client gets a Close frame with code 1001 (going away). Clients that are not
//! gone after 10 seconds are dropped.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use sockless_tokio::{CloseCode, accept};
//! use sockless_tokio::server::{Listener, Shutdown};
//! use tokio::net::TcpStream;
//!
//! # async fn example() -> std::io::Result<()> {
//! let shutdown = Shutdown::new();
//! let mut listener = Listener::bind("127.0.0.1:8080").await?;
//! loop {
//!     tokio::select! {
//!         accepted = listener.accept() => match accepted {
//!             Ok((transport, _)) => {
//!                 shutdown.spawn(echo(transport, shutdown.clone()));
//!             }
//!             Err(error) => eprintln!("cannot accept: {error}"),
//!         },
//!         _ = tokio::signal::ctrl_c() => break,
//!     }
//! }
//! // The system refuses new clients from now on.
//! drop(listener);
//! shutdown.finish(Duration::from_secs(10)).await;
//! # Ok(())
//! # }
//!
//! async fn echo(transport: TcpStream, shutdown: Shutdown) {
//!     let Ok(mut websocket) = accept(transport).await else {
//!         return;
//!     };
//!     let echo = async {
//!         while let Ok(Some(message)) = websocket.recv().await {
//!             // This fails only if the connection is closing. `recv` then continues until the end.
//!             _ = websocket.feed(message).await;
//!         }
//!     };
//!     // This may interrupt an answer to a client that does not read.
//!     tokio::select! {
//!         () = echo => return,
//!         () = shutdown.begun() => {}
//!     }
//!     _ = websocket.close(CloseCode::GOING_AWAY, "").await;
//! }
//! ```
//!
//! # Limit the number of clients
//!
//! Let each task hold a permit of a [`tokio::sync::Semaphore`], and get the permit before you call
//! [`Listener::accept`]. More clients then wait in the queue of the system.

mod listener;
mod shutdown;

pub use listener::Listener;
pub use shutdown::Shutdown;
