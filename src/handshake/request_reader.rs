//! A server's wait for the client's opening handshake (RFC 6455 section 4.2.1).

use core::time::Duration;

use crate::connection::{Config, HandshakeDeadline, ReadBuffer};
use crate::handshake::request::Request;
use crate::handshake::request_error::RequestError;

/// Reads the request of one client, and no longer than [`Deadlines::handshake`](crate::Deadlines::handshake).
///
/// It is [`Request::read`] with a deadline. Where there is none the two are the same.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use sockless::{Config, Connection, Deadlines, ReadBuffer};
/// use sockless::handshake::{RequestError, RequestReader};
///
/// let mut config = Config::default();
/// config.deadlines = Some(Deadlines::default());
///
/// let mut reader = RequestReader::new(&config);
/// let mut buffer = ReadBuffer::new();
/// buffer.extend_from_slice(b"GET / HTTP/1.1\r\nHo"); // and nothing more
/// assert_eq!(reader.read(&mut buffer), Ok(None));
///
/// assert_eq!(reader.handle_timeout(Duration::from_secs(100)), Ok(()));
/// assert_eq!(reader.next_timeout(), Some(Duration::from_secs(110)));
///
/// // The deadline has passed. What arrived in time may still be unread, so look once more.
/// assert_eq!(reader.handle_timeout(Duration::from_secs(110)), Ok(()));
/// assert_eq!(reader.next_timeout(), Some(Duration::ZERO));
/// let error = reader.handle_timeout(Duration::from_secs(110)).unwrap_err();
/// assert_eq!(error, RequestError::Timeout);
/// let connection = Connection::refused(error.response(), &config);
/// assert!(connection.output().starts_with(b"HTTP/1.1 408 "));
/// ```
#[derive(Clone, Debug)]
pub struct RequestReader {
    config: Config,
    deadline: HandshakeDeadline,
    /// An error is final.
    failed: Option<RequestError>,
}

impl RequestReader {
    /// A reader that keeps to the limits and the deadline of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            config: *config,
            deadline: HandshakeDeadline::new(config.deadlines),
            failed: None,
        }
    }

    /// Reads a request head, or `None` if it has not all come yet: see [`Request::read`].
    ///
    /// Call it after every read, and before [`handle_timeout`](Self::handle_timeout). With the request the deadline is over,
    /// and so is the reader's part.
    ///
    /// # Errors
    ///
    /// As of [`Request::read`], and [`RequestError::Timeout`]; every further call returns the same error. Give
    /// its response to [`Connection::refused`](crate::Connection::refused).
    pub fn read<'b>(
        &mut self,
        buffer: &'b mut ReadBuffer,
    ) -> Result<Option<Request<'b>>, RequestError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let before = Request::skip_empty_lines(buffer);
        self.deadline.received(buffer.unread().len(), before);
        let request =
            Request::read(buffer, &self.config).inspect_err(|error| self.failed = Some(*error))?;
        if request.is_some() {
            self.deadline.stop();
        }
        Ok(request)
    }

    /// Passes the time, as a [`Duration`] since an origin of your choice. Use the same origin for
    /// [`Connection::handle_timeout`](crate::Connection::handle_timeout) later.
    ///
    /// A deadline that passes is no error at once, since the request may have arrived in time and still be unread. It makes
    /// [`next_timeout`](Self::next_timeout) zero: read what there is without waiting, call [`read`](Self::read), then this
    /// again. An earlier time counts as the latest so far.
    ///
    /// # Errors
    ///
    /// [`RequestError::Timeout`] when the deadline has passed and nothing came in that last turn, and what
    /// [`read`](Self::read) failed with before.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), RequestError> {
        if self.failed.is_none() && self.deadline.expired(now) {
            self.failed = Some(RequestError::Timeout);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is no deadline, the request has come,
    /// or it has failed.
    ///
    /// It is [`Duration::ZERO`], which is in the past, at first (the deadline counts from the first time that you pass), and
    /// when the deadline has passed and you have one more turn to read.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        match self.failed {
            None => self.deadline.next(),
            Some(_) => None,
        }
    }
}
