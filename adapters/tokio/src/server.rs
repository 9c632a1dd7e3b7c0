//! A server that accepts clients and ends gracefully.
//!
//! [`Listener`] accepts TCP connections. [`Shutdown`] runs the task of each client, tells all tasks when the server
//! ends, and waits for them. With hyper or axum, use only [`Shutdown`].
//!
//! # Example
//!
//! An echo server that ends at Ctrl-C. Each client gets a Close frame with code 1001 (going away). After 15 seconds,
//! the remaining tasks are dropped. A client that does not answer its Close frame takes 11 seconds by default.
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
//! shutdown.finish(Duration::from_secs(15)).await;
//! # Ok(())
//! # }
//!
//! async fn echo(transport: TcpStream, shutdown: Shutdown) {
//!     let Ok(mut websocket) = accept(transport).await else {
//!         return;
//!     };
//!     let echo = async {
//!         while let Ok(Some(message)) = websocket.recv().await {
//!             // `feed` fails only on a closing connection. Then go on with `recv`.
//!             _ = websocket.feed(message).await;
//!         }
//!     };
//!     // `select!` may drop a waiting `feed`.
//!     tokio::select! {
//!         () = echo => return,
//!         () = shutdown.begun() => {}
//!     }
//!     _ = websocket.close(CloseCode::GOING_AWAY, "").await;
//! }
//! ```
//!
//! # Example: a chat that ends gracefully
//!
//! The task of a client with halves, a [`broadcast`](crate::broadcast) and a [`Shutdown`]. [`Sender::close`] does not
//! wait for the client. So `join!` also receives until the end.
//!
//! ```
//! use sockless_tokio::broadcast::{SlowReader, Subscription};
//! use sockless_tokio::server::Shutdown;
//! use sockless_tokio::{CloseCode, Error, SharedMessage, WebSocket};
//! use tokio::net::TcpStream;
//! use tokio::sync::broadcast;
//!
//! async fn talk(
//!     websocket: WebSocket<TcpStream>,
//!     chat: broadcast::Sender<SharedMessage>,
//!     shutdown: Shutdown,
//! ) -> Result<(), Error> {
//!     let (mut sender, mut receiver) = websocket.split();
//!     let mut subscription = Subscription::new(chat.subscribe(), SlowReader::Close);
//!     let receive = async {
//!         while let Some(message) = receiver.recv().await? {
//!             _ = chat.send(SharedMessage::from(&message));
//!         }
//!         Ok(())
//!     };
//!     tokio::select! {
//!         received = receive => return received,
//!         // On an error this branch is disabled. `recv` then returns the reason.
//!         Ok(()) = subscription.forward(&mut sender) => {}
//!         () = shutdown.begun() => {}
//!     }
//!     let drain = async {
//!         while receiver.recv().await?.is_some() {}
//!         Ok(())
//!     };
//!     let (closed, drained) = tokio::join!(sender.close(CloseCode::GOING_AWAY, ""), drain);
//!     closed.and(drained)
//! }
//! ```
//!
//! [`Sender::close`]: crate::Sender::close
//!
//! # Limit the number of clients
//!
//! Let each task hold a permit of a [`tokio::sync::Semaphore`], and get the permit before you call
//! [`Listener::accept`]. More clients then wait in the queue of the system.

mod listener;
mod shutdown;

pub use listener::Listener;
pub use shutdown::Shutdown;
