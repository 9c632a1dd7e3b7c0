//! A connection, and its two halves.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use futures_sink::Sink;
use sockless::{CloseCode, Connection, ReadBuffer, SharedMessage};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::close_event::CloseEvent;
use crate::driver::Driver;
use crate::error::Error;
use crate::handle::Handle;
use crate::message::Message;
use crate::message_reader::MessageReader;
use crate::message_writer::{MessageType, MessageWriter};
use crate::split::{self, Half};

/// A WebSocket connection over a transport.
///
/// [`connect`](crate::connect) and [`accept`](crate::accept) make one. [`recv`](Self::recv) receives messages, and
/// [`send`](Self::send) sends them. It is also a [`Stream`] and a [`Sink`].
///
/// Keep receiving: only [`recv`](Self::recv) reads, answers Pings and notices the end. To send and receive at the same
/// time, [`split`](Self::split) the connection, or use `tokio::select!`.
///
/// # Cancel safety
///
/// You can drop the future of every method, for instance in `tokio::select!` or `tokio::time::timeout`. All state is in
/// the connection. No received message is lost: the next call returns it. A message to send is queued whole or not at
/// all. Exception: if you drop a message that you send in parts ([`send_stream`](Self::send_stream) or
/// [`send_from`](Self::send_from)), the connection is closed. Each method says what a dropped future means.
///
/// # Memory
///
/// A connection that waits keeps no buffers. The connections of a thread share a few of them.
///
/// # Deadlines
///
/// [`connect`](crate::connect) and [`accept`](crate::accept) set the default [`Deadlines`](crate::Deadlines): a Ping
/// every 20 seconds, and 20 seconds for its Pong. A connection ends one second after a deadline. It waits this second
/// for bytes that TLS or HTTP/2 still holds.
///
/// # Drop
///
/// If you drop a connection, the transport is dropped without a Close frame. The peer then sees code 1006. Call
/// [`close`](Self::close) first.
///
/// # Example: an echo server
///
/// ```
/// use sockless_tokio::{Error, WebSocket};
/// use tokio::io::{AsyncRead, AsyncWrite};
///
/// async fn echo<S>(websocket: &mut WebSocket<S>) -> Result<(), Error>
/// where
///     S: AsyncRead + AsyncWrite + Unpin,
/// {
///     while let Some(message) = websocket.recv().await? {
///         websocket.feed(message).await?; // `feed` queues, and `recv` writes the queue
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct WebSocket<S> {
    driver: Driver<S>,
    /// Whether the stream of messages has ended.
    ended: bool,
}

/// The half of a [`WebSocket`] that receives.
///
/// Keep receiving: this half also answers Pings and notices the end. Like [`WebSocket`], it is cancel-safe.
///
/// If you drop this half, the [`Sender`] continues, and no Close frame is sent. But then nobody reads, answers Pings or
/// notices the end. To close, call [`Sender::close`] first, and receive until the end.
#[derive(Debug)]
pub struct Receiver<S> {
    half: Half<S>,
    /// Whether the stream of messages has ended.
    ended: bool,
}

/// The half of a [`WebSocket`] that sends. Like [`WebSocket`], it is cancel-safe.
///
/// It does not read. So keep receiving with the other half.
///
/// If you drop this half, the [`Receiver`] continues, and no Close frame is sent. The transport is dropped when both
/// halves are gone. So call [`close`](Self::close) first.
#[derive(Debug)]
pub struct Sender<S>(Half<S>);

/// # Construct
impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes a connection after an opening handshake that was made elsewhere. `buffer` holds the bytes that were read
    /// after the handshake.
    ///
    /// The next call writes the output of `connection`. Leave [`ping_reply`](crate::Config::ping_reply) and
    /// [`close_reply`](crate::Config::close_reply) automatic, because no method returns control frames.
    ///
    /// # Example: a transport with the traits of `futures-io`
    ///
    /// The crate `tokio-util` gives it the traits of tokio:
    ///
    /// ```
    /// use futures_util::io::{AsyncRead, AsyncWrite};
    /// use sockless_tokio::{Connection, ReadBuffer, WebSocket};
    /// use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _};
    ///
    /// fn open<T>(transport: T, connection: Connection) -> WebSocket<Compat<T>>
    /// where
    ///     T: AsyncRead + AsyncWrite + Unpin,
    /// {
    ///     WebSocket::new(transport.compat(), connection, ReadBuffer::new())
    /// }
    /// ```
    pub fn new(transport: S, connection: Connection, buffer: ReadBuffer) -> Self {
        Self {
            driver: Driver::new(transport, connection, buffer),
            ended: false,
        }
    }

    /// Returns two halves, for two tasks.
    ///
    /// If you drop one half, the other half continues. If you drop both halves, the transport is dropped. In both cases
    /// no Close frame is sent. So call [`Sender::close`] first, and receive until the end. One task can do both with
    /// `tokio::join!`: see [`server`](crate::server#example-a-chat-that-ends-gracefully).
    ///
    /// # Example
    ///
    /// ```
    /// use sockless_tokio::{Error, WebSocket};
    /// use tokio::io::{AsyncRead, AsyncWrite};
    ///
    /// async fn talk<S>(websocket: WebSocket<S>) -> Result<(), Error>
    /// where
    ///     S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    /// {
    ///     let (mut sender, mut receiver) = websocket.split();
    ///     let receiving = tokio::spawn(async move {
    ///         while let Some(message) = receiver.recv().await? {
    ///             println!("{}", message.as_text().unwrap_or("binary data"));
    ///         }
    ///         Ok::<_, Error>(())
    ///     });
    ///     sender.send("Hello").await?;
    ///     sender.close(sockless_tokio::CloseCode::NORMAL, "").await?;
    ///     receiving.await.expect("no panic")
    /// }
    /// ```
    #[must_use]
    pub fn split(self) -> (Sender<S>, Receiver<S>) {
        let (sender, receiver) = split::split(self.driver);
        let receiver = Receiver {
            half: receiver,
            ended: self.ended,
        };
        (Sender(sender), receiver)
    }
}

impl<S> WebSocket<S> {
    /// Returns the transport, the state of the protocol, and the bytes that were read and not delivered.
    ///
    /// A message that is being received in parts may be lost. Output that was not written is in the [`Connection`].
    pub fn into_parts(self) -> (S, Connection, ReadBuffer) {
        self.driver.into_parts()
    }

    /// Returns the transport, for instance to ask for the address of the peer.
    pub const fn get_ref(&self) -> &S {
        self.driver.transport()
    }

    /// Returns the transport. If you read or write, you destroy the stream of frames.
    pub const fn get_mut(&mut self) -> &mut S {
        self.driver.transport_mut()
    }

    /// Returns the state of the protocol, for what this type does not offer.
    ///
    /// For example, `websocket.connection().uses_deflate()` says whether both sides agreed on compression.
    pub const fn connection(&self) -> &Connection {
        self.driver.connection()
    }

    const fn handle(&mut self) -> Handle<'_, S> {
        Handle::Whole(&mut self.driver)
    }
}

// Methods of several types, with the same documentation.
macro_rules! receiving {
    ($type:ident) => {
        /// # Receive
        impl<S: AsyncRead + AsyncWrite + Unpin> $type<S> {
            /// Receives the next message. Returns `Ok(None)` when the peer has sent its Close frame, and all its
            /// messages were received.
            ///
            /// It also writes the output, answers Pings and keeps the deadlines. After `Ok(None)` or an error you can
            /// drop the connection. [`close_event`](Self::close_event) says how it has ended.
            ///
            /// If writing fails, you still receive the messages that the peer sent before. A peer that sends faster
            /// than you receive must wait, because its messages stay in the transport.
            ///
            /// With [`Delivery::Chunks`](crate::Delivery::Chunks) it joins the parts of the message.
            ///
            /// # Errors
            ///
            /// If the connection has ended without a Close frame of the peer: [`Protocol`](Error::Protocol),
            /// [`Timeout`](Error::Timeout), [`Eof`](Error::Eof) or [`Transport`](Error::Transport). All further calls
            /// return the same error.
            ///
            /// # Cancel safety
            ///
            /// If you drop the future, no message is lost.
            pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
                self.handle().recv().await
            }

            /// Receives the beginning of the next message, and returns a reader for all of it. Returns `Ok(None)` when
            /// the peer has sent its Close frame.
            ///
            /// The [`Config`](crate::Config) decides about the parts:
            ///
            /// - With [`Delivery::Chunks`](crate::Delivery::Chunks), you receive parts of a message while it arrives.
            ///   While you do not read, the peer must wait.
            /// - With [`Delivery::Messages`](crate::Delivery::Messages), which is the default, the reader returns one
            ///   part.
            ///
            /// # Limits
            ///
            /// - The message has at most [`max_message_size`](crate::Config::max_message_size) bytes, 16 MiB by
            ///   default.
            /// - Each frame has at most [`max_frame_size`](crate::Config::max_frame_size) bytes, 16 MiB by default. A
            ///   peer may send a message of any size as one frame. So raise both limits.
            /// - A peer that answers no Ping while it sends may send for
            ///   [`max_extension`](crate::Deadlines::max_extension), 10 minutes by default. A longer message ends the
            ///   connection with [`Timeout::Pong`](crate::Timeout::Pong). No peer can answer inside a frame. And
            ///   [`WebSocket::send_from`] does not read, so it answers nothing. Raise this limit for long uploads.
            ///
            /// # Example: an answer to a message
            ///
            /// The reader borrows the connection. So use `let ... else`, and drop the reader before you send. Inside
            /// `while let` or `if let`, the compiler does not allow the send.
            ///
            /// ```
            /// use sockless_tokio::{Error, WebSocket};
            /// use tokio::io::{AsyncRead, AsyncWrite};
            ///
            /// async fn count<S>(websocket: &mut WebSocket<S>) -> Result<(), Error>
            /// where
            ///     S: AsyncRead + AsyncWrite + Unpin,
            /// {
            ///     loop {
            ///         let Some(mut message) = websocket.recv_stream().await? else { break };
            ///         let mut size = 0;
            ///         while let Some(part) = message.chunk().await? {
            ///             size += part.as_bytes().len();
            ///         }
            ///         drop(message);
            ///         websocket.send(format!("{size} bytes")).await?;
            ///     }
            ///     Ok(())
            /// }
            /// ```
            ///
            /// # Errors
            ///
            /// Those of [`recv`](Self::recv).
            ///
            /// # Cancel safety
            ///
            /// If you drop the future, no message is lost. If you drop the reader, the rest of its message is dropped.
            pub async fn recv_stream(&mut self) -> Result<Option<MessageReader<'_, S>>, Error> {
                let mut handle = self.handle();
                let first = handle.first_chunk().await?;
                Ok(first.map(|first| MessageReader::new(handle, first)))
            }
        }

        /// Ends after the peer's Close frame, or after the first error.
        impl<S: AsyncRead + AsyncWrite + Unpin> Stream for $type<S> {
            type Item = Result<Message, Error>;

            fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
                let this = self.get_mut();
                if this.ended {
                    return Poll::Ready(None);
                }
                let received = this.handle().poll(cx, Driver::poll_recv);
                this.ended = matches!(received, Poll::Ready(Ok(None) | Err(_)));
                received.map(Result::transpose)
            }
        }
    };
}

macro_rules! sending {
    ($type:ident) => {
        /// # Send
        impl<S: AsyncRead + AsyncWrite + Unpin> $type<S> {
            /// Waits for room, queues a message, and writes as much as the transport takes now.
            ///
            /// Later calls write the rest. [`flush`](Self::flush) waits until everything is written.
            ///
            /// It does not read while it waits. This is backpressure for request and answer: a peer that does not read
            /// your answers cannot send more requests. But two sides that only send block each other until a deadline.
            /// So if you send much, or without a request, split the connection and receive in another task.
            ///
            /// While `send` waits, a deadline ends the connection only if the transport takes no byte for the length of
            /// that deadline. This is 20 s by default.
            ///
            /// # Errors
            ///
            /// [`Closed`](Error::Closed) if nothing can be sent any more. The message was not sent. To keep it, send a
            /// clone, which costs little. `recv` returns the reason. So a loop that also receives may ignore this
            /// error.
            ///
            /// # Cancel safety
            ///
            /// If you drop the future while it waits, the message is not sent.
            pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
                self.handle().send(message.into()).await
            }

            /// Waits for room and queues a message, for several messages that are written at once.
            ///
            /// `recv` writes the queue before it waits for data. So a loop that answers each message writes once per
            /// read. If you do not call `recv` next, call [`flush`](Self::flush). A [`send`](Self::send) also writes
            /// the queue. If the output is [full](crate::Config::max_output), `feed` writes, too. A server also
            /// writes a message of 16 KiB or more at once.
            ///
            /// A `recv` that already waits in another task does not write the queue. So with two halves in two tasks,
            /// end a batch with `send` or `flush`.
            ///
            /// # Errors
            ///
            /// Those of [`send`](Self::send).
            ///
            /// # Cancel safety
            ///
            /// If you drop the future while it waits, the message is not sent.
            pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
                self.handle().feed(message.into()).await
            }

            /// Like [`send`](Self::send), for a message that many connections send. It is encoded and compressed once.
            ///
            /// # Errors
            ///
            /// Those of [`send`](Self::send).
            ///
            /// # Cancel safety
            ///
            /// If you drop the future while it waits, the message is not sent.
            pub async fn send_shared(&mut self, message: &SharedMessage) -> Result<(), Error> {
                self.handle().send_shared(message).await
            }

            /// Like [`feed`](Self::feed), for a message that many connections send. It is encoded and compressed once.
            ///
            /// # Errors
            ///
            /// Those of [`send`](Self::send).
            ///
            /// # Cancel safety
            ///
            /// If you drop the future while it waits, the message is not sent.
            pub async fn feed_shared(&mut self, message: &SharedMessage) -> Result<(), Error> {
                self.handle().feed_shared(message).await
            }

            /// Begins a message that you send in parts, as [fragments](https://www.rfc-editor.org/rfc/rfc6455#section-5.4).
            ///
            /// Write to the [`MessageWriter`], and end the message with [`finish`](MessageWriter::finish).
            pub const fn send_stream(&mut self, kind: MessageType) -> MessageWriter<'_, S> {
                MessageWriter::new(self.handle(), kind)
            }

            /// Sends all bytes of `reader` as one message, in fragments of at most 16 KiB. Returns the number of bytes.
            ///
            /// It reads only as fast as the transport takes the fragments, so it needs little memory for any size.
            /// Afterwards it waits until everything is written. In a text message, what `reader` returns at once may
            /// end inside a character.
            ///
            /// # Errors
            ///
            /// The errors of `reader`, and the errors of [`send`](Self::send) as an [`std::io::Error`] that contains
            /// the [`Error`]. [`InvalidData`](std::io::ErrorKind::InvalidData) if the text of a text message is not
            /// UTF-8.
            ///
            /// # Cancel safety
            ///
            /// If you drop the future before the end of `reader`, or if `reader` fails, the message cannot be
            /// completed. So the connection is closed with code 1011. If nothing was read yet, nothing was sent, and
            /// the connection stays open.
            pub async fn send_from(
                &mut self,
                kind: MessageType,
                reader: impl AsyncRead,
            ) -> std::io::Result<u64> {
                self.send_stream(kind).copy(reader).await
            }

            /// Sends a Ping with a payload of at most 125 bytes (RFC 6455, section 5.5.2).
            ///
            /// Automatic Pings keep the connection alive, so few programs need this.
            ///
            /// # Errors
            ///
            /// [`Closed`](Error::Closed) as for [`send`](Self::send).
            /// [`ControlFrameTooLong`](crate::SendError::ControlFrameTooLong) if the payload is too long.
            ///
            /// # Cancel safety
            ///
            /// If you drop the future while it waits for room, the Ping is not sent.
            pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
                self.handle().ping(payload).await
            }

            /// Waits until all output is written to the transport. It does not read while it waits: see
            /// [`send`](Self::send).
            ///
            /// # Errors
            ///
            /// [`Closed`](Error::Closed) if the transport has ended before.
            ///
            /// # Cancel safety
            ///
            /// If you drop the future, later calls go on writing.
            pub async fn flush(&mut self) -> Result<(), Error> {
                self.handle().flush().await
            }
        }

        /// `poll_close` sends a Close frame with code 1000 and waits until it is written. Go on receiving afterwards,
        /// until the end of the stream.
        impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for $type<S> {
            type Error = Error;

            fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
                self.get_mut().handle().poll(cx, Driver::poll_room)
            }

            fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
                self.get_mut().handle().with(|driver| driver.feed(&message))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
                self.get_mut().handle().poll(cx, Driver::poll_flush)
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
                self.get_mut().handle().poll(cx, |driver, cx| {
                    driver.close(CloseCode::NORMAL, "")?;
                    driver.poll_flush(cx)
                })
            }
        }
    };
}

macro_rules! asking {
    ($type:ident) => {
        /// # Ask
        impl<S> $type<S> {
            /// Returns how the connection has ended, or `None` if it has not.
            #[must_use]
            pub fn close_event(&self) -> Option<CloseEvent> {
                self.ask(|connection| connection.close_event().map(CloseEvent::from))
            }

            /// Returns the round-trip time of the last answered automatic Ping. `None` before the first answer.
            #[must_use]
            pub fn round_trip_time(&self) -> Option<Duration> {
                self.ask(Connection::round_trip_time)
            }

            /// Returns how many bytes of output wait to be written.
            #[must_use]
            pub fn output_len(&self) -> usize {
                self.ask(Connection::output_len)
            }

            /// Whether messages can still be sent: neither side has sent a Close frame, and the transport works.
            #[must_use]
            pub fn can_send(&self) -> bool {
                self.ask(Connection::can_send)
            }
        }
    };
}

receiving!(WebSocket);
sending!(WebSocket);
asking!(WebSocket);
receiving!(Receiver);
asking!(Receiver);
sending!(Sender);
asking!(Sender);

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Closes the connection and waits for its end (RFC 6455, section 7.1.2). Drops the messages that still arrive.
    ///
    /// `reason` has at most 123 bytes. A longer one is cut. Unlike this method, [`Sender::close`] does not wait for the
    /// peer.
    ///
    /// # How long it takes
    ///
    /// Usually one round trip. If the peer does not answer, it takes [`Deadlines::close`](crate::Deadlines::close) and
    /// a second: 11 s by default. A peer that keeps sending messages extends this by up to
    /// [`max_extension`](crate::Deadlines::max_extension), 10 minutes by default. The [table of the
    /// deadlines](crate::Deadlines#what-a-slow-peer-can-hold) has the longest times. For a shorter time, call this in
    /// `tokio::time::timeout`, and drop the connection afterwards.
    ///
    /// # Errors
    ///
    /// [`Send`](Error::Send) if the code must not be sent (RFC 6455, section 7.4). The connection is then unchanged.
    /// Other errors are those of [`recv`](Self::recv): the connection has ended without a Close frame of the peer.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future while it waits, the Close frame is still sent by the next call. To see the end, go on
    /// with [`recv`](Self::recv).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.driver.close(code, reason)?;
        poll_fn(|cx| self.driver.poll_end(cx)).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// Sends a Close frame (RFC 6455, section 7.1.2), and waits until it is written or can no longer be written.
    ///
    /// Unlike [`WebSocket::close`], this does not wait for the peer. Call [`Receiver::recv`] at the same time, until it
    /// returns `Ok(None)` or an error.
    ///
    /// `reason` has at most 123 bytes. A longer one is cut.
    ///
    /// # Errors
    ///
    /// [`Send`](Error::Send) if the code must not be sent (RFC 6455, section 7.4). The connection is then unchanged.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future while it waits, the receiver still sends the Close frame.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.handle().with(|driver| driver.close(code, reason))?;
        // This write starts the close deadline, and wakes the receiver to wait for it.
        _ = self.flush().await;
        Ok(())
    }
}

impl<S> Receiver<S> {
    /// Returns the whole connection, if `sender` is the other half of it.
    ///
    /// # Errors
    ///
    /// Both halves, if they belong to different connections.
    pub fn reunite(self, sender: Sender<S>) -> Result<WebSocket<S>, (Self, Sender<S>)> {
        let ended = self.ended;
        match self.half.reunite(sender.0) {
            Ok(driver) => Ok(WebSocket { driver, ended }),
            Err((half, sender)) => Err((Self { half, ended }, Sender(sender))),
        }
    }

    const fn handle(&mut self) -> Handle<'_, S> {
        Handle::Half(&self.half)
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> T) -> T {
        question(self.half.lock().connection())
    }
}

impl<S> Sender<S> {
    const fn handle(&mut self) -> Handle<'_, S> {
        Handle::Half(&self.0)
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> T) -> T {
        question(self.0.lock().connection())
    }
}

impl<S> WebSocket<S> {
    fn ask<T>(&self, question: impl FnOnce(&Connection) -> T) -> T {
        question(self.driver.connection())
    }
}
