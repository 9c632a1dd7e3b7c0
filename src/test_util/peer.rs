//! Connections in memory: a single peer, or a pair.

use std::vec::Vec;

use crate::test_util::{OwnedCloseEvent, OwnedEvent, Role};
use crate::{Config, Connection, ProtocolError, ReadBuffer, Seed};

impl Role {
    /// Both roles.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// Makes a connection after the opening handshake. A client always uses the same seed.
    #[must_use]
    pub fn connection(self, config: &Config) -> Connection {
        match self {
            Self::Client => Connection::client(config, Seed::new([7; 32])),
            Self::Server => Connection::server(config),
        }
    }

    /// Returns the role of the peer.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A connection with its read buffer and everything that it has received.
#[derive(Debug)]
#[non_exhaustive]
pub struct Peer {
    /// The connection.
    pub connection: Connection,
    /// Its read buffer.
    pub buffer: ReadBuffer,
    /// The events that it has received.
    pub events: Vec<OwnedEvent>,
    /// The violation that it found.
    pub error: Option<ProtocolError>,
}

impl Peer {
    /// Makes a peer after an opening handshake without extensions: see [`Role::connection`]. For other handshakes use
    /// [`with`](Self::with).
    #[must_use]
    pub fn new(role: Role, config: &Config) -> Self {
        Self::with(role.connection(config), ReadBuffer::new())
    }

    /// Makes a peer from the results of an opening handshake, which may have left bytes in the buffer.
    #[must_use]
    pub fn with(connection: Connection, buffer: ReadBuffer) -> Self {
        Self {
            connection,
            buffer,
            events: Vec::new(),
            error: None,
        }
    }

    /// Adds bytes to the buffer and takes all events.
    ///
    /// # Panics
    ///
    /// If the connection breaks its promises: see [`take_events`](Self::take_events).
    pub fn receive(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.take_events();
    }

    /// Takes all events.
    ///
    /// # Panics
    ///
    /// If an error does not repeat itself, or an event follows an error or a Close frame.
    pub fn take_events(&mut self) {
        loop {
            match (self.connection.next_event(&mut self.buffer), self.error) {
                (Ok(Some(event)), None) => {
                    assert!(
                        !matches!(self.events.last(), Some(OwnedEvent::Close(..))),
                        "{event:?} after a Close"
                    );
                    self.events.push(event.into());
                }
                (Ok(None), None) => return,
                (Err(error), None) => self.error = Some(error),
                (again, Some(error)) => {
                    assert_eq!(again, Err(error), "an error is final");
                    return;
                }
            }
        }
    }

    /// Returns the events since the last call.
    #[must_use]
    pub fn events(&mut self) -> Vec<OwnedEvent> {
        core::mem::take(&mut self.events)
    }

    /// Takes all output and returns it.
    pub fn write_all(&mut self) -> Vec<u8> {
        let output: Vec<_> = self.connection.output_parts().collect();
        let output = output.concat();
        self.connection.advance_output(output.len());
        output
    }

    /// Returns how the connection ended, or `None` if it has not.
    #[must_use]
    pub fn close_event(&self) -> Option<OwnedCloseEvent> {
        self.connection.close_event().map(OwnedCloseEvent::from)
    }
}

/// A client and a server that are connected in memory.
///
/// # Example
///
/// ```
/// use sockless::Config;
/// use sockless::test_util::{OwnedEvent, Pair};
///
/// let mut pair = Pair::new(&Config::default());
/// pair.client.connection.send_text("Hello")?;
/// pair.exchange(&mut std::iter::repeat(1)); // a byte at a time
/// assert_eq!(pair.server.events(), [OwnedEvent::text("Hello")]);
/// # Ok::<(), sockless::SendError>(())
/// ```
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a pair has two sides")]
pub struct Pair {
    /// The client.
    pub client: Peer,
    /// The server.
    pub server: Peer,
}

impl Pair {
    /// Makes both with the same configuration, after an opening handshake without extensions.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            client: Peer::new(Role::Client, config),
            server: Peer::new(Role::Server, config),
        }
    }

    /// Returns one of the two.
    pub const fn peer(&mut self, role: Role) -> &mut Peer {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Moves the output of each side to the other, in pieces of the given sizes, until no output is left.
    ///
    /// A size of 0 counts as 1. When `sizes` ends, the rest moves as one piece.
    ///
    /// # Panics
    ///
    /// If a connection breaks its promises: see [`Peer::take_events`].
    pub fn exchange(&mut self, sizes: &mut impl Iterator<Item = usize>) {
        while !self.client.connection.output().is_empty()
            || !self.server.connection.output().is_empty()
        {
            transfer(&mut self.client, &mut self.server, sizes);
            transfer(&mut self.server, &mut self.client, sizes);
        }
    }
}

fn transfer(from: &mut Peer, to: &mut Peer, sizes: &mut impl Iterator<Item = usize>) {
    let size = sizes.next().unwrap_or(usize::MAX).max(1);
    let mut pieces = from.connection.output().chunks(size);
    let piece = pieces.next().unwrap_or_default();
    to.receive(piece);
    let written = piece.len();
    from.connection.advance_output(written);
}
