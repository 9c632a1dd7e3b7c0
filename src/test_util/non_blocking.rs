//! A transport in memory that does not block, with a poller and a clock.

use std::borrow::ToOwned;
use std::collections::VecDeque;
use std::format;
use std::io::{self, ErrorKind, Read, Write};
use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use arbitrary::Arbitrary;

use crate::test_util::cutter::pieces;

/// The way a poller reports that a transport is ready: see [`NonBlockingTransport`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Arbitrary)]
#[non_exhaustive]
pub enum Trigger {
    /// Reports as long as the transport is ready: `poll`, `select`, `epoll` without `EPOLLET`.
    ///
    /// At the end of the stream the transport stays readable.
    Level,
    /// Reports once, when the transport becomes ready: mio, `epoll` with `EPOLLET`, `kqueue` with `EV_CLEAR`.
    ///
    /// The loop registers its transport once, for both directions. First the transport reports that it is writable.
    /// Later it reports each arrival of bytes, also while other bytes are unread. After it was full, it reports when
    /// it is writable again. If the loop passes false for a direction to [`wait`](NonBlockingTransport::wait), a
    /// report for it is lost. So the loop must try that direction before it passes true again. For example, a loop
    /// without output passes false for `writable`. Later it queues a Close frame. The transport was writable all the
    /// time, so no report follows, and the loop must write at once.
    ///
    /// If your loop registers again before each wait (`EPOLL_CTL_MOD`, `EPOLLONESHOT`), the poller reports again what
    /// is ready. Test such a loop with [`Level`](Self::Level).
    Edge,
}

impl Trigger {
    /// Both triggers.
    pub const BOTH: [Self; 2] = [Self::Level, Self::Edge];
}

/// When the peer of a [`NonBlockingTransport`] reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Arbitrary)]
#[non_exhaustive]
pub enum PeerReads {
    /// Always.
    #[default]
    Always,
    /// Only after all of its bytes have arrived at the transport. The loop may not have read them yet.
    AfterSending,
    /// Never. When the transport is full, only a deadline ends the connection.
    Never,
}

/// A non-blocking transport in memory with a scripted peer, for loops over `poll`, `epoll`, mio and similar.
///
/// The test writes the script of the peer, which [sends](Self::peer_sends), [pauses](Self::peer_pauses),
/// [ends](Self::peer_ends) its stream and [reads](Self::set_peer_reads). The loop under test reads and writes. A read
/// returns [`ErrorKind::WouldBlock`] if no bytes have arrived. Writes accept [`max_write`](Self::set_max_write) bytes
/// and then return [`ErrorKind::WouldBlock`] until the peer reads.
///
/// The loop calls [`wait`](Self::wait) instead of its poller. The peer acts and time passes only during `wait`, so
/// each run is the same.
///
/// # What it finds
///
/// [`wait`](Self::wait) panics when the loop has one of these faults:
///
/// - Only in [edge-triggered](Trigger::Edge) mode: it waits for something that the poller has already reported.
///   For example, the loop left bytes unread, or it queued output and did not try to write.
/// - It waits without end: nothing that it watches for can happen, and `until` is `None`. If the loop could read or
///   write now but does not watch for it, the message begins with `deadlock`.
/// - It spins: `wait` returns immediately many times, and the loop reads and writes nothing in between. In
///   [level-triggered](Trigger::Level) mode this happens to a loop that watches for reading while it has no room, or
///   after the end of the stream.
///
/// A deadline can hide an endless wait. So test your loop without deadlines, too.
///
/// It does not check that the loop shuts down its writing side. Assert [`is_shut_down`](Self::is_shut_down) for that.
///
/// # Example
///
/// An echo server with a loop like that of the [guide](crate::guide::event_loop), for both triggers:
///
/// ```
/// use std::time::Duration;
///
/// use sockless::test_util::{Frame, NonBlockingTransport, Role, Trigger};
/// use sockless::{Config, Connection, Event, ReadBuffer, TransportAction};
///
/// /// Sends every message back and writes. Returns whether to read.
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
///             return false; // the transport takes no more for now, so the events wait
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
/// /// Returns whether to come back without waiting, because bytes may be unread.
/// fn turn(
///     transport: &mut NonBlockingTransport,
///     connection: &mut Connection,
///     buffer: &mut ReadBuffer,
///     now: Duration,
/// ) -> bool {
///     let mut all_read = false;
///     for _ in 0..32 {
///         if all_read || !answer(transport, connection, buffer) {
///             break;
///         }
///         all_read = !connection.handle_read(buffer.read_from(transport));
///     }
///     connection.handle_timeout(now);
///     let wants_read = answer(transport, connection, buffer); // also writes a Ping
///     if connection.transport_action() == TransportAction::ShutdownWrite {
///         transport.shutdown_write();
///         connection.handle_shutdown();
///     }
///     wants_read && !all_read
/// }
///
/// fn serve(transport: &mut NonBlockingTransport, connection: &mut Connection) {
///     let (mut buffer, mut now) = (ReadBuffer::new(), transport.now());
///     loop {
///         let more = turn(transport, connection, &mut buffer, now);
///         if connection.transport_action() == TransportAction::Close {
///             return;
///         }
///         // An edge-triggered poller does not report unread bytes again, so do not wait.
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

    /// The rest of the script, and the time of its first step, if that is known.
    script: VecDeque<Step>,
    steps_at: Option<Duration>,
    peer_reads: PeerReads,
    /// When the peer reads next, if that is known.
    reads_at: Option<Duration>,

    /// The bytes that have arrived and are unread.
    unread: VecDeque<u8>,
    end: End,
    written: Vec<u8>,
    max_write: usize,
    /// How many bytes the transport accepts until the peer reads.
    room: usize,
    writing: Writing,

    /// The directions that became ready and were not reported yet. Used only in edge-triggered mode.
    edges: Ready,
    reported: Ready,
    /// Whether the loop has read or written since the last wait.
    progress: bool,
    /// How many waits have returned immediately since the last progress.
    idle_waits: u32,
}

/// One step of the peer's script.
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
    /// The last write accepted everything.
    Whole,
    /// The last write accepted only a part, or nothing. So the loop has more to write.
    CutShort,
    ShutDown,
}

/// The directions in which a transport is ready or watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ready {
    readable: bool,
    writable: bool,
}

/// This many immediate waits without progress mean that the loop spins. A few are normal, because a loop may take the
/// events of one read in several turns.
const MOST_IDLE_WAITS: u32 = 1000;

/// # For the test
///
/// These methods write the script of the peer and observe the loop.
impl NonBlockingTransport {
    /// Makes a transport with an empty script, at time zero.
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

    /// Lets the peer send these bytes, cut at `places`, which must be in ascending order. Places at either end have
    /// no effect.
    ///
    /// Each piece arrives one [`latency`](Self::set_latency) after the piece before. A read returns everything that
    /// has arrived and fits. You can call this several times, also while the loop runs, for example to answer what
    /// the loop has [written](Self::written).
    ///
    /// # Panics
    ///
    /// If a place is smaller than the place before it.
    pub fn peer_sends(&mut self, bytes: &[u8], places: &[usize]) {
        let pieces = pieces(bytes, places).into_iter();
        self.script
            .extend(pieces.map(|piece| Step::Send(piece.to_owned())));
    }

    /// Lets the peer pause for this long before its next step.
    pub fn peer_pauses(&mut self, pause: Duration) {
        self.script.push_back(Step::Pause(pause));
    }

    /// Lets the peer end its stream: after all other bytes, a read returns 0. Without this call, the peer stays
    /// silent when it has sent everything.
    ///
    /// The peer ignores all later steps that send. It still reads.
    pub fn peer_ends(&mut self) {
        self.script.push_back(Step::End);
    }

    /// Sets when the peer reads. Default: [`PeerReads::Always`].
    pub fn set_peer_reads(&mut self, peer_reads: PeerReads) {
        self.peer_reads = peer_reads;
        self.reads_at = None;
    }

    /// Sets how many bytes the transport accepts until the peer reads. 0 counts as 1. Default: no limit.
    ///
    /// The peer reads everything at once, one [latency](Self::set_latency) after the loop has begun to wait.
    pub fn set_max_write(&mut self, max_write: usize) {
        self.max_write = max_write.max(1);
        self.room = self.room.min(self.max_write);
    }

    /// Sets how long the peer takes to send the next piece and to read. Default: 1 ms.
    ///
    /// With several seconds the peer is slow enough to test deadlines.
    pub fn set_latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// Returns everything that the loop has written, whether the peer has read it or not.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// Returns whether the loop has [shut down](Self::shutdown_write) its writing side.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.writing == Writing::ShutDown
    }

    /// Returns the number of bytes that have arrived and are unread.
    #[must_use]
    pub fn unread_len(&self) -> usize {
        self.unread.len()
    }
}

/// # For the loop under test
///
/// These methods replace a socket, a poller and a clock. The loop reads and writes with [`Read`] and [`Write`].
impl NonBlockingTransport {
    /// Waits until the transport is ready or the time `until` has come, and returns the time.
    ///
    /// Pass `readable` as true only if the loop would read now, and `writable` only if it has output. Do this in
    /// edge-triggered mode as well. `until` is a time like the result of [`now`](Self::now). If it has passed, `wait`
    /// returns immediately, like `poll` with a timeout of 0. During the wait the peer does the next steps of its
    /// script.
    ///
    /// After it, a loop can ask [`is_readable`](Self::is_readable) and [`is_writable`](Self::is_writable), or just
    /// try to read and write.
    ///
    /// # Panics
    ///
    /// If the loop has a fault: see [What it finds](Self#what-it-finds).
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
            assert!(next.is_some(), "{}", self.describe_endless_wait(watched));
            self.now = self.now.max(next.unwrap_or_default());
            self.act();
        }
        self.edges = Ready::default();
        self.count_idle_waits(self.now == begin);
        self.now
    }

    /// Returns the time since the beginning. It passes only in [`wait`](Self::wait).
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Returns whether the last [`wait`](Self::wait) reported the transport as readable. At the end of the stream it
    /// is readable.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.reported.readable
    }

    /// Returns whether the last [`wait`](Self::wait) reported the transport as writable.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.reported.writable
    }

    /// Shuts down the writing side, for [`TransportAction::ShutdownWrite`](crate::TransportAction::ShutdownWrite).
    /// Later writes fail with [`ErrorKind::BrokenPipe`]. A second call has no effect.
    ///
    /// The peer continues its script. It ends its own stream only after [`peer_ends`](Self::peer_ends).
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
        // Without this, a read would return only the first of several parts of memory.
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
    /// Returns what the poller reports to a loop that watches both directions.
    fn ready(&self) -> Ready {
        match self.trigger {
            Trigger::Level => Ready {
                readable: self.end != End::NotYet || !self.unread.is_empty(),
                writable: self.room > 0 || self.writing == Writing::ShutDown,
            },
            Trigger::Edge => self.edges,
        }
    }

    /// Sets the times of the peer's next actions, if they are not set.
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

    /// Does the peer's actions of this time.
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

    /// Finds a wait for something that an edge-triggered poller has already reported, or will never report.
    fn assert_not_ready_already(&self, watched: Ready) {
        let unread = watched.readable && self.has_unread();
        assert!(
            !unread,
            "deadlock: the loop waits for something that is already ready: {}, which an edge-triggered poller does not report again",
            self.unread_text()
        );
        let room = watched.writable && self.room > 0 && self.writing != Writing::ShutDown;
        assert!(
            !room,
            "deadlock: the loop waits for something that is already ready: the loop has output and did not try to write. An \
             edge-triggered poller reports only that a full transport has room again"
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

    /// Describes the fault of a loop that would wait without end.
    fn describe_endless_wait(&self, watched: Ready) -> String {
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
            ready.push("its last write was cut short and the transport accepts more".to_owned());
        }
        if !ready.is_empty() {
            let ready = ready.join(", and ");
            return format!("deadlock: the loop waits without end {what}, while {ready}");
        }
        let peer = match self.end {
            End::NotYet => "the peer has nothing more to send",
            End::Unread | End::Read => "the peer has ended its stream",
        };
        format!("the loop waits without end {what}: {peer}, and the loop gave no time")
    }

    /// Panics if the loop spins.
    fn count_idle_waits(&mut self, at_once: bool) {
        if at_once && !self.progress {
            self.idle_waits = self.idle_waits.saturating_add(1);
        } else {
            self.idle_waits = 0;
        }
        self.progress = false;
        let why = match (self.reported.readable, self.reported.writable) {
            (true, true) => "the poller reports that it can read and write",
            (true, false) => "the poller reports that it can read",
            (false, true) => "the poller reports that it can write",
            (false, false) => "it waits until a time that has passed",
        };
        assert!(
            self.idle_waits < MOST_IDLE_WAITS,
            "the loop spins: {MOST_IDLE_WAITS} times it read and wrote nothing, and {why}"
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
