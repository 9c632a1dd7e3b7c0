//! One side with its loop, and a peer of which every byte comes at a known time.

use std::time::Duration;

use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::test_util::{OwnedCloseEvent, OwnedEvent};
use sockless::{Config, Connection, Event, ReadBuffer, TransportAction};

use super::START;

/// How much the transport takes that the peer does not read.
const SOCKET_BUFFER: usize = 1 << 10;

/// A side of a connection in the loop that the docs describe, with a transport and a clock that the test holds.
pub(crate) struct Simulation {
    stage: Stage,
    options: ServerOptions<'static>,
    buffer: ReadBuffer,
    now: Duration,
    echoes: bool,
    pub(crate) peer_reads: bool,
    /// What was written and the peer has not looked at.
    written: Vec<u8>,
    /// What the peer sent and was not read, because the loop waited to write.
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
    /// A server that has accepted a transport.
    pub(crate) fn server(config: Config) -> Self {
        let handshake = ServerHandshake::new(&config);
        let options = ServerOptions::new().with_config(config);
        Self::new(Stage::Opening(handshake), options)
    }

    /// After an opening handshake.
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

    /// Sends every message back from now on, and remembers none.
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

    /// Acts on the connection as the application, then goes round once.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut Connection) -> T) -> T {
        let result = act(self.connection());
        self.turn();
        result
    }

    /// The peer sends something.
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

    /// Lets so much time pass.
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

    /// Sends `bytes` again every second until the transport is closed, an hour at most; when it was.
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

    /// When the transport was closed, of an hour of silence.
    pub(crate) fn silence(&mut self) -> Option<Duration> {
        self.pass(Duration::from_secs(3600));
        self.closed()
    }

    /// When the transport was closed, from the beginning.
    pub(crate) fn closed(&self) -> Option<Duration> {
        self.closed.map(|at| at - START)
    }

    /// What was written since this was last called.
    pub(crate) fn written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    /// How many bytes of the peer are kept.
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

    /// The steps of a loop, from one wait to the next: nothing of it is due at once then.
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

    /// A loop that cannot write does not read, so that a peer which reads nothing is not heard either.
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
        let output: Vec<u8> = connection.output_parts().flatten().copied().collect();
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
