//! What the loop asks of an application.

use std::collections::VecDeque;

use sockless::handshake::{Request, RequestError};
use sockless::{CloseCode, CloseEvent, Connection, Event, SharedMessage};

/// A client, from its request to the end of its transport. Later ones may get the number again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub usize);

/// What happens with the connections.
pub trait Application {
    /// A request came: a connection, which is a [refused](Connection::refused) one for any other answer, such as a page.
    ///
    /// # Errors
    ///
    /// Why the request is refused, which tells the client.
    fn request(
        &mut self,
        client: ClientId,
        request: &Request<'_>,
    ) -> Result<Connection, RequestError>;

    /// The connection is open: say hello.
    fn opened(&mut self, _client: ClientId, _connection: &mut Connection, _outbox: &mut Outbox) {}

    /// Something came from the client. While the connection is open there is room for an answer in its output. What goes to
    /// others goes into the outbox.
    ///
    /// A client that does not read its output is not read from. Nobody waits for the output of others.
    fn event(
        &mut self,
        client: ClientId,
        connection: &mut Connection,
        event: Event<'_>,
        outbox: &mut Outbox,
    );

    /// The client is gone; told once for every client whose connection was opened.
    fn closed(&mut self, _client: ClientId, _ending: Option<CloseEvent<'_>>, _outbox: &mut Outbox) {
    }
}

/// How many deliveries may wait before no more events are taken. One event may add any number of them.
const FULL: usize = 1024;

/// What an application wants to go to other clients than the one it is just dealing with.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<(ClientId, Delivery)>);

/// What goes to another client.
#[derive(Debug)]
pub(crate) enum Delivery {
    Message(SharedMessage),
    Close(CloseCode, &'static str),
}

impl Outbox {
    /// Sends a message to a client. Who does not read what was sent before, so that there is no room, is closed with
    /// 1008 instead.
    pub fn send(&mut self, client: ClientId, message: &SharedMessage) {
        let message = Delivery::Message(message.clone());
        self.0.push_back((client, message));
    }

    /// Closes the connection to a client.
    pub fn close(&mut self, client: ClientId, code: CloseCode, reason: &'static str) {
        self.0.push_back((client, Delivery::Close(code, reason)));
    }

    /// Whether everything was delivered.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether what is in it should be delivered before an application is asked for more.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= FULL
    }

    /// Takes what was put in first.
    pub(crate) fn take(&mut self) -> Option<(ClientId, Delivery)> {
        self.0.pop_front()
    }
}
