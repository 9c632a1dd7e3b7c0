//! What `sockless::test_util` promises to those who test their own loops with it. In particular: its transport lets good
//! loops pass and finds the bad ones.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};
use sockless::handshake::{ServerHandshake, ServerOptions};
use sockless::test_util::{
    Frame, NonBlockingTransport, OPENING_REQUEST, OwnedCloseEvent, OwnedEvent, PeerReads, Role,
    Rules, Trigger, assert_legal, cuts_at, every_cut, judge, strategies,
};
use sockless::{
    Config, Connection, Deadlines, Event, FrameHeader, Opcode, ReadBuffer, Timeout, TransportAction,
};

const MILLISECOND: Duration = Duration::from_millis(1);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The same cases every time; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for others.
fn cases(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(6455);
    }
    config.failure_persistence = None;
    config
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

/// The pieces outlive the places.
fn halves(bytes: &[u8]) -> Vec<&[u8]> {
    let places = [bytes.len() / 2];
    cuts_at(bytes, &places).collect()
}

#[test]
fn pieces_borrow_only_the_bytes() {
    assert_eq!(halves(b"sockless"), [b"sock", b"less"]);
}

#[test]
#[should_panic(expected = "the place 9 is beyond the end at 8, or before 4")]
fn a_place_beyond_the_end_panics() {
    _ = cuts_at(b"sockless", &[4, 9]).count();
}

#[test]
#[should_panic(expected = "the place 3 is beyond the end at 8, or before 4")]
fn a_place_before_another_panics() {
    _ = cuts_at(b"sockless", &[4, 3]).count();
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

/// Nothing that `frame_headers` promises is left out.
#[test]
fn headers_of_every_kind_are_made() {
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
    let data = [Opcode::Continuation, Opcode::Text, Opcode::Binary];
    let control = [Opcode::Close, Opcode::Ping, Opcode::Pong];
    for masked in [false, true] {
        for opcode in data.map(Opcode::bits) {
            for (fin, form) in [
                (false, 7),
                (false, 16),
                (false, 64),
                (true, 7),
                (true, 16),
                (true, 64),
            ] {
                assert!(
                    kinds.contains(&(opcode, fin, masked, form)),
                    "{opcode} {fin} {masked} {form}"
                );
            }
        }
        for opcode in control.map(Opcode::bits) {
            assert!(
                kinds.contains(&(opcode, true, masked, 7)),
                "{opcode} {masked}"
            );
        }
    }
    for length in [0, 125, 126, 0xffff, 0x1_0000, u64::MAX >> 1] {
        assert!(lengths.contains(&(false, length)), "{length}");
    }
    assert!(lengths.contains(&(true, 0)) && lengths.contains(&(true, 125)));
}

/// What a loop does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    WatchesForReadingWithoutRoom,
    WatchesAfterTheEndOfTheStream,
    ReadsOnceInATurn,
    NeverWatchesForWriting,
    WatchesForWritingWithoutOutput,
    LeavesThePingToThePoller,
    WritesOnlyAfterTheEvents,
}

use Fault::*;

/// An echo server in the loop of the guide.
struct Echo {
    connection: Connection,
    buffer: ReadBuffer,
    fault: Option<Fault>,
}

impl Echo {
    fn new(config: &Config) -> Self {
        Self {
            connection: Connection::server(config),
            buffer: ReadBuffer::new(),
            fault: None,
        }
    }

    fn with_fault(self, fault: Fault) -> Self {
        let fault = Some(fault);
        Self { fault, ..self }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn answer(&mut self, transport: &mut NonBlockingTransport) -> bool {
        let writes_for_room = !self.has(WritesOnlyAfterTheEvents);
        let connection = &mut self.connection;
        loop {
            if !connection.has_room() && writes_for_room {
                connection.write_to(transport);
            }
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
        connection.write_to(transport);
        connection.has_room() && connection.wants_read()
    }

    /// Returns whether there may be more to read.
    fn turn(&mut self, transport: &mut NonBlockingTransport, now: Duration) -> bool {
        let mut rounds = if self.has(ReadsOnceInATurn) {
            0..1
        } else {
            0..32
        };
        while rounds.next().is_some()
            && self.answer(transport)
            && self
                .connection
                .handle_read(self.buffer.read_from(transport))
        {}
        if self.has(ReadsOnceInATurn) {
            self.answer(transport);
        }
        self.connection.handle_timeout(now);
        if !self.has(LeavesThePingToThePoller) {
            self.connection.write_to(transport);
        }
        if self.connection.transport_action() == TransportAction::ShutdownWrite {
            transport.shutdown_write();
        }
        rounds.is_empty() && !self.has(ReadsOnceInATurn)
    }

    /// Until the end. Before each wait `peer` may say what the peer does next.
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
            let room = connection.has_room() || self.has(WatchesForReadingWithoutRoom);
            let wants_read = connection.wants_read() || self.has(WatchesAfterTheEndOfTheStream);
            let writable = connection.output_len() > 0 && !self.has(NeverWatchesForWriting)
                || self.has(WatchesForWritingWithoutOutput);
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

/// A peer that says hello so many times, each in a piece of its own, and reads in small pieces.
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

// Good loops pass.

#[test]
fn an_echo_passes_when_writes_are_small() {
    for trigger in Trigger::BOTH {
        for places in every_cut(hello().encode(Role::Server).len() * 2) {
            let mut transport = NonBlockingTransport::new(trigger);
            transport.set_max_write(1);
            transport.peer_sends(&hello().encode(Role::Server).repeat(2), &places);
            transport.peer_sends(&Frame::close(1000, "").encode(Role::Server), &[]);
            let ending = Echo::new(&small()).serve(&mut transport).unwrap();
            assert!(ending.was_clean);
            let heard = assert_legal(Role::Server, transport.written());
            let hello = OwnedEvent::text("Hello");
            assert_eq!(heard, [hello.clone(), hello, OwnedEvent::close(1000, "")]);
        }
    }
}

#[test]
fn a_peer_that_reads_only_after_sending_gets_all_answers() {
    for trigger in Trigger::BOTH {
        let mut transport = greeted(trigger, 200);
        transport.peer_ends();
        transport.set_peer_reads(PeerReads::AfterSending);
        Echo::new(&small()).serve(&mut transport).unwrap();
        let heard = assert_legal(Role::Server, transport.written());
        assert_eq!(heard, vec![OwnedEvent::text("Hello"); 200]);
    }
}

#[test]
fn a_peer_that_never_reads_is_given_up() {
    for trigger in Trigger::BOTH {
        let mut transport = greeted(trigger, 200);
        transport.set_peer_reads(PeerReads::Never);
        let ending = Echo::new(&deadlines()).serve(&mut transport).unwrap();
        assert_eq!(ending.timeout, Some(Timeout::Pong));
        assert_eq!(transport.written(), &hello().encode(Role::Client)[..3]);
        // The loop left the rest where it was.
        assert!(
            transport.unread_len() > 190 * 11,
            "{}",
            transport.unread_len()
        );
    }
}

#[test]
fn output_that_is_left_at_the_end_of_the_stream_is_written() {
    for trigger in Trigger::BOTH {
        for peer_reads in [PeerReads::Always, PeerReads::AfterSending] {
            let mut transport = greeted(trigger, 3);
            transport.peer_ends();
            transport.set_peer_reads(peer_reads);
            let ending = Echo::new(&Config::new()).serve(&mut transport).unwrap();
            assert_eq!((ending.code, ending.timeout), (1006, None));
            assert_eq!(transport.written(), hello().encode(Role::Client).repeat(3));
        }
    }
}

#[test]
fn pings_are_sent_and_a_peer_that_answers_is_kept() {
    for trigger in Trigger::BOTH {
        let mut transport = greeted(trigger, 1);
        transport.set_latency(seconds(1));
        let mut echo = Echo::new(&deadlines());
        let mut answered = 0;
        echo.serve_with(&mut transport, |transport| {
            let verdict = judge(
                &Rules::new(Role::Client, &Config::new()),
                transport.written(),
            );
            let pings = verdict.replies;
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
        // A second until the rest of the Ping can be written, and one for each piece of the Pong.
        assert_eq!(echo.connection.round_trip_time(), Some(seconds(3)));
        assert!(echo.connection.close_event().unwrap().was_clean);
        // Four Pings, one every 20 seconds after the answer to the one before.
        assert!(
            (seconds(80)..seconds(100)).contains(&transport.now()),
            "{:?}",
            transport.now()
        );
    }
}

#[test]
fn a_silent_peer_is_given_up_when_its_deadline_passes() {
    for trigger in Trigger::BOTH {
        let mut transport = greeted(trigger, 1);
        let ending = Echo::new(&deadlines()).serve(&mut transport).unwrap();
        assert_eq!(ending.timeout, Some(Timeout::Pong));
        assert_eq!(transport.now(), seconds(40));
    }
}

#[test]
fn a_pause_is_no_end() {
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
fn a_failure_is_told_and_the_writing_side_is_shut_down() {
    for trigger in Trigger::BOTH {
        let mut transport = greeted(trigger, 1);
        transport.peer_sends(&Frame::new(0x83, "").encode(Role::Server), &[]);
        transport.peer_pauses(seconds(1));
        transport.peer_ends();
        Echo::new(&small()).serve(&mut transport).unwrap();
        assert!(transport.is_shut_down());
        let heard = assert_legal(Role::Server, transport.written());
        assert!(matches!(
            &heard[..],
            [OwnedEvent::Text(_), OwnedEvent::Close(1002, _)]
        ));
    }
}

/// More has arrived than one turn reads. The loop goes on without an event from the poller.
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
        let mut transport = NonBlockingTransport::new(trigger);
        transport.set_max_write(max_write);
        transport.set_peer_reads(peer_reads);
        transport.peer_sends(&bytes, &cuts.places(bytes.len()));
        transport.peer_ends();
        Echo::new(&config).serve(&mut transport);

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

// Bad loops are found.

#[test]
#[should_panic(
    expected = "the loop spins: 1000 times it read and wrote nothing, and the poller reports that it can read"
)]
fn a_loop_that_watches_for_reading_without_room_spins() {
    let mut transport = greeted(Trigger::Level, 10);
    Echo::new(&small())
        .with_fault(WatchesForReadingWithoutRoom)
        .serve(&mut transport);
}

#[test]
#[should_panic(
    expected = "deadlock: the loop waits for something that is already ready: 11 B are unread"
)]
fn a_loop_that_watches_for_reading_without_room_is_told_nothing() {
    let mut transport = greeted(Trigger::Edge, 10);
    Echo::new(&small())
        .with_fault(WatchesForReadingWithoutRoom)
        .serve(&mut transport);
}

#[test]
#[should_panic(
    expected = "the loop spins: 1000 times it read and wrote nothing, and the poller reports that it can read"
)]
fn a_loop_that_watches_after_the_end_of_the_stream_spins() {
    let mut transport = greeted(Trigger::Level, 1);
    transport.peer_ends();
    // What is written slowly gives it time.
    transport.set_max_write(1);
    transport.set_peer_reads(PeerReads::AfterSending);
    Echo::new(&Config::new())
        .with_fault(WatchesAfterTheEndOfTheStream)
        .serve(&mut transport);
}

#[test]
#[should_panic(
    expected = "the loop spins: 1000 times it read and wrote nothing, and the poller reports that it can write"
)]
fn a_loop_that_watches_for_writing_without_output_spins() {
    let mut transport = greeted(Trigger::Level, 1);
    Echo::new(&small())
        .with_fault(WatchesForWritingWithoutOutput)
        .serve(&mut transport);
}

#[test]
#[should_panic(
    expected = "the loop spins: 1000 times it read and wrote nothing, and it waits until a time that has passed"
)]
fn a_loop_that_comes_back_at_once_for_nothing_spins() {
    let mut transport = NonBlockingTransport::new(Trigger::Edge);
    loop {
        transport.wait(true, false, Some(Duration::ZERO));
    }
}

fn long_message(trigger: Trigger) -> NonBlockingTransport {
    let mut transport = NonBlockingTransport::new(trigger);
    transport.peer_sends(&Frame::new(0x82, vec![7; 60_000]).encode(Role::Server), &[]);
    transport.peer_ends();
    transport
}

#[test]
#[should_panic(expected = "deadlock: the loop waits for something that is already ready: ")]
fn a_loop_that_leaves_bytes_unread_is_not_told_again() {
    Echo::new(&small())
        .with_fault(ReadsOnceInATurn)
        .serve(&mut long_message(Trigger::Edge));
}

/// A deadline that would end the wait is no excuse.
#[test]
#[should_panic(expected = " B are unread, which an edge-triggered poller does not report again")]
fn a_loop_that_leaves_bytes_unread_until_its_deadline_is_found() {
    Echo::new(&deadlines())
        .with_fault(ReadsOnceInATurn)
        .serve(&mut long_message(Trigger::Edge));
}

#[test]
fn a_level_triggered_poller_reports_bytes_that_are_left_unread_again() {
    let mut transport = long_message(Trigger::Level);
    Echo::new(&small())
        .with_fault(ReadsOnceInATurn)
        .serve(&mut transport);
    assert_eq!(transport.written().len(), 60_004);
}

#[test]
#[should_panic(
    expected = "deadlock: the loop waits for something that is already ready: the end of the stream is unread"
)]
fn a_loop_that_does_not_read_to_the_end_is_found() {
    let mut transport = greeted(Trigger::Edge, 1);
    transport.peer_ends();
    // Both arrive while it does not watch.
    transport.wait(false, false, Some(seconds(1)));
    transport.read_exact(&mut [0; 11]).unwrap();
    transport.wait(true, false, None);
}

#[test]
#[should_panic(
    expected = "deadlock: the loop waits without end to read, while its last write was cut short and the transport accepts more"
)]
fn a_loop_that_never_watches_for_writing_waits_for_ever() {
    let mut transport = greeted(Trigger::Level, 1);
    Echo::new(&Config::new())
        .with_fault(NeverWatchesForWriting)
        .serve(&mut transport);
}

#[test]
#[should_panic(
    expected = "deadlock: the loop waits without end to read, while its last write was cut short and the transport accepts more"
)]
fn a_loop_that_never_watches_for_writing_waits_for_ever_edge_triggered() {
    let mut transport = greeted(Trigger::Edge, 1);
    Echo::new(&Config::new())
        .with_fault(NeverWatchesForWriting)
        .serve(&mut transport);
}

#[test]
#[should_panic(expected = "deadlock: the loop waits without end to write, while 99 B are unread")]
fn without_deadlines_a_peer_that_never_reads_is_waited_for_for_ever() {
    let mut transport = greeted(Trigger::Level, 10);
    transport.set_peer_reads(PeerReads::Never);
    Echo::new(&small()).serve(&mut transport);
}

#[test]
#[should_panic(expected = "the loop waits without end to read: the peer has nothing more to send")]
fn without_deadlines_a_silent_peer_is_waited_for_for_ever() {
    Echo::new(&small()).serve(&mut greeted(Trigger::Level, 1));
}

/// The last write has made room, but the events that waited for it stay in the buffer.
#[test]
#[should_panic(expected = "the loop waits without end to read: the peer has nothing more to send")]
fn a_loop_that_does_not_take_events_when_there_is_room_again_waits_for_ever() {
    let mut transport = NonBlockingTransport::new(Trigger::Level);
    transport.set_max_write(3);
    transport.peer_sends(&hello().encode(Role::Server).repeat(2), &[]);
    transport.peer_sends(&Frame::close(1000, "").encode(Role::Server), &[]);
    Echo::new(&small())
        .with_fault(WritesOnlyAfterTheEvents)
        .serve(&mut transport);
}

#[test]
#[should_panic(expected = "the loop waits without end to read: the peer has ended its stream")]
fn a_loop_that_watches_after_the_end_of_the_stream_is_told_nothing() {
    let mut transport = NonBlockingTransport::new(Trigger::Edge);
    transport.peer_ends();
    transport.wait(true, false, None);
    assert_eq!(transport.read(&mut [0]).unwrap(), 0);
    transport.wait(true, false, None);
}

/// The Ping goes into the output after the last write of the turn. A poller that reports once has reported long before that
/// the transport can be written to.
#[test]
#[should_panic(
    expected = "deadlock: the loop waits for something that is already ready: the transport can be written to"
)]
fn a_loop_that_leaves_the_ping_to_an_edge_triggered_poller_is_found() {
    let mut transport = greeted(Trigger::Edge, 1);
    Echo::new(&deadlines())
        .with_fault(LeavesThePingToThePoller)
        .serve(&mut transport);
}

#[test]
fn a_level_triggered_poller_reports_that_the_ping_can_be_written() {
    let mut transport = greeted(Trigger::Level, 1);
    let ending = Echo::new(&deadlines())
        .with_fault(LeavesThePingToThePoller)
        .serve(&mut transport);
    assert_eq!(ending.unwrap().timeout, Some(Timeout::Pong));
    let heard = assert_legal(Role::Server, transport.written());
    assert!(matches!(
        &heard[..],
        [OwnedEvent::Text(_), OwnedEvent::Ping(_)]
    ));
}

// The transport by itself.

fn would_block<T: std::fmt::Debug>(result: std::io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn pieces_arrive_one_after_the_other() {
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
        // Nothing comes behind the end.
        transport.peer_sends(b"more", &[]);
        transport.wait(false, false, Some(seconds(1)));
        assert_eq!(transport.read(&mut buffer).unwrap(), 0);
    }
}

/// What arrived together is read together, however it lies in memory: a read that is not filled has taken everything.
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
fn the_transport_takes_more_once_the_peer_has_read() {
    for trigger in Trigger::BOTH {
        let mut transport = NonBlockingTransport::new(trigger);
        transport.set_max_write(0); // is 1
        transport.set_max_write(3);
        assert_eq!(transport.write(b"").unwrap(), 0);
        // At first both pollers report it.
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
fn time_passes_up_to_the_next_thing_and_no_further() {
    for trigger in Trigger::BOTH {
        let mut transport = NonBlockingTransport::new(trigger);
        transport.set_latency(seconds(5));
        transport.peer_pauses(seconds(10));
        transport.peer_sends(b"s", &[]);
        assert_eq!(transport.wait(true, false, Some(seconds(4))), seconds(4));
        assert!(!transport.is_readable());
        // A time that has passed is no wait.
        assert_eq!(transport.wait(true, false, Some(seconds(3))), seconds(4));
        assert_eq!(transport.wait(true, false, Some(seconds(14))), seconds(14));
        assert_eq!(transport.wait(true, false, Some(seconds(100))), seconds(15));
        assert_eq!(transport.now(), seconds(15));
    }
}

/// What an edge-triggered poller reports while nobody watches is lost. A loop has to try.
#[test]
fn an_edge_is_reported_once() {
    let mut transport = NonBlockingTransport::new(Trigger::Edge);
    transport.peer_sends(b"sockless", &[4]);
    transport.wait(true, false, None);
    // Another piece is news, also while the first one is unread.
    assert_eq!(transport.wait(false, false, Some(seconds(1))), seconds(1));
    assert_eq!(transport.read(&mut [0; 100]).unwrap(), 8);
    assert_eq!(transport.wait(true, false, Some(seconds(2))), seconds(2));
    assert!(!transport.is_readable());
}
