//! What `sockless::test_util` promises to users who test their own loops. Its transport accepts good loops and finds
//! the faults of bad loops.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::test_util::{
    Frame, NonBlockingTransport, OPENING_REQUEST, OwnedCloseEvent, OwnedEvent, PeerReads, Role,
    Rules, Trigger, assert_legal, cuts_at, every_cut, judge, strategies,
};
use sockless::{
    Config, Connection, Deadlines, Event, FrameHeader, Opcode, ReadBuffer, Timeout, TransportAction,
};

#[path = "support/cases.rs"]
mod cases;

use cases::cases;

const MILLISECOND: Duration = Duration::from_millis(1);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_opening_request_is_accepted_however_it_is_cut() {
    let options = ServerOptions::new();
    for places in every_cut(OPENING_REQUEST.len()) {
        let (mut buffer, mut handshake) =
            (ReadBuffer::new(), ServerHandshake::new(&options.config));
        let mut connection = None;
        for piece in cuts_at(OPENING_REQUEST, &places) {
            assert!(connection.is_none() || piece.is_empty());
            buffer.extend_from_slice(piece);
            connection =
                connection.or_else(|| handshake.accept(&mut buffer, &options, Duration::ZERO));
        }
        let connection = connection.unwrap();
        assert!(connection.can_send() && connection.output().starts_with(b"HTTP/1.1 101 "));
        assert!(buffer.is_empty());
    }
}

/// Returns pieces that outlive the places.
fn halves(bytes: &[u8]) -> Vec<&[u8]> {
    let places = [bytes.len() / 2];
    cuts_at(bytes, &places).collect()
}

#[test]
fn pieces_borrow_only_the_bytes() {
    assert_eq!(halves(b"sockless"), [b"sock", b"less"]);
}

#[test]
fn a_wrong_place_to_cut_panics() {
    for place in [3, 9] {
        let panic = panic_of(|| _ = cuts_at(b"sockless", &[4, place]).count());
        let message = format!("the place {place} is beyond the end at 8, or before 4");
        assert!(panic.contains(&message), "{panic}");
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn headers_are_parsed_as_they_were_written(header in strategies::frame_headers()) {
        let mut buffer = [0; FrameHeader::MAX_SIZE];
        let written = header.write(&mut buffer);
        prop_assert_eq!(FrameHeader::parse(written), Ok(Some((header, written.len()))));
        for size in 0..written.len() {
            prop_assert_eq!(FrameHeader::parse(&written[..size]), Ok(None));
        }
    }
}

#[test]
fn frame_headers_generates_every_kind_it_promises() {
    let mut runner = TestRunner::deterministic();
    let strategy = strategies::frame_headers();
    let mut kinds = BTreeSet::new();
    let mut lengths = BTreeSet::new();
    for _ in 0..5000 {
        let header = strategy.new_tree(&mut runner).unwrap().current();
        let (opcode, fin) = (header.opcode, header.fin);
        let form = match header.payload_length {
            0..=125 => 7,
            126..=0xffff => 16,
            _ => 64,
        };
        assert!(header.rsv < 8 && header.payload_length < 1 << 63);
        assert!(!opcode.is_control() || fin && form == 7, "{header:?}");
        kinds.insert((opcode.bits(), fin, header.masking_key.is_some(), form));
        lengths.insert((opcode.is_control(), header.payload_length));
    }
    let mut expected = BTreeSet::new();
    for masked in [false, true] {
        for opcode in [Opcode::Continuation, Opcode::Text, Opcode::Binary] {
            for form in [7, 16, 64] {
                expected.extend([false, true].map(|fin| (opcode.bits(), fin, masked, form)));
            }
        }
        for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
            expected.insert((opcode.bits(), true, masked, 7));
        }
    }
    assert_eq!(kinds, expected);
    for length in [0, 125, 126, 0xffff, 0x1_0000, u64::MAX >> 1] {
        assert!(lengths.contains(&(false, length)), "{length}");
    }
    assert!(lengths.contains(&(true, 0)) && lengths.contains(&(true, 125)));
}

/// The loop is correct, or has this fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Correct,
    ReadsWithoutRoom,
    ReadsAfterTheEnd,
    ReadsOnce,
    NeverWrites,
    WritesWithoutOutput,
    LeavesThePing,
    WritesAfterEvents,
}

use Fault::*;

/// An echo server with the loop of the guide.
struct Echo {
    connection: Connection,
    buffer: ReadBuffer,
    fault: Fault,
    /// Output that it took and that is not written yet. `None` if it borrows the output.
    taken: Option<Vec<u8>>,
}

impl Echo {
    fn new(config: &Config) -> Self {
        Self {
            connection: Connection::server(config),
            buffer: ReadBuffer::new(),
            fault: Correct,
            taken: None,
        }
    }

    /// One that borrows the output, and one that takes it.
    fn both(config: &Config) -> [Self; 2] {
        let mut takes = Self::new(config);
        takes.taken = Some(Vec::new());
        [Self::new(config), takes]
    }

    fn with_fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn write(&mut self, transport: &mut NonBlockingTransport) {
        let connection = &mut self.connection;
        let Some(taken) = &mut self.taken else {
            return connection.write_to(transport);
        };
        loop {
            if taken.is_empty() {
                connection.take_output(taken);
            }
            if taken.is_empty() {
                return;
            }
            match transport.write(taken) {
                Ok(n) => {
                    taken.drain(..n);
                    connection.advance_output(n);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    taken.clear();
                    return connection.handle_write_error();
                }
            }
        }
    }

    fn answer(&mut self, transport: &mut NonBlockingTransport) -> bool {
        let writes_for_room = !self.has(WritesAfterEvents);
        loop {
            if !self.connection.has_room() && writes_for_room {
                self.write(transport);
            }
            let connection = &mut self.connection;
            if !connection.has_room() {
                break;
            }
            let Ok(Some(event)) = connection.next_event(&mut self.buffer) else {
                break;
            };
            _ = match event {
                Event::Text { text, .. } => connection.send_text(text),
                Event::Binary { data, .. } => connection.send_binary(data),
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()),
            };
        }
        self.write(transport);
        self.connection.has_room() && self.connection.wants_read()
    }

    /// Returns whether there may be more to read.
    fn turn(&mut self, transport: &mut NonBlockingTransport, now: Duration) -> bool {
        let mut rounds = if self.has(ReadsOnce) { 0..1 } else { 0..32 };
        while rounds.next().is_some() && self.answer(transport) {
            let read = self.buffer.read_from(transport);
            if !self.connection.handle_read(read) {
                break;
            }
        }
        if self.has(ReadsOnce) {
            self.answer(transport);
        }
        self.connection.handle_timeout(now);
        if !self.has(LeavesThePing) {
            self.write(transport);
        }
        if self.connection.transport_action() == TransportAction::ShutdownWrite {
            transport.shutdown_write();
        }
        rounds.is_empty() && !self.has(ReadsOnce)
    }

    /// Runs the loop to its end. Before each wait, `peer` may add steps to the peer's script.
    fn serve_with(
        &mut self,
        transport: &mut NonBlockingTransport,
        mut peer: impl FnMut(&mut NonBlockingTransport),
    ) {
        let mut now = transport.now();
        loop {
            let more = self.turn(transport, now);
            let connection = &self.connection;
            if connection.transport_action() == TransportAction::Close {
                return;
            }
            let until = if more {
                Some(now)
            } else {
                connection.timeout_at()
            };
            let room = connection.has_room() || self.has(ReadsWithoutRoom);
            let wants_read = connection.wants_read() || self.has(ReadsAfterTheEnd);
            let writable = connection.output_len() > 0 && !self.has(NeverWrites)
                || self.has(WritesWithoutOutput);
            peer(transport);
            now = transport.wait(wants_read && room, writable, until);
        }
    }

    fn serve(&mut self, transport: &mut NonBlockingTransport) -> Option<OwnedCloseEvent> {
        self.serve_with(transport, |_| {});
        self.connection.close_event().map(OwnedCloseEvent::from)
    }
}

fn hello() -> Frame {
    Frame::new(0x81, "Hello")
}

/// A peer that sends `count` messages in separate pieces, and reads 3 bytes at a time.
fn greeted(trigger: Trigger, count: usize) -> NonBlockingTransport {
    let mut transport = NonBlockingTransport::new(trigger);
    transport.set_max_write(3);
    for _ in 0..count {
        transport.peer_sends(&hello().encode(Role::Server), &[]);
    }
    transport
}

/// One message fills the output.
fn small() -> Config {
    Config::new().with_max_output(1)
}

fn deadlines() -> Config {
    small().with_deadlines(Deadlines::new())
}

// The transport accepts good loops.

#[test]
fn an_echo_passes_when_writes_are_small() {
    for trigger in Trigger::BOTH {
        for places in every_cut(hello().encode(Role::Server).len() * 2) {
            for mut echo in Echo::both(&small()) {
                let mut transport = NonBlockingTransport::new(trigger);
                transport.set_max_write(1);
                transport.peer_sends(&hello().encode(Role::Server).repeat(2), &places);
                transport.peer_sends(&Frame::close(1000, "").encode(Role::Server), &[]);
                assert!(echo.serve(&mut transport).unwrap().was_clean);
                let heard = assert_legal(Role::Server, transport.written());
                let hello = OwnedEvent::text("Hello");
                assert_eq!(heard, [hello.clone(), hello, OwnedEvent::close(1000, "")]);
            }
        }
    }
}

#[test]
fn a_peer_that_reads_only_after_sending_gets_all_answers() {
    for trigger in Trigger::BOTH {
        for mut echo in Echo::both(&small()) {
            let mut transport = greeted(trigger, 200);
            transport.peer_ends();
            transport.set_peer_reads(PeerReads::AfterSending);
            echo.serve(&mut transport).unwrap();
            let heard = assert_legal(Role::Server, transport.written());
            assert_eq!(heard, vec![OwnedEvent::text("Hello"); 200]);
        }
    }
}

#[test]
fn a_silent_peer_and_a_peer_that_never_reads_time_out() {
    for trigger in Trigger::BOTH {
        for mut echo in Echo::both(&deadlines()) {
            let mut transport = greeted(trigger, 200);
            transport.set_peer_reads(PeerReads::Never);
            let ending = echo.serve(&mut transport).unwrap();
            assert_eq!(ending.timeout, Some(Timeout::Pong));
            assert_eq!(transport.written(), &hello().encode(Role::Client)[..3]);
            // The loop did not read the rest.
            let unread = transport.unread_len();
            assert!(unread > 190 * 11, "{unread}");
        }

        let mut transport = greeted(trigger, 1);
        let ending = Echo::new(&deadlines()).serve(&mut transport).unwrap();
        assert_eq!(ending.timeout, Some(Timeout::Pong));
        assert_eq!(transport.now(), seconds(40));
    }
}

#[test]
fn the_loop_writes_all_output_after_the_end_of_the_stream() {
    for trigger in Trigger::BOTH {
        for peer_reads in [PeerReads::Always, PeerReads::AfterSending] {
            for mut echo in Echo::both(&Config::new()) {
                let mut transport = greeted(trigger, 3);
                transport.peer_ends();
                transport.set_peer_reads(peer_reads);
                let ending = echo.serve(&mut transport).unwrap();
                assert_eq!((ending.code, ending.timeout), (1006, None));
                assert_eq!(transport.written(), hello().encode(Role::Client).repeat(3));
            }
        }
    }
}

#[test]
fn a_peer_that_answers_pings_stays_connected() {
    for trigger in Trigger::BOTH {
        let mut transport = greeted(trigger, 1);
        transport.set_latency(seconds(1));
        let mut echo = Echo::new(&deadlines());
        let mut answered = 0;
        echo.serve_with(&mut transport, |transport| {
            let rules = Rules::new(Role::Client, &Config::new());
            let pings = judge(&rules, transport.written()).replies;
            for pong in &pings[answered..] {
                let OwnedEvent::Pong(payload) = pong else {
                    continue;
                };
                transport.peer_sends(&Frame::new(0x8a, payload).encode(Role::Server), &[3]);
                if answered == 3 {
                    transport.peer_sends(&Frame::close(1001, "").encode(Role::Server), &[]);
                }
            }
            answered = pings.len();
        });
        assert_eq!(answered, 4);
        // The rest of the Ping takes one second, and each of the two pieces of the Pong takes one.
        assert_eq!(echo.connection.round_trip_time(), Some(seconds(3)));
        assert!(echo.connection.close_event().unwrap().was_clean);
        // There are four Pings, each 20 seconds after the Pong before it.
        let now = transport.now();
        assert!((seconds(80)..seconds(100)).contains(&now), "{now:?}");
    }
}

#[test]
fn a_pause_does_not_end_the_connection() {
    for trigger in Trigger::BOTH {
        let mut transport = greeted(trigger, 1);
        transport.peer_pauses(seconds(30));
        transport.peer_sends(&hello().encode(Role::Server), &[]);
        transport.peer_ends();
        Echo::new(&small()).serve(&mut transport).unwrap();
        assert_eq!(transport.written(), hello().encode(Role::Client).repeat(2));
        assert!(transport.now() > seconds(30));
    }
}

#[test]
fn after_a_violation_the_loop_writes_a_close_frame_and_shuts_down_writing() {
    for trigger in Trigger::BOTH {
        for mut echo in Echo::both(&small()) {
            let mut transport = greeted(trigger, 1);
            transport.peer_sends(&Frame::new(0x83, "").encode(Role::Server), &[]);
            transport.peer_pauses(seconds(1));
            transport.peer_ends();
            echo.serve(&mut transport).unwrap();
            assert!(transport.is_shut_down());
            let heard = assert_legal(Role::Server, transport.written());
            assert!(matches!(
                &heard[..],
                [OwnedEvent::Text(_), OwnedEvent::Close(1002, _)]
            ));
        }
    }
}

/// More bytes have arrived than one turn reads. The loop continues without an event from the poller.
#[test]
fn a_long_backlog_takes_several_turns() {
    for trigger in Trigger::BOTH {
        let mut transport = NonBlockingTransport::new(trigger);
        let long = Frame::new(0x82, vec![7; 2 << 20]);
        transport.peer_sends(&long.encode(Role::Server), &[]);
        transport.peer_ends();
        Echo::new(&small()).serve(&mut transport).unwrap();
        assert_eq!(transport.written(), long.encode(Role::Client));
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_good_loop_passes_whatever_the_peer_does(
        frames in strategies::nearly_legal_frames(),
        cuts in strategies::cuts(),
        max_write in 1..40_usize,
        max_output in 1..100_usize,
        trigger in prop::sample::select(&Trigger::BOTH[..]),
        peer_reads in prop::sample::select(vec![PeerReads::Always, PeerReads::AfterSending]),
    ) {
        let bytes = frames.encode(Role::Server);
        let config = Config::new().with_max_output(max_output).with_max_unsent_pongs(usize::MAX);
        let [mut borrows, mut takes] = Echo::both(&config);
        let mut transport = NonBlockingTransport::new(trigger);
        transport.set_max_write(max_write);
        transport.set_peer_reads(peer_reads);
        transport.peer_sends(&bytes, &cuts.places(bytes.len()));
        transport.peer_ends();
        let mut other = transport.clone();
        borrows.serve(&mut transport);
        takes.serve(&mut other);
        prop_assert_eq!(transport.written(), other.written());

        let verdict = judge(&Rules::new(Role::Server, &config), &bytes);
        let mut expected: Vec<OwnedEvent> = verdict.events.into_iter().filter_map(|event| match event {
            OwnedEvent::Ping(payload) => Some(OwnedEvent::Pong(payload)),
            OwnedEvent::Pong(_) => None,
            other => Some(other.without_reason()),
        }).collect();
        expected.extend(verdict.error.map(|code| OwnedEvent::close(code, "")));
        let heard = assert_legal(Role::Server, transport.written()).into_iter();
        prop_assert_eq!(heard.map(OwnedEvent::without_reason).collect::<Vec<_>>(), expected);
    }
}

// The transport finds bad loops.

/// Returns the message of the panic.
fn panic_of(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("no panic");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .expect("the message is text")
}

fn long_message(trigger: Trigger) -> NonBlockingTransport {
    let mut transport = NonBlockingTransport::new(trigger);
    transport.peer_sends(&Frame::new(0x82, vec![7; 60_000]).encode(Role::Server), &[]);
    transport.peer_ends();
    transport
}

/// The peer writes slowly, so the loop runs many times after the end of the stream.
fn ended_and_slow() -> NonBlockingTransport {
    let mut transport = greeted(Trigger::Level, 1);
    transport.peer_ends();
    transport.set_max_write(1);
    transport.set_peer_reads(PeerReads::AfterSending);
    transport
}

fn peer_that_never_reads() -> NonBlockingTransport {
    let mut transport = greeted(Trigger::Level, 10);
    transport.set_peer_reads(PeerReads::Never);
    transport
}

/// The last write makes room, but the events that waited for it stay in the buffer.
fn two_messages() -> NonBlockingTransport {
    let mut transport = NonBlockingTransport::new(Trigger::Level);
    transport.set_max_write(3);
    transport.peer_sends(&hello().encode(Role::Server).repeat(2), &[]);
    transport.peer_sends(&Frame::close(1000, "").encode(Role::Server), &[]);
    transport
}

#[test]
fn the_transport_finds_each_fault_of_a_loop() {
    use Trigger::{Edge, Level};
    const SPIN_READ: &str = "the loop spins: 1000 times it read and wrote nothing, and the poller reports that it can \
        read";
    const SPIN_WRITE: &str = "the loop spins: 1000 times it read and wrote nothing, and the poller reports that it can \
        write";
    const IS_READY: &str = "deadlock: the loop waits for something that is already ready: ";
    const UNREAD_11: &str =
        "deadlock: the loop waits for something that is already ready: 11 B are unread";
    const PING: &str = "deadlock: the loop waits for something that is already ready: the loop has output and did not try to write";
    const UNREAD: &str = " B are unread, which an edge-triggered poller does not report again";
    const CUT_SHORT: &str = "deadlock: the loop waits without end to read, while its last write was cut short and the \
        transport accepts more";
    const FULL: &str = "deadlock: the loop waits without end to write, while 99 B are unread";
    const SILENT: &str = "the loop waits without end to read: the peer has nothing more to send";
    let (small, large, timed) = (&small(), &Config::new(), &deadlines());
    let table = [
        (ReadsWithoutRoom, small, greeted(Level, 10), SPIN_READ),
        (ReadsWithoutRoom, small, greeted(Edge, 10), UNREAD_11),
        (ReadsAfterTheEnd, large, ended_and_slow(), SPIN_READ),
        (WritesWithoutOutput, small, greeted(Level, 1), SPIN_WRITE),
        (ReadsOnce, small, long_message(Edge), IS_READY),
        // The fault counts even if a deadline ends the wait.
        (ReadsOnce, timed, long_message(Edge), UNREAD),
        (NeverWrites, large, greeted(Level, 1), CUT_SHORT),
        (NeverWrites, large, greeted(Edge, 1), CUT_SHORT),
        (Correct, small, peer_that_never_reads(), FULL),
        (Correct, small, greeted(Level, 1), SILENT),
        (WritesAfterEvents, small, two_messages(), SILENT),
        // The Ping goes into the output after the last write of the turn. An edge-triggered poller reported long before
        // that the transport is writable.
        (LeavesThePing, timed, greeted(Edge, 1), PING),
    ];
    for (fault, config, mut transport, message) in table {
        let mut echo = Echo::new(config).with_fault(fault);
        let panic = panic_of(|| _ = echo.serve(&mut transport));
        assert!(panic.contains(message), "{fault:?}: {panic}");
    }
}

#[test]
fn the_transport_finds_a_bad_wait() {
    let waits: [fn(&mut NonBlockingTransport); 3] = [
        |transport| {
            loop {
                transport.wait(true, false, Some(Duration::ZERO));
            }
        },
        |transport| {
            transport.peer_sends(&hello().encode(Role::Server), &[]);
            transport.peer_ends();
            // The message and the end arrive while the loop does not watch.
            transport.wait(false, false, Some(seconds(1)));
            transport.read_exact(&mut [0; 11]).unwrap();
            transport.wait(true, false, None);
        },
        |transport| {
            transport.peer_ends();
            transport.wait(true, false, None);
            assert_eq!(transport.read(&mut [0]).unwrap(), 0);
            transport.wait(true, false, None);
        },
    ];
    let messages = [
        "the loop spins: 1000 times it read and wrote nothing, and it waits until a time that has passed",
        "deadlock: the loop waits for something that is already ready: the end of the stream is unread",
        "the loop waits without end to read: the peer has ended its stream",
    ];
    for (wait, message) in waits.into_iter().zip(messages) {
        let mut transport = NonBlockingTransport::new(Trigger::Edge);
        let panic = panic_of(|| wait(&mut transport));
        assert!(panic.contains(message), "{panic}");
    }
}

#[test]
fn a_level_triggered_poller_reports_bytes_that_are_left_unread_again() {
    let mut transport = long_message(Trigger::Level);
    Echo::new(&small())
        .with_fault(ReadsOnce)
        .serve(&mut transport);
    assert_eq!(transport.written().len(), 60_004);
}

#[test]
fn a_level_triggered_poller_reports_that_the_ping_can_be_written() {
    let mut transport = greeted(Trigger::Level, 1);
    let ending = Echo::new(&deadlines())
        .with_fault(LeavesThePing)
        .serve(&mut transport);
    assert_eq!(ending.unwrap().timeout, Some(Timeout::Pong));
    let heard = assert_legal(Role::Server, transport.written());
    assert!(matches!(
        &heard[..],
        [OwnedEvent::Text(_), OwnedEvent::Ping(_)]
    ));
}

// The transport without a loop.

fn would_block<T: std::fmt::Debug>(result: std::io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn pieces_arrive_one_by_one() {
    for trigger in Trigger::BOTH {
        let mut transport = NonBlockingTransport::new(trigger);
        transport.peer_sends(b"sockless", &[0, 1, 4, 8]);
        transport.peer_ends();
        let mut buffer = [0; 100];
        would_block(transport.read(&mut buffer));
        for (time, piece) in [(1, &b"s"[..]), (2, b"ock"), (3, b"less")] {
            assert_eq!(transport.wait(true, false, None), time * MILLISECOND);
            assert!(transport.is_readable() && !transport.is_writable());
            assert_eq!(transport.unread_len(), piece.len());
            assert_eq!(transport.read(&mut []).unwrap(), 0);
            let n = transport.read(&mut buffer).unwrap();
            assert_eq!(&buffer[..n], piece);
            would_block(transport.read(&mut buffer));
        }
        assert_eq!(transport.wait(true, false, None), 4 * MILLISECOND);
        assert_eq!(transport.read(&mut buffer).unwrap(), 0);
        assert_eq!(transport.read(&mut buffer).unwrap(), 0);
        // The peer sends nothing after the end.
        transport.peer_sends(b"more", &[]);
        transport.wait(false, false, Some(seconds(1)));
        assert_eq!(transport.read(&mut buffer).unwrap(), 0);
    }
}

/// A read that does not fill its space has taken all bytes that arrived, wherever they are in memory.
#[test]
fn a_short_read_takes_everything() {
    let mut transport = NonBlockingTransport::new(Trigger::Edge);
    let mut time = Duration::ZERO;
    for size in 1..100 {
        transport.peer_sends(&vec![7; size], &[]);
        transport.peer_sends(&vec![8; size], &[]);
        time += seconds(1);
        transport.wait(false, false, Some(time));
        assert_eq!(transport.unread_len(), 2 * size);
        assert_eq!(transport.read(&mut vec![0; size]).unwrap(), size);
        assert_eq!(transport.read(&mut [0; 1000]).unwrap(), size);
        would_block(transport.read(&mut [0]));
    }
}

#[test]
fn the_transport_accepts_more_after_the_peer_reads() {
    for trigger in Trigger::BOTH {
        let mut transport = NonBlockingTransport::new(trigger);
        transport.set_max_write(0); // is 1
        transport.set_max_write(3);
        assert_eq!(transport.write(b"").unwrap(), 0);
        // At first, both pollers report that the transport is writable.
        assert_eq!(transport.wait(false, true, None), Duration::ZERO);
        assert!(transport.is_writable());
        transport.wait(false, false, Some(MILLISECOND));
        assert_eq!(transport.write(b"so").unwrap(), 2);
        transport.flush().unwrap();
        assert_eq!(transport.write(b"ckless").unwrap(), 1);
        would_block(transport.write(b"kless"));
        assert_eq!(
            transport.wait(true, true, Some(seconds(1))),
            2 * MILLISECOND
        );
        assert!(transport.is_writable() && !transport.is_readable());
        assert_eq!(transport.write(b"kless").unwrap(), 3);
        assert_eq!(transport.written(), b"sockle");

        transport.shutdown_write();
        transport.shutdown_write();
        assert!(transport.is_shut_down());
        let error = transport.write(b"ss").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn a_wait_ends_at_the_next_event_or_at_its_time() {
    for trigger in Trigger::BOTH {
        let mut transport = NonBlockingTransport::new(trigger);
        transport.set_latency(seconds(5));
        transport.peer_pauses(seconds(10));
        transport.peer_sends(b"s", &[]);
        assert_eq!(transport.wait(true, false, Some(seconds(4))), seconds(4));
        assert!(!transport.is_readable());
        // A time in the past ends the wait at once.
        assert_eq!(transport.wait(true, false, Some(seconds(3))), seconds(4));
        assert_eq!(transport.wait(true, false, Some(seconds(14))), seconds(14));
        assert_eq!(transport.wait(true, false, Some(seconds(100))), seconds(15));
        assert_eq!(transport.now(), seconds(15));
    }
}

/// A loop misses an edge that the poller reports while the loop does not watch. It must try to read.
#[test]
fn an_edge_is_reported_once() {
    let mut transport = NonBlockingTransport::new(Trigger::Edge);
    transport.peer_sends(b"sockless", &[4]);
    transport.wait(true, false, None);
    // Another piece is a new edge, even while the first piece is unread.
    assert_eq!(transport.wait(false, false, Some(seconds(1))), seconds(1));
    assert_eq!(transport.read(&mut [0; 100]).unwrap(), 8);
    assert_eq!(transport.wait(true, false, Some(seconds(2))), seconds(2));
    assert!(!transport.is_readable());
}
