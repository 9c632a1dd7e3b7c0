//! Connections in memory: one peer, or two that talk to each other.

use std::vec::Vec;

use crate::test_util::{OwnedCloseEvent, OwnedEvent, Role};
use crate::{Config, Connection, ProtocolError, ReadBuffer, Seed};

impl Role {
    /// Both roles.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// A connection after the opening handshake. A client's masking keys are the same every time.
    #[must_use]
    pub fn connection(self, config: &Config) -> Connection {
        match self {
            Self::Client => Connection::client(config, Seed::new([7; 32])),
            Self::Server => Connection::server(config),
        }
    }

    /// The peer of this role.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A connection with its buffer, and what it has received so far.
#[derive(Debug)]
#[non_exhaustive]
pub struct Peer {
    /// The connection.
    pub connection: Connection,
    /// What it has not consumed yet.
    pub buffer: ReadBuffer,
    /// What it has received.
    pub events: Vec<OwnedEvent>,
    /// Why it failed.
    pub error: Option<ProtocolError>,
}

impl Peer {
    /// A peer after an opening handshake that agreed on no extension: see [`Role::connection`]. For others, take what
    /// both handshakes make of each other, with [`with`](Self::with).
    #[must_use]
    pub fn new(role: Role, config: &Config) -> Self {
        Self::with(role.connection(config), ReadBuffer::new())
    }

    /// A peer after an opening handshake, which may have left bytes in the buffer.
    #[must_use]
    pub fn with(connection: Connection, buffer: ReadBuffer) -> Self {
        Self {
            connection,
            buffer,
            events: Vec::new(),
            error: None,
        }
    }

    /// Takes in bytes and all events that they complete.
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

    /// The events since this was last called.
    #[must_use]
    pub fn events(&mut self) -> Vec<OwnedEvent> {
        core::mem::take(&mut self.events)
    }

    /// Writes all output, which is returned.
    pub fn write_all(&mut self) -> Vec<u8> {
        let output: Vec<_> = self.connection.output_parts().collect();
        let output = output.concat();
        self.connection.advance_output(output.len());
        output
    }

    /// How the connection has ended, if it has.
    #[must_use]
    pub fn close_event(&self) -> Option<OwnedCloseEvent> {
        self.connection.close_event().map(OwnedCloseEvent::from)
    }
}

/// A client and a server, connected by memory.
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
    /// Both after an opening handshake that agreed on no extension, whatever the configuration, which is the same.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            client: Peer::new(Role::Client, config),
            server: Peer::new(Role::Server, config),
        }
    }

    /// One of the two.
    pub const fn peer(&mut self, role: Role) -> &mut Peer {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Moves the output of both to the other, in pieces of the given sizes, until there is none.
    ///
    /// A size of 0 counts as 1; when `sizes` ends, the rest goes whole.
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
