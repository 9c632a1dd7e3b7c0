//! One side with its loop, and a peer whose bytes arrive at known times.

use std::time::Duration;

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::test_util::{OwnedCloseEvent, OwnedEvent};
use sockless::{Config, Connection, Event, ReadBuffer, TransportAction};

use super::START;

/// The number of unread bytes that the transport holds.
const SOCKET_BUFFER: usize = 1 << 10;

/// One side of a connection in the loop of the guide. The test owns the transport and the clock.
pub(crate) struct Simulation {
    stage: Stage,
    options: ServerOptions<'static>,
    buffer: ReadBuffer,
    now: Duration,
    echoes: bool,
    pub(crate) peer_reads: bool,
    /// The output that the test has not taken.
    written: Vec<u8>,
    /// The bytes of the peer that are unread because the loop waits to write.
    sent: Vec<u8>,
    pub(crate) events: Vec<OwnedEvent>,
    pub(crate) shut_down: Option<Duration>,
    pub(crate) closed: Option<Duration>,
    turns: usize,
}

enum Stage {
    Opening(ServerHandshake),
    Open(Connection),
}

impl Simulation {
    /// Makes a server before the opening handshake.
    pub(crate) fn server(config: Config) -> Self {
        let handshake = ServerHandshake::new(&config);
        let options = ServerOptions::new().with_config(config);
        Self::new(Stage::Opening(handshake), options)
    }

    /// Makes a side after the opening handshake.
    pub(crate) fn opened(connection: Connection) -> Self {
        Self::new(Stage::Open(connection), ServerOptions::default())
    }

    fn new(stage: Stage, options: ServerOptions<'static>) -> Self {
        let mut simulation = Self {
            stage,
            options,
            buffer: ReadBuffer::new(),
            now: START,
            echoes: false,
            peer_reads: true,
            written: Vec::new(),
            sent: Vec::new(),
            events: Vec::new(),
            shut_down: None,
            closed: None,
            turns: 0,
        };
        simulation.turn();
        simulation
    }

    /// Echoes every message from now on, and does not record it.
    pub(crate) fn echo(mut self) -> Self {
        self.echoes = true;
        self
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        match &mut self.stage {
            Stage::Opening(_) => panic!("the opening handshake is not over"),
            Stage::Open(connection) => connection,
        }
    }

    /// Acts as the application, then runs the loop.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut Connection) -> T) -> T {
        let result = act(self.connection());
        self.turn();
        result
    }

    /// The peer sends these bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if self.closed.is_none() {
            self.sent.extend_from_slice(bytes);
            self.turn();
        }
    }

    /// The peer ends the stream.
    pub(crate) fn end_stream(&mut self) {
        self.connection().handle_eof();
        self.turn();
    }

    /// Lets this much time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.closed.is_none()
            && let Some(next) = self.timeout_at()
            && next <= end
        {
            self.now = self.now.max(next);
            self.turn();
        }
        self.now = end;
    }

    /// The peer sends `bytes` every second, for at most an hour. Returns when the transport was closed.
    pub(crate) fn trickle(&mut self, bytes: &[u8]) -> Option<Duration> {
        for _ in 0..3600 {
            if self.closed.is_some() {
                break;
            }
            self.pass(Duration::from_secs(1));
            self.send(bytes);
        }
        self.closed()
    }

    /// The peer is silent for an hour. Returns when the transport was closed.
    pub(crate) fn silence(&mut self) -> Option<Duration> {
        self.pass(Duration::from_secs(3600));
        self.closed()
    }

    /// Returns when the transport was closed, from the start.
    pub(crate) fn closed(&self) -> Option<Duration> {
        self.closed.map(|at| at - START)
    }

    /// Takes the output since the last call.
    pub(crate) fn written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    /// Returns the number of unread bytes in the buffer.
    pub(crate) fn unread(&self) -> usize {
        self.buffer.unread().len()
    }

    pub(crate) fn close_event(&mut self) -> Option<OwnedCloseEvent> {
        self.connection().close_event().map(OwnedCloseEvent::from)
    }

    pub(crate) fn timeout_at(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Opening(handshake) => handshake.timeout_at(),
            Stage::Open(connection) => connection.timeout_at(),
        }
    }

    /// Runs the loop until its next wait, when no deadline has passed.
    fn turn(&mut self) {
        loop {
            self.turns += 1;
            assert!(self.turns < 100_000, "a loop without end");
            self.read();
            match &mut self.stage {
                Stage::Opening(_) => self.open(),
                Stage::Open(_) => self.go_on(),
            }
            if self.closed.is_some() || self.timeout_at().is_none_or(|next| next > self.now) {
                return;
            }
        }
    }

    /// A loop that cannot write does not read. So a peer that does not read must wait.
    fn read(&mut self) {
        let waits = matches!(&self.stage, Stage::Open(connection) if !connection.has_room());
        if !waits {
            self.buffer
                .extend_from_slice(&std::mem::take(&mut self.sent));
        }
    }

    fn open(&mut self) {
        let Stage::Opening(handshake) = &mut self.stage else {
            return;
        };
        if let Some(connection) = handshake.accept(&mut self.buffer, &self.options, self.now) {
            self.stage = Stage::Open(connection);
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        let Stage::Open(connection) = &mut self.stage else {
            return;
        };
        while connection.has_room()
            && let Ok(Some(event)) = connection.next_event(&mut self.buffer)
        {
            match event {
                Event::Text { text, .. } if self.echoes => connection.send_text(text).unwrap(),
                Event::Binary { data, .. } if self.echoes => connection.send_binary(data).unwrap(),
                event => self.events.push(event.into()),
            }
        }
        connection.handle_timeout(self.now);
        let room = if self.peer_reads {
            usize::MAX
        } else {
            SOCKET_BUFFER.saturating_sub(self.written.len())
        };
        let output = connection.output_parts().collect::<Vec<_>>().concat();
        let n = output.len().min(room);
        self.written.extend_from_slice(&output[..n]);
        connection.advance_output(n);
        match connection.transport_action() {
            TransportAction::Write => assert!(!connection.output().is_empty()),
            TransportAction::Wait => {}
            TransportAction::ShutdownWrite => {
                self.shut_down.get_or_insert(self.now);
            }
            TransportAction::Close => {
                assert_eq!(connection.timeout_at(), None);
                self.closed.get_or_insert(self.now);
            }
            other => panic!("{other:?}"),
        }
    }
}
