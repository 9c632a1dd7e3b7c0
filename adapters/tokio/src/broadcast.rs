//! One message to thousands of connections, with a policy for clients that read slowly.
//!
//! The parts are [`tokio::sync::broadcast`] and [`SharedMessage`]. A `SharedMessage` is encoded once, and compressed
//! once per negotiated window size. The channel keeps the last messages, and each subscriber has a place in it:
//!
//! - `send` of the channel never waits.
//! - No subscriber waits for another. All get the messages in the same order.
//! - If a subscriber is too far behind, it misses messages. [`SlowReader`] says what happens to it.
//!
//! # Capacity
//!
//! The capacity of the channel is the number of messages that a client may be behind. Multiply the messages per second
//! by the seconds that a client may pause, for example in a short loss of its network: 20 messages per second and 10
//! seconds need 200. Under [`SlowReader::Skip`], a small capacity gives fresher messages.
//!
//! # Memory
//!
//! The channel holds its capacity in messages, rounded up to a power of two, for all subscribers together. Each
//! connection also holds the messages that its transport has not taken:
//! [`max_output`](crate::Config::max_output) bytes plus one message. A message of 4 KiB or more is not copied for that.
//!
//! # Example
//!
//! ```
//! use sockless_tokio::broadcast::{SlowReader, Subscription};
//! use sockless_tokio::{CloseCode, Error, SharedMessage, WebSocket};
//! use tokio::io::{AsyncRead, AsyncWrite};
//! use tokio::sync::broadcast;
//!
//! /// Sends all news to one client, until it leaves or the news end.
//! async fn subscriber(
//!     websocket: WebSocket<impl AsyncRead + AsyncWrite + Unpin>,
//!     news: broadcast::Receiver<SharedMessage>,
//! ) -> Result<(), Error> {
//!     let mut subscription = Subscription::new(news, SlowReader::Close);
//!     let (mut sender, mut receiver) = websocket.split();
//!     let mut subscribed = true;
//!     loop {
//!         tokio::select! {
//!             message = receiver.recv() => match message? {
//!                 Some(message) => println!("{}", message.as_text().unwrap_or("binary data")),
//!                 None => return Ok(()),
//!             },
//!             forwarded = subscription.forward(&mut sender), if subscribed => {
//!                 subscribed = false;
//!                 if forwarded.is_ok() {
//!                     sender.close(CloseCode::NORMAL, "no more news").await?;
//!                 }
//!             }
//!         }
//!     }
//! }
//!
//! // A client may be 256 messages behind.
//! let (publisher, _) = broadcast::channel::<SharedMessage>(256);
//! // Give `publisher.subscribe()` to the task of each client. An error of `send` means that nobody has subscribed.
//! _ = publisher.send(SharedMessage::text("Hello, everybody!"));
//! ```

use sockless::{CloseCode, SharedMessage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::error::Error;
use crate::websocket::Sender;

/// What happens to a subscriber that has missed messages, because it reads more slowly than they are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowReader {
    /// The connection is closed with code 1008 (policy violation) and the reason "too slow".
    ///
    /// Use this if a client must not miss a message, for example in a chat. It can connect again and ask for the
    /// messages that it has missed.
    #[default]
    Close,
    /// The missed messages are left out. The subscriber continues with the oldest message that the channel holds.
    ///
    /// Use this if later messages replace earlier ones, for example for prices. A channel with a small capacity then
    /// gives fresher messages.
    Skip,
}

/// The place of one connection in a channel of messages.
///
/// See the [module](self) for an example.
#[derive(Debug)]
pub struct Subscription {
    messages: Receiver<SharedMessage>,
    /// A message that waits for room in the output.
    unsent: Option<SharedMessage>,
    slow_reader: SlowReader,
    missed: u64,
}

impl Subscription {
    /// Subscribes a connection to a channel. `messages` is the result of
    /// [`subscribe`](tokio::sync::broadcast::Sender::subscribe).
    #[must_use]
    pub const fn new(messages: Receiver<SharedMessage>, slow_reader: SlowReader) -> Self {
        Self {
            messages,
            unsent: None,
            slow_reader,
            missed: 0,
        }
    }

    /// Sends all messages of the channel, until all publishers are gone. It returns when the last message is queued.
    ///
    /// Receive at the same time, in `select!` or in another task. Without this, nobody answers Pings or notices the
    /// end.
    ///
    /// # A client that reads nothing
    ///
    /// Such a client does not read the Close frame of [`SlowReader::Close`] either. The frame waits in the output, and
    /// [`Deadlines::close`](crate::Deadlines::close) counts: 10 s by default. Then `recv` fails with
    /// [`Timeout::Close`](crate::Timeout::Close). If the client still sends messages, this takes up to
    /// [`max_extension`](crate::Deadlines::max_extension) longer. A client that neither reads nor sends may miss
    /// [`Deadlines::pong`](crate::Deadlines::pong) first.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if nothing can be sent any more: one side has closed, also under [`SlowReader::Close`], or the
    /// connection has ended. Receive until the end, and `recv` returns the reason. [`missed`](Self::missed) says
    /// whether the client was too slow.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future and call this again, no message is lost or repeated.
    pub async fn forward<S>(&mut self, sender: &mut Sender<S>) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            if let Some(message) = &self.unsent {
                // One write is enough for all messages that are ready.
                if self.messages.is_empty() {
                    sender.send_shared(message).await?;
                } else {
                    sender.feed_shared(message).await?;
                }
                self.unsent = None;
            }
            match self.messages.recv().await {
                Ok(message) => self.unsent = Some(message),
                Err(RecvError::Closed) => return Ok(()),
                Err(RecvError::Lagged(missed)) => {
                    self.missed = self.missed.saturating_add(missed);
                    if self.slow_reader == SlowReader::Close {
                        sender
                            .close(CloseCode::POLICY_VIOLATION, "too slow")
                            .await?;
                        return Err(Error::Closed);
                    }
                }
            }
        }
    }

    /// How many messages this subscriber has missed. Under [`SlowReader::Close`], a number above 0 means that the
    /// connection was closed because the client was too slow.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }
}
