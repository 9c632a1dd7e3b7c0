//! Connections in memory: one peer, or two that talk to each other.

use sockless::{Config, Connection, ProtocolError, ReadBuffer, Seed};

use super::{Ending, Owned};

/// Which side of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub(crate) fn connection(self, config: Config) -> Connection {
        match self {
            Self::Client => Connection::client(config, Seed::new([7; 32])),
            Self::Server => Connection::server(config),
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A connection with its buffer, and what it has received so far.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) connection: Connection,
    pub(crate) buffer: ReadBuffer,
    pub(crate) events: Vec<Owned>,
    pub(crate) error: Option<ProtocolError>,
}

impl Peer {
    pub(crate) fn new(side: Side, config: Config) -> Self {
        Self::with(side.connection(config), ReadBuffer::new())
    }

    /// A peer after an opening handshake, which may have left bytes in the buffer.
    pub(crate) fn with(connection: Connection, buffer: ReadBuffer) -> Self {
        Self {
            connection,
            buffer,
            events: Vec::new(),
            error: None,
        }
    }

    /// Takes in bytes and all events that they complete.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let spare = self.buffer.spare_mut(bytes.len());
        spare[..bytes.len()].copy_from_slice(bytes);
        self.buffer.advance(bytes.len());
        self.take_events();
    }

    /// Takes all events. An error must repeat itself, and nothing may come after it or after a Close.
    pub(crate) fn take_events(&mut self) {
        loop {
            match (self.connection.next_event(&mut self.buffer), self.error) {
                (Ok(Some(event)), None) => {
                    assert!(
                        !matches!(self.events.last(), Some(Owned::Close(..))),
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
    pub(crate) fn events(&mut self) -> Vec<Owned> {
        std::mem::take(&mut self.events)
    }

    /// Writes all output, which is returned.
    pub(crate) fn write_all(&mut self) -> Vec<u8> {
        let output = self.connection.output().to_vec();
        self.connection.advance_output(output.len());
        output
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.connection.close_event().map(Ending::from)
    }
}

/// A client and a server, connected by memory.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: Peer,
    pub(crate) server: Peer,
}

impl Pair {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            client: Peer::new(Side::Client, config),
            server: Peer::new(Side::Server, config),
        }
    }

    pub(crate) fn peer(&mut self, side: Side) -> &mut Peer {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Moves the output of both to the other, in pieces of the given sizes, until there is none.
    pub(crate) fn exchange(&mut self, sizes: &mut impl Iterator<Item = usize>) {
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
    let output = from.connection.output();
    let piece = output[..output.len().min(size)].to_vec();
    to.receive(&piece);
    from.connection.advance_output(piece.len());
}
