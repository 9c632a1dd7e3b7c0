//! A transport in memory that does not block, the poller that watches it, and a clock.

use std::borrow::ToOwned;
use std::collections::VecDeque;
use std::format;
use std::io::{self, ErrorKind, Read, Write};
use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use arbitrary::Arbitrary;

use crate::test_util::cutter::pieces;

/// How a poller reports that a transport is ready: see [`NonBlockingTransport`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Arbitrary)]
#[non_exhaustive]
pub enum Trigger {
    /// As long as it is ready: `poll`, `select`, `epoll` without `EPOLLET`.
    ///
    /// The end of the stream counts as ready to be read, again and again.
    Level,
    /// Once, when it becomes ready: mio, `epoll` with `EPOLLET`, `kqueue` with `EV_CLEAR`.
    ///
    /// The loop registers its transport once, for both directions. At first the transport reports that it can be written to.
    /// Later it reports what arrives, also while something else is unread, and that the peer has made room after the
    /// transport was full. What it reports while the loop does not watch for it is lost: the loop must try to read or write
    /// before it watches again.
    ///
    /// A loop that registers again before every wait (`EPOLL_CTL_MOD`, `EPOLLONESHOT`) is told what is ready at that time.
    /// Test it with [`Level`](Self::Level).
    Edge,
}

impl Trigger {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Level, Self::Edge];
}

/// When the peer of a [`NonBlockingTransport`] reads what is written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Arbitrary)]
#[non_exhaustive]
pub enum PeerReads {
    /// All the time.
    #[default]
    Always,
    /// Only when all that it has to send has arrived.
    AfterSending,
    /// Never. Only a deadline ends a connection with such a peer, once the transport is full.
    Never,
}

/// A non-blocking transport with a peer that is not there, for loops over `poll`, `epoll`, mio and the like.
///
/// A test says what the peer does: it [sends](Self::peer_sends), [pauses](Self::peer_pauses) and [ends](Self::peer_ends) its
/// stream, and it [reads](Self::set_peer_reads). The loop under test reads and writes. Reads return
/// [`ErrorKind::WouldBlock`] when nothing has arrived. Writes take [`max_write`](Self::set_max_write) bytes, and return
/// [`ErrorKind::WouldBlock`] until the peer has read them.
///
/// In place of its poller the loop calls [`wait`](Self::wait). Only there the peer acts and time passes, so every run is the
/// same. No time passes while the loop works.
///
/// # What it finds
///
/// [`wait`](Self::wait) panics when the loop has one of these faults:
///
/// - It waits for what is ready already: in [edge-triggered](Trigger::Edge) mode for bytes that it has left unread, or for a
///   transport that it has not tried to write to.
/// - It waits for ever: nothing that it watches for can happen any more, and there is no time to wait until. The message
///   begins with `deadlock` if something that it does not watch for is ready.
/// - It spins: `wait` returns at once, again and again, and nothing is read or written in between. In
///   [level-triggered](Trigger::Level) mode that happens to a loop that watches for reading while it has no room, or
///   after the end of the stream.
///
/// A deadline ends a wait that would be for ever without it. So test a loop without deadlines, too.
///
/// # Example
///
/// An echo server in the loop of the [guide](crate::guide::event_loop), whatever the poller:
///
/// ```
/// use std::time::Duration;
///
/// use sockless::test_util::{Frame, NonBlockingTransport, Role, Trigger};
/// use sockless::{Config, Connection, Event, ReadBuffer, TransportAction};
///
/// /// Sends every message back, as long as there is room, and writes. Returns whether to read.
/// fn answer(
///     transport: &mut NonBlockingTransport,
///     connection: &mut Connection,
///     buffer: &mut ReadBuffer,
/// ) -> bool {
///     loop {
///         if !connection.has_room() {
///             connection.write_to(transport);
///         }
///         if !connection.has_room() {
///             return false; // the transport takes no more now, so the events wait
///         }
///         let Ok(Some(event)) = connection.next_event(buffer) else {
///             break;
///         };
///         _ = match event {
///             Event::Text { text, .. } => connection.send_text(text),
///             Event::Binary { data, .. } => connection.send_binary(data),
///             _ => Ok(()),
///         };
///     }
///     connection.write_to(transport);
///     connection.wants_read()
/// }
///
/// /// Returns whether there may be more to read.
/// fn turn(
///     transport: &mut NonBlockingTransport,
///     connection: &mut Connection,
///     buffer: &mut ReadBuffer,
///     now: Duration,
/// ) -> bool {
///     let mut rounds = 0..32;
///     while rounds.next().is_some()
///         && answer(transport, connection, buffer)
///         && connection.handle_read(buffer.read_from(transport))
///     {}
///     connection.handle_timeout(now);
///     // A Ping that was due: an edge-triggered poller does not report that it can be written.
///     connection.write_to(transport);
///     if connection.transport_action() == TransportAction::ShutdownWrite {
///         transport.shutdown_write();
///     }
///     rounds.is_empty()
/// }
///
/// fn serve(transport: &mut NonBlockingTransport, connection: &mut Connection) {
///     let (mut buffer, mut now) = (ReadBuffer::new(), transport.now());
///     loop {
///         let more = turn(transport, connection, &mut buffer, now);
///         if connection.transport_action() == TransportAction::Close {
///             return;
///         }
///         // An edge-triggered poller does not report again what is left unread, so come back at once.
///         let until = if more { Some(now) } else { connection.timeout_at() };
///         let readable = connection.wants_read() && connection.has_room();
///         now = transport.wait(readable, connection.output_len() > 0, until);
///     }
/// }
///
/// for trigger in Trigger::BOTH {
///     let hello = Frame::new(0x81, "Hello");
///     let mut transport = NonBlockingTransport::new(trigger);
///     transport.set_max_write(3);
///     transport.peer_sends(&hello.encode(Role::Server), &[2, 7]);
///     transport.peer_ends();
///
///     let mut connection = Connection::server(&Config::new().with_max_output(1));
///     serve(&mut transport, &mut connection);
///     assert_eq!(transport.written(), hello.encode(Role::Client));
/// }
/// ```
#[derive(Clone, Debug)]
pub struct NonBlockingTransport {
    trigger: Trigger,
    now: Duration,
    latency: Duration,

    /// What the peer has still to do, and when the first of it happens, once that is known.
    script: VecDeque<Step>,
    steps_at: Option<Duration>,
    peer_reads: PeerReads,
    /// When the peer reads what was written, once that is known.
    reads_at: Option<Duration>,

    /// What has arrived and was not read.
    unread: VecDeque<u8>,
    end: End,
    written: Vec<u8>,
    max_write: usize,
    /// How many bytes it takes until the peer reads.
    room: usize,
    writing: Writing,

    /// What became ready and was not reported. Counts only where it is edge-triggered.
    edges: Ready,
    reported: Ready,
    /// Whether something was read or written since the last wait.
    progress: bool,
    /// How many waits have returned at once since there was progress.
    idle_waits: u32,
}

/// One thing that the peer does.
#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    End,
}

/// The end of the peer's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    Unread,
    Read,
}

/// The direction to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// The last write took all that it was given.
    Whole,
    /// The last write took only a part, or nothing. So the loop has more to write.
    CutShort,
    ShutDown,
}

/// The directions in which a transport is ready, or is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ready {
    readable: bool,
    writable: bool,
}

/// So many waits that return at once and bring nothing are no accident. Few are: a loop may take the events of one read in
/// several turns.
const MOST_IDLE_WAITS: u32 = 1000;

/// # The test
///
/// What the peer does.
impl NonBlockingTransport {
    /// A transport whose peer says nothing yet, at the time zero.
    #[must_use]
    pub const fn new(trigger: Trigger) -> Self {
        Self {
            trigger,
            now: Duration::ZERO,
            latency: Duration::from_millis(1),
            script: VecDeque::new(),
            steps_at: None,
            peer_reads: PeerReads::Always,
            reads_at: None,
            unread: VecDeque::new(),
            end: End::NotYet,
            written: Vec::new(),
            max_write: usize::MAX,
            room: usize::MAX,
            writing: Writing::Whole,
            edges: Ready {
                readable: false,
                writable: true,
            },
            reported: Ready {
                readable: false,
                writable: false,
            },
            progress: false,
            idle_waits: 0,
        }
    }

    /// The peer sends these bytes, cut at `places`, which ascend. Places at either end cut nothing.
    ///
    /// One piece arrives after the other, each [`latency`](Self::set_latency) after the one before. A read returns all that
    /// has arrived, as far as it fits. Call this again for what the peer sends next, also while the loop runs, for instance
    /// to answer what was [written](Self::written).
    ///
    /// # Panics
    ///
    /// If a place is before the place in front of it.
    pub fn peer_sends(&mut self, bytes: &[u8], places: &[usize]) {
        let pieces = pieces(bytes, places).into_iter();
        self.script
            .extend(pieces.map(|piece| Step::Send(piece.to_owned())));
    }

    /// The peer sends nothing for so long, before it does what it is told next.
    pub fn peer_pauses(&mut self, pause: Duration) {
        self.script.push_back(Step::Pause(pause));
    }

    /// The peer ends its stream: the loop reads 0 bytes after all the others. Without this call the peer stays silent when it
    /// has sent everything.
    ///
    /// What the peer is told to send after that is not sent. It still reads.
    pub fn peer_ends(&mut self) {
        self.script.push_back(Step::End);
    }

    /// When the peer reads what is written to it. At first it is [`PeerReads::Always`].
    pub fn set_peer_reads(&mut self, peer_reads: PeerReads) {
        self.peer_reads = peer_reads;
        self.reads_at = None;
    }

    /// How many bytes the transport takes until the peer reads; a value of 0 counts as 1. At first there is no bound.
    ///
    /// What is written fills the transport. The peer reads all of it at once, one [latency](Self::set_latency) after the loop
    /// has begun to wait.
    pub fn set_max_write(&mut self, max_write: usize) {
        self.max_write = max_write.max(1);
        self.room = self.room.min(self.max_write);
    }

    /// How long it takes the peer to send the next piece, and to read what was written. At first it is 1 ms.
    ///
    /// With several seconds the peer is slow enough for deadlines to matter.
    pub fn set_latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// All that was written, whether the peer has read it or not.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// Whether the loop has [shut down](Self::shutdown_write) its writing side.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.writing == Writing::ShutDown
    }

    /// How many bytes have arrived and were not read.
    #[must_use]
    pub fn unread_len(&self) -> usize {
        self.unread.len()
    }
}

/// # The loop under test
///
/// What takes the place of a socket, a poller and a clock. For reading and writing there are [`Read`] and [`Write`].
impl NonBlockingTransport {
    /// Waits until the transport is ready, or until a time has come, and returns the time.
    ///
    /// `readable` and `writable` say what the loop waits for now, also in edge-triggered mode, where a loop registers once for
    /// both. So `readable` is true only while the loop would read, and `writable` only while it has output. `until` is a time
    /// as [`now`](Self::now) returns it. One that has passed is no wait, as a timeout of 0 is for `poll`. During the
    /// wait the peer does the next steps of its script.
    ///
    /// A loop that asks what is ready calls [`is_readable`](Self::is_readable) and [`is_writable`](Self::is_writable) next.
    /// Other loops just try to read and to write.
    ///
    /// # Panics
    ///
    /// If the loop spins, waits for what is ready already, or waits for ever: see [What it finds](Self#what-it-finds).
    pub fn wait(&mut self, readable: bool, writable: bool, until: Option<Duration>) -> Duration {
        let watched = Ready { readable, writable };
        let begin = self.now;
        loop {
            self.reported = self.ready().and(watched);
            if self.reported != Ready::default() || until.is_some_and(|until| until <= self.now) {
                break;
            }
            self.assert_not_ready_already(watched);
            self.plan();
            let next = [self.steps_at, self.reads_at, until];
            let next = next.into_iter().flatten().min();
            assert!(next.is_some(), "{}", self.why_for_ever(watched));
            self.now = self.now.max(next.unwrap_or_default());
            self.act();
        }
        self.edges = Ready::default();
        self.count_idle_waits(self.now == begin);
        self.now
    }

    /// The time, from the beginning: it passes only in [`wait`](Self::wait).
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Whether the last [`wait`](Self::wait) has reported that there is something to read. The end of the stream is.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.reported.readable
    }

    /// Whether the last [`wait`](Self::wait) has reported that the transport takes something.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.reported.writable
    }

    /// Shuts down the writing side, as [`TransportAction::ShutdownWrite`](crate::TransportAction::ShutdownWrite) asks for.
    /// Writes fail from now on, with [`ErrorKind::BrokenPipe`]. A second call changes nothing.
    ///
    /// The peer goes on with its script. It ends its own stream only if you have called [`peer_ends`](Self::peer_ends).
    pub fn shutdown_write(&mut self) {
        self.progress |= self.writing != Writing::ShutDown;
        self.writing = Writing::ShutDown;
    }
}

impl Read for NonBlockingTransport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.unread.is_empty() {
            return match self.end {
                End::NotYet => Err(ErrorKind::WouldBlock.into()),
                End::Unread => {
                    self.end = End::Read;
                    self.progress = true;
                    Ok(0)
                }
                End::Read => Ok(0),
            };
        }
        self.progress = true;
        // Of several parts of memory a read would take only the first.
        self.unread.make_contiguous();
        self.unread.read(buffer)
    }
}

impl Write for NonBlockingTransport {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.writing == Writing::ShutDown {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let taken = data.get(..self.room).unwrap_or(data);
        self.writing = if taken.len() < data.len() {
            Writing::CutShort
        } else {
            Writing::Whole
        };
        if taken.is_empty() && !data.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.progress |= !taken.is_empty();
        self.room = self.room.saturating_sub(taken.len());
        self.written.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NonBlockingTransport {
    /// What the poller reports to a loop that watches for everything.
    fn ready(&self) -> Ready {
        match self.trigger {
            Trigger::Level => Ready {
                readable: self.end != End::NotYet || !self.unread.is_empty(),
                writable: self.room > 0 || self.writing == Writing::ShutDown,
            },
            Trigger::Edge => self.edges,
        }
    }

    /// Decides when the peer acts next, where that is not decided.
    fn plan(&mut self) {
        let after = |time| self.now.saturating_add(time);
        let first = self.script.front().map(|step| match step {
            Step::Pause(pause) => after(*pause),
            Step::Send(_) | Step::End => after(self.latency),
        });
        let reads = match self.peer_reads {
            PeerReads::Always => self.room < self.max_write,
            PeerReads::AfterSending => self.room < self.max_write && self.script.is_empty(),
            PeerReads::Never => false,
        };
        let reads = reads.then(|| after(self.latency));
        self.steps_at = self.steps_at.or(first);
        self.reads_at = self.reads_at.or(reads);
    }

    /// Does what the peer does at this time.
    fn act(&mut self) {
        let now = self.now;
        if self.steps_at.take_if(|at| *at <= now).is_some() {
            match self.script.pop_front() {
                _ if self.end != End::NotYet => {}
                Some(Step::Send(bytes)) => {
                    self.unread.extend(bytes);
                    self.edges.readable = true;
                }
                Some(Step::End) => {
                    self.end = End::Unread;
                    self.edges.readable = true;
                }
                Some(Step::Pause(_)) | None => {}
            }
        }
        if self.reads_at.take_if(|at| *at <= now).is_some() {
            self.edges.writable |= self.room == 0;
            self.room = self.max_write;
        }
    }

    /// An edge-triggered poller has reported that before, or will never report it.
    fn assert_not_ready_already(&self, watched: Ready) {
        let unread = watched.readable && self.has_unread();
        assert!(
            !unread,
            "deadlock: the loop waits for what is ready already: {}, which an edge-triggered poller does not report again",
            self.unread_text()
        );
        let room = watched.writable && self.room > 0 && self.writing != Writing::ShutDown;
        assert!(
            !room,
            "deadlock: the loop waits for what is ready already: the transport can be written to, which an edge-triggered \
             poller reports only after it was full"
        );
    }

    fn has_unread(&self) -> bool {
        self.end == End::Unread || !self.unread.is_empty()
    }

    fn unread_text(&self) -> String {
        match self.unread.len() {
            0 => "the end of the stream is unread".to_owned(),
            n => format!("{n} B are unread"),
        }
    }

    /// The fault of a loop to which nothing can happen any more.
    fn why_for_ever(&self, watched: Ready) -> String {
        let what = match (watched.readable, watched.writable) {
            (true, true) => "to read or write",
            (true, false) => "to read",
            (false, true) => "to write",
            (false, false) => "for nothing",
        };
        let mut ready = Vec::new();
        if self.has_unread() {
            ready.push(self.unread_text());
        }
        if self.writing == Writing::CutShort && self.room > 0 {
            ready.push("its last write was cut short and the transport takes more".to_owned());
        }
        if !ready.is_empty() {
            let ready = ready.join(", and ");
            return format!("deadlock: the loop waits for ever {what}, while {ready}");
        }
        let peer = match self.end {
            End::NotYet => "the peer has nothing more to send",
            End::Unread | End::Read => "the peer has ended its stream",
        };
        format!("the loop waits for ever {what}: {peer}, and there is no time to wait until")
    }

    /// Whether the loop gets on.
    fn count_idle_waits(&mut self, at_once: bool) {
        if at_once && !self.progress {
            self.idle_waits = self.idle_waits.saturating_add(1);
        } else {
            self.idle_waits = 0;
        }
        self.progress = false;
        let why = match (self.reported.readable, self.reported.writable) {
            (true, true) => "it is told that it can read and write",
            (true, false) => "it is told that it can read",
            (false, true) => "it is told that it can write",
            (false, false) => "it waits until a time that has passed",
        };
        assert!(
            self.idle_waits < MOST_IDLE_WAITS,
            "the loop spins: {MOST_IDLE_WAITS} times it has read and written nothing, and {why}"
        );
    }
}

impl Ready {
    const fn and(self, other: Self) -> Self {
        Self {
            readable: self.readable && other.readable,
            writable: self.writable && other.writable,
        }
    }
}
