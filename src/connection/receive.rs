//! The receiving half of a connection's interface (RFC 6455 sections 5.4, 5.5 and 6.2).

use crate::close::CloseFrame;
use crate::closing::State;
use crate::config::{Delivery, Reply};
use crate::connection::Connection;
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::MessageType;
use crate::read_buffer::ReadBuffer;
use crate::receiver::Received;
use crate::utf8;

/// # Receiving
///
/// Bytes from the transport come in a [`ReadBuffer`], events go out.
impl Connection {
    /// The next event in `buffer`, or `None` if it needs more bytes.
    ///
    /// Call it until it returns `None` after every read. It looks no further than the frame that completes
    /// the event. The event borrows the buffer and not the connection, so the application can answer
    /// while it holds it.
    ///
    /// What was received is delivered even after [`handle_eof`](Self::handle_eof),
    /// [`handle_reset`](Self::handle_reset) or [`handle_write_error`](Self::handle_write_error). After the peer's Close frame
    /// it drops what is in the buffer and returns `None`.
    ///
    /// # Errors
    ///
    /// When the peer breaks the protocol. The connection has failed (RFC 6455 section 7.1.7): every
    /// further call returns the same error, and a Close frame with its code and a short reason is in the
    /// output, unless this side had sent one before. Write it, then follow
    /// [`transport_action`](Self::transport_action). While that has the transport open, go on reading and
    /// calling: what comes is dropped, and the peer's Close frame, when it comes, is the end.
    #[expect(
        clippy::inline_always,
        reason = "in the caller's loop the event need not go through memory"
    )]
    #[inline(always)]
    pub fn next_event<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        // A whole message in one frame has a short way of its own.
        if self.takes_messages()
            && let Some((kind, header)) = self.receiver.whole_message(buffer)
        {
            self.received = true;
            let data = self.receiver.take_whole(header, buffer);
            return match kind {
                MessageType::Binary => Ok(Some(Event::Binary { data, fin: true })),
                MessageType::Text => match utf8::text(data) {
                    Ok(text) => Ok(Some(Event::Text { text, fin: true })),
                    Err(error) => self.wrong_text(data, error).map(Some),
                },
            };
        }
        self.next_in_parts(buffer)
    }

    /// Whether neither side has sent a Close frame, and no error is to be reported next.
    #[inline]
    const fn takes_messages(&self) -> bool {
        self.closing.is_open() && self.overdue.is_none()
    }

    /// The next event, however many frames and calls it takes.
    #[inline(never)]
    fn next_in_parts<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        match self.closing.state() {
            State::Open | State::Closing | State::Ended => {}
            State::PeerClosing | State::Closed | State::Refused => {
                // Section 5.5.1: what follows a Close frame is no part of the connection.
                buffer.clear();
                return Ok(None);
            }
            State::Failed(error) => {
                if let Some(close) = self.receiver.discard(buffer) {
                    self.closing.record(close);
                }
                return Err(error);
            }
        }
        if let Some(error) = self.overdue.take() {
            return Err(self.fail(error));
        }
        let received = self.receiver.next(buffer);
        self.received |= self.receiver.take_progress();
        match received {
            Ok(None) => {
                if !self.closing.may_deliver() {
                    // What is left will never be whole, or follows a Close frame.
                    buffer.clear();
                    self.receiver.end();
                }
                Ok(None)
            }
            Ok(Some(received)) => self.deliver(received, buffer).map(Some),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Turns a place in the buffer into an event, and answers it.
    fn deliver<'b>(
        &mut self,
        received: Received,
        buffer: &'b ReadBuffer,
    ) -> Result<Event<'b>, ProtocolError> {
        Ok(match received {
            Received::Text(store, span, fin) => self.text(buffer.slice_in(store, span), fin)?,
            Received::Binary(store, span, fin) => Event::Binary {
                data: buffer.slice_in(store, span),
                fin,
            },
            Received::JoinedText => Event::Text {
                text: buffer.joined_text(),
                fin: true,
            },
            Received::Ping(span) => {
                let payload = buffer.slice(span);
                self.answer_ping(payload);
                Event::Ping(payload)
            }
            Received::Pong(span) => {
                let payload = buffer.slice(span);
                self.note_pong(payload);
                Event::Pong(payload)
            }
            Received::Close(span) => {
                let close =
                    CloseFrame::parse(buffer.slice(span)).map_err(|error| self.fail(error))?;
                self.answer_close(close);
                Event::Close(close)
            }
        })
    }

    fn text<'b>(&mut self, bytes: &'b [u8], fin: bool) -> Result<Event<'b>, ProtocolError> {
        match utf8::text(bytes) {
            Ok(text) => Ok(Event::Text { text, fin }),
            Err(error) => self.wrong_text(bytes, error),
        }
    }

    /// Of a bad chunk the good part comes first, so that what is delivered does not depend on how the stream
    /// was cut.
    #[cold]
    fn wrong_text<'b>(
        &mut self,
        bytes: &'b [u8],
        error: ProtocolError,
    ) -> Result<Event<'b>, ProtocolError> {
        let good = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        if self.delivery == Delivery::Messages || good.is_empty() {
            return Err(self.fail(error));
        }
        self.overdue = Some(error);
        Ok(Event::Text {
            text: good,
            fin: false,
        })
    }

    /// Section 5.5.1: a Close frame is answered with one, usually with the same code.
    fn answer_close(&mut self, close: CloseFrame<'_>) {
        self.closing.received(close);
        // Section 5.5.1: no message follows.
        self.receiver.end();
        if self.close == Reply::Automatic && self.closing.state() == State::PeerClosing {
            // What parsed may also be sent, so this is never refused.
            _ = self.close(close.code, "");
        }
    }

    /// Section 7.1.7: fails the connection, with a Close frame unless one was sent.
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        if self.closing.state() == State::Open {
            // All of these codes may be sent, so this is never refused.
            _ = self.close(error.close_code(), error.reason());
        }
        self.closing.failed(error);
        self.receiver.failed(error);
        error
    }
}
