//! The two stages of a server's connection: first the opening handshake, then the WebSocket connection. This file needs
//! no standard library.

use core::time::Duration;

use sockless::handshake::{Request, RequestError, ServerHandshake};
use sockless::{Config, Connection, Event, ReadBuffer};

pub(crate) enum Stage {
    /// The request is not complete.
    Handshake(ServerHandshake),
    /// The connection is open or refused. A loop drives both in the same way.
    Connection(Connection),
}

impl Stage {
    pub(crate) fn new(config: &Config) -> Self {
        Self::Handshake(ServerHandshake::new(config))
    }

    /// Answers the request with `answer`, if it is complete. Refuses a wrong request.
    pub(crate) fn read_request(
        &mut self,
        buffer: &mut ReadBuffer,
        config: &Config,
        answer: impl FnOnce(&Request<'_>) -> Result<Connection, RequestError>,
    ) {
        let Self::Handshake(handshake) = self else {
            return;
        };
        let answered = match handshake.read_request(buffer) {
            Ok(None) => return,
            Ok(Some(request)) => answer(&request),
            Err(error) => Err(error),
        };
        *self = Self::Connection(answered.unwrap_or_else(|error| error.refuse(config)));
    }

    /// Takes events while the output has room for answers. A peer that does not read the answers must wait.
    ///
    /// Returns whether it took all events.
    pub(crate) fn take_events(
        &mut self,
        buffer: &mut ReadBuffer,
        mut take: impl FnMut(&mut Connection, Event<'_>),
    ) -> bool {
        let Self::Connection(connection) = self else {
            return true;
        };
        while connection.has_room() {
            let Ok(Some(event)) = connection.next_event(buffer) else {
                return true;
            };
            take(connection, event);
        }
        false
    }

    /// Passes the time. First read everything that has arrived. Otherwise it may count as late.
    pub(crate) fn handle_timeout(&mut self, now: Duration, config: &Config) {
        match self {
            Self::Handshake(handshake) => {
                if let Err(error) = handshake.handle_timeout(now) {
                    *self = Self::Connection(error.refuse(config));
                }
            }
            Self::Connection(connection) => connection.handle_timeout(now),
        }
    }

    /// Reports with `report` that the transport delivers nothing more.
    pub(crate) fn end(&mut self, report: impl FnOnce(&mut Connection)) {
        if let Self::Handshake(_) = self {
            // The request stays incomplete, so there is nothing to answer.
            *self = Self::Connection(Connection::refused([].into(), &Config::new()));
        }
        self.connection_mut().map(report);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(crate) fn timeout_at(&self) -> Option<Duration> {
        match self {
            Self::Handshake(handshake) => handshake.timeout_at(),
            Self::Connection(connection) => connection.timeout_at(),
        }
    }

    /// Whether the output has room for answers.
    pub(crate) fn has_room(&self) -> bool {
        self.connection().is_none_or(Connection::has_room)
    }

    /// Whether to read: the peer may send more, and the output has room for answers.
    pub(crate) fn wants_read(&self) -> bool {
        self.connection().is_none_or(Connection::wants_read) && self.has_room()
    }

    /// The connection, after the opening handshake.
    pub(crate) const fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Handshake(_) => None,
            Self::Connection(connection) => Some(connection),
        }
    }

    /// The connection, after the opening handshake.
    pub(crate) const fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Handshake(_) => None,
            Self::Connection(connection) => Some(connection),
        }
    }
}
