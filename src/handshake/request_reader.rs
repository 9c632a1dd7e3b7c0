//! A server's wait for the client's opening handshake (RFC 6455 section 4.2.1).

use core::time::Duration;

use crate::config::Config;
use crate::handshake::request::Request;
use crate::handshake::request_error::RequestError;
use crate::read_buffer::ReadBuffer;
use crate::timers::Timer;

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
/// let error = reader.handle_timeout(Duration::from_secs(110)).unwrap_err();
/// assert_eq!(error, RequestError::Timeout);
/// let connection = Connection::refused(error.response(), &config);
/// assert!(connection.output().starts_with(b"HTTP/1.1 408 "));
/// ```
#[derive(Clone, Debug)]
pub struct RequestReader {
    config: Config,
    timer: Timer,
    /// An error is final.
    failed: Option<RequestError>,
}

impl RequestReader {
    /// A reader that keeps to the limits and the deadline of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            config: *config,
            timer: Timer::of_handshake(config.deadlines),
            failed: None,
        }
    }

    /// Reads a request head, or `None` if it has not all come yet: see [`Request::read`].
    ///
    /// Call it after every read, and before [`handle_timeout`](Self::handle_timeout): what has come is not late. With the
    /// request the deadline is over, and so is the reader's part.
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
        let request =
            Request::read(buffer, &self.config).inspect_err(|error| self.failed = Some(*error))?;
        if request.is_some() {
            self.timer.stop();
        }
        Ok(request)
    }

    /// Tells the time, as a [`Duration`] since an origin of the caller's choice: the one that
    /// [`Connection::handle_timeout`](crate::Connection::handle_timeout) then counts from.
    ///
    /// # Errors
    ///
    /// [`RequestError::Timeout`] when the deadline has passed, and what [`read`](Self::read) failed with before.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), RequestError> {
        if self.failed.is_none() && self.timer.is_due(now) {
            self.failed = Some(RequestError::Timeout);
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, or `None` if there is no deadline, it has passed, or the
    /// request has come.
    ///
    /// At first it is [`Duration::ZERO`], which is in the past: the deadline counts from the first time that is told.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        match self.failed {
            None => self.timer.next(),
            Some(_) => None,
        }
    }
}
