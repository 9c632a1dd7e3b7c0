//! The trait that an application implements, and messages between clients.

use std::collections::VecDeque;

use sockless::handshake::{Request, RequestError};
use sockless::{CloseCode, CloseEvent, Connection, Event, SharedMessage};

/// A client, from its request to the end of its transport. A later client may get the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub usize);

/// What an application does with its connections.
pub trait Application {
    /// Answers a request. To answer with a page, return a [refused](Connection::refused) connection.
    ///
    /// # Errors
    ///
    /// Why the request is refused. The loop sends the refusal to the client.
    fn request(
        &mut self,
        client: ClientId,
        request: &Request<'_>,
    ) -> Result<Connection, RequestError>;

    /// The connection is open. An application may send a greeting here.
    fn opened(&mut self, _client: ClientId, _connection: &mut Connection, _outbox: &mut Outbox) {}

    /// The client sent something. While the connection is open, its output has room for an answer. Messages to other
    /// clients go into the outbox.
    ///
    /// The loop does not read from a client that does not read its output. Such a client does not delay others.
    fn event(
        &mut self,
        client: ClientId,
        connection: &mut Connection,
        event: Event<'_>,
        outbox: &mut Outbox,
    );

    /// The client is gone. The loop calls this once for every client whose connection was open.
    fn closed(&mut self, _client: ClientId, _ending: Option<CloseEvent<'_>>, _outbox: &mut Outbox) {
    }
}

/// The number of deliveries in the outbox at which the loop stops taking events. One event may add any number.
const FULL: usize = 1024;

/// What an application sends to other clients than the current one.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<(ClientId, Delivery)>);

/// What another client gets.
#[derive(Debug)]
pub(crate) enum Delivery {
    Message(SharedMessage),
    Close(CloseCode, &'static str),
}

impl Outbox {
    /// Sends a message to a client. If the client's output has no room because the client does not read, the loop
    /// closes the connection with 1008 instead.
    pub fn send(&mut self, client: ClientId, message: &SharedMessage) {
        let message = Delivery::Message(message.clone());
        self.0.push_back((client, message));
    }

    /// Closes the connection to a client.
    pub fn close(&mut self, client: ClientId, code: CloseCode, reason: &'static str) {
        self.0.push_back((client, Delivery::Close(code, reason)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the loop must deliver before it takes more events.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= FULL
    }

    /// Takes the oldest delivery.
    pub(crate) fn take(&mut self) -> Option<(ClientId, Delivery)> {
        self.0.pop_front()
    }
}
