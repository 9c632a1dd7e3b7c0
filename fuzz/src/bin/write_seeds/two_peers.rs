//! What two peers do. The tests of the target say what each seed comes to.

use sockless_fuzz::operations::{Operation, Step, Whole, write};

const CLIENT: bool = true;
const SERVER: bool = false;
const ALL: Operation = Operation::Transfer(u16::MAX);

/// Whether there is compression, chunks, a Pong and a Close left to the application; which deadlines; the bound on output.
const PLAIN: [u8; 7] = [0, 0, 0, 0, 0, 0xff, 0xff];
const CHUNKS: [u8; 7] = [0, 1, 0, 0, 0, 0xff, 0xff];
const MANUAL: [u8; 7] = [0, 0, 1, 1, 0, 0xff, 0xff];
const DEFLATE: [u8; 7] = [1, 0, 0, 0, 0, 0xff, 0xff];
const NARROW: [u8; 7] = [0, 0, 0, 0, 0, 4, 0];
const DEADLINES: [u8; 7] = [0, 0, 0, 0, 1, 0xff, 0xff];
const SILENT: [u8; 7] = [0, 0, 1, 1, 1, 4, 0];
/// With compression.
const DEFLATE_DEADLINES: [u8; 7] = [1, 0, 0, 0, 1, 0xff, 0xff];
/// Nothing extends a deadline; or 25 s at most; or as long as anything moves.
const STRICT: [u8; 7] = [0, 0, 1, 1, 0b011, 0xff, 0xff];
const BOUNDED: [u8; 7] = [0, 0, 1, 1, 0b111, 0xff, 0xff];
const UNBOUNDED: [u8; 7] = [0, 0, 1, 1, 0b101, 0xff, 0xff];
/// Pings without a pause, and no time for a Close frame.
const IMPATIENT: [u8; 7] = [0, 0, 0, 0, 0b010_1001, 0xff, 0xff];
/// No Pings, and no deadline but for them.
const PATIENT: [u8; 7] = [0, 0, 1, 1, 0b1101_0001, 0xff, 0xff];

fn text(text: &str) -> Operation {
    Operation::Text(text.into())
}

fn shared(data: &[u8]) -> Operation {
    Operation::Shared(Whole::Binary(data.into()))
}

fn from(text: &str, n: u16) -> Operation {
    Operation::From(Whole::Text(text.into()), n)
}

fn seconds(n: u16) -> Operation {
    Operation::Time(100 * n)
}

fn close(code: u16) -> Operation {
    Operation::Close(code, "bye".into())
}

pub(crate) fn seeds(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    let mut add = |name, config: [u8; 7], steps: &[Step]| {
        add("two_peers", name, [&config[..], &write(steps)].concat());
    };
    let part = |part: &str, fin| Operation::TextFragment(part.into(), fin);
    let ping = |payload: &str| Operation::Ping(payload.into());
    add(
        "messages",
        PLAIN,
        &[
            (CLIENT, text("Hello")),
            (CLIENT, Operation::Binary(vec![0xff; 300])),
            (CLIENT, Operation::Transfer(9)),
            (SERVER, text("\u{3ba}\u{1f79}")),
            (SERVER, ping("there?")),
            (CLIENT, ALL),
            (CLIENT, Operation::ExchangeBuffer),
            (SERVER, Operation::SwapOutput),
            (SERVER, Operation::Pong(vec![])),
        ],
    );
    add(
        "fragments",
        CHUNKS,
        &[
            (CLIENT, part("Hel", false)),
            (CLIENT, ping("between")),
            (CLIENT, part("lo", true)),
            (CLIENT, ALL),
            (SERVER, Operation::BinaryFragment(vec![1; 200], true)),
        ],
    );
    add(
        "client_closes",
        PLAIN,
        &[
            (CLIENT, text("last")),
            (CLIENT, close(1000)),
            (SERVER, text("on its way")),
            (CLIENT, ALL),
            (SERVER, text("late")),
            (SERVER, ALL),
        ],
    );
    add(
        "both_close",
        PLAIN,
        &[
            (CLIENT, close(1001)),
            (SERVER, close(3000)),
            (SERVER, Operation::Transfer(1)),
        ],
    );
    add(
        "manual_replies",
        MANUAL,
        &[
            (CLIENT, ping("1")),
            (CLIENT, ping("2")),
            (CLIENT, close(1000)),
            (CLIENT, ALL),
            (SERVER, Operation::Pong(b"2".to_vec())),
            (SERVER, close(1005)),
        ],
    );
    add(
        "compressed",
        DEFLATE,
        &[
            (CLIENT, text(&"again and ".repeat(40))),
            (SERVER, part(&"again and ".repeat(40), false)),
            (SERVER, ping("between")),
            (SERVER, part("again", true)),
            (CLIENT, Operation::Transfer(3)),
            (SERVER, ALL),
            (CLIENT, close(1000)),
        ],
    );
    add(
        "corrupted",
        PLAIN,
        &[
            (CLIENT, text("Hello")),
            (CLIENT, Operation::SwapOutput),
            // A reserved bit: the server fails, and the client hears only its Close frame.
            (CLIENT, Operation::Corrupt(0, 0x40)),
            (CLIENT, ALL),
        ],
    );
    add(
        "refused",
        NARROW,
        &[
            (SERVER, text("fills it")),
            (SERVER, text("is refused")),
            (SERVER, part("too", false)),
            (SERVER, ping("too")),
            (CLIENT, Operation::Ping(vec![0; 126])),
            (CLIENT, Operation::Close(1006, String::new())),
        ],
    );
    add(
        "stream_ends",
        PLAIN,
        &[
            (CLIENT, text("heard")),
            (CLIENT, ALL),
            (CLIENT, text("not heard")),
            (SERVER, Operation::EndOfStream),
            (SERVER, text("refused")),
        ],
    );
    shared_and_lent(&mut add);
    endings(&mut add);
    deadlines(&mut add);
    extensions(&mut add);
    clocks(&mut add);
}

fn shared_and_lent(add: &mut impl FnMut(&'static str, [u8; 7], &[Step])) {
    for (name, config) in [("shared", PLAIN), ("shared_compressed", DEFLATE)] {
        add(
            name,
            config,
            &[
                (SERVER, text("before")),
                (SERVER, shared(&[1; 1500])),
                (SERVER, Operation::Ping(b"between".to_vec())),
                (SERVER, shared(&[2; 1100])),
                (SERVER, shared(&[3; 30])),
                (SERVER, text("after")),
                // It ends in the first shared one, then in the second.
                (SERVER, Operation::Transfer(3000)),
                (SERVER, text("in the middle of the first")),
                (SERVER, shared(&[6; 1100])),
                (SERVER, Operation::Transfer(6000)),
                (CLIENT, shared(&[4; 1500])),
                (CLIENT, Operation::Shared(Whole::Text("\u{3ba}".into()))),
                (SERVER, ALL),
                (SERVER, shared(&[5; 1500])),
                (SERVER, text("at once")),
                (SERVER, Operation::SwapOutput),
            ],
        );
    }
    add(
        "lent",
        PLAIN,
        &[
            (SERVER, text("before")),
            // The transport takes nothing, a part of what waits, a part of the payload, and all.
            (SERVER, from(&"0".repeat(100), 0)),
            (SERVER, from(&"1".repeat(100), 5)),
            (SERVER, shared(&[2; 1500])),
            (SERVER, from(&"3".repeat(100), 6900)),
            (SERVER, from(&"4".repeat(100), u16::MAX)),
            (CLIENT, from("masked", 9)),
            (CLIENT, ALL),
        ],
    );
    add(
        "lent_refused",
        NARROW,
        &[
            (SERVER, Operation::TextFragment("open".into(), false)),
            (SERVER, Operation::SwapOutput),
            (SERVER, from("between fragments", 9)),
            (SERVER, shared(&[1; 1500])),
            (SERVER, Operation::TextFragment("fills it".into(), true)),
            (SERVER, from("too much", 9)),
            (SERVER, shared(&[2; 1500])),
        ],
    );
}

/// What was received is delivered, however the stream ends.
fn endings(add: &mut impl FnMut(&'static str, [u8; 7], &[Step])) {
    let ping = || Operation::Ping(b"last".to_vec());
    for (name, end) in [
        ("unread_at_the_end", Operation::EndOfStream),
        ("unread_at_a_reset", Operation::Reset),
        ("unread_at_a_write_error", Operation::WriteError),
    ] {
        let steps = [
            (SERVER, text("half")),
            (SERVER, ping()),
            (SERVER, close(1008)),
            (CLIENT, text("not read")),
            (SERVER, Operation::Arrive(5)),
            (CLIENT, Operation::Transfer(3)),
            (SERVER, Operation::Arrive(u16::MAX)),
            (CLIENT, end),
            (CLIENT, text("refused")),
            (CLIENT, Operation::TakeEvents),
        ];
        add(name, PLAIN, &steps);
    }
    // The stream ends within a frame. Bytes after that end are lost.
    let cut = [
        (SERVER, text("whole")),
        (SERVER, text("cut off")),
        (SERVER, Operation::Arrive(9)),
        (CLIENT, Operation::EndOfStream),
        (SERVER, ALL),
        (CLIENT, Operation::TakeEvents),
    ];
    add("cut_off_at_the_end", PLAIN, &cut);
    // What is read after a failed write may still come, and break a rule.
    let read_on = [
        (CLIENT, text("not written")),
        (CLIENT, Operation::WriteError),
        (SERVER, text("heard")),
        (SERVER, ALL),
        (SERVER, text("wrong")),
        (SERVER, Operation::SwapOutput),
        (SERVER, Operation::Corrupt(0, 0x40)),
        (SERVER, ALL),
    ];
    add("wrong_after_a_write_error", PLAIN, &read_on);
    let waits = [
        (CLIENT, text("read")),
        (CLIENT, ALL),
        (CLIENT, text("not written")),
        (CLIENT, Operation::WriteError),
        (CLIENT, seconds(1)),
        (SERVER, Operation::Binary(vec![7; 100])),
        (SERVER, Operation::Transfer(50)),
        (CLIENT, seconds(9)),
        (CLIENT, seconds(9)),
        (SERVER, ALL),
        (CLIENT, seconds(9)),
        (CLIENT, seconds(10)),
        (CLIENT, seconds(0)),
    ];
    add("silent_after_a_write_error", DEADLINES, &waits);
    // The Close frame was written before writing failed, or not, so that the answer makes the end clean or not.
    for (name, written) in [("close_written", u16::MAX), ("close_dropped", 3)] {
        let steps = [
            (CLIENT, close(1000)),
            (CLIENT, Operation::Transfer(written)),
            (SERVER, close(1000)),
            (CLIENT, Operation::WriteError),
            (SERVER, ALL),
        ];
        add(name, MANUAL, &steps);
    }
    // The client has ended only its own side, and reads the rest.
    let rest = [
        (SERVER, seconds(0)),
        (SERVER, text("the rest")),
        (SERVER, Operation::EndOfStream),
        (SERVER, seconds(0)),
        (SERVER, seconds(9)),
        (SERVER, Operation::Transfer(3)),
        (SERVER, seconds(9)),
        (SERVER, ALL),
        (SERVER, seconds(60)),
    ];
    add("output_after_the_end", DEADLINES, &rest);
    let unread = [
        (SERVER, seconds(0)),
        (SERVER, text("never read")),
        (SERVER, Operation::EndOfStream),
        (SERVER, seconds(0)),
        (SERVER, seconds(10)),
        (SERVER, seconds(0)),
    ];
    add("output_after_the_end_not_read", DEADLINES, &unread);
}

fn deadlines(add: &mut impl FnMut(&'static str, [u8; 7], &[Step])) {
    // A Ping of each side's own, and what comes of it at the other.
    let mut alive = vec![(CLIENT, seconds(5)), (SERVER, seconds(0))];
    for _ in 0..3 {
        alive.extend([
            (CLIENT, Operation::Time(1999)),
            (CLIENT, Operation::Time(1)),
            (SERVER, seconds(0)),
            (CLIENT, ALL),
            (SERVER, ALL),
            (CLIENT, ALL),
            (CLIENT, seconds(14)),
            (SERVER, seconds(0)),
        ]);
    }
    add("kept_alive", DEADLINES, &alive);
    // The server pings although its output is full, and the client does not answer.
    let silent = [
        (SERVER, seconds(3)),
        (SERVER, text("fills it")),
        (SERVER, seconds(20)),
        (SERVER, ALL),
        // What was taken gives as much time again.
        (SERVER, Operation::Time(1499)),
        (SERVER, Operation::Time(1499)),
        (SERVER, Operation::Time(1)),
        (SERVER, seconds(0)),
        (SERVER, text("late")),
    ];
    add("given_up", SILENT, &silent);
    // The client answers what it cannot have read, and not when it has.
    let guessed = [
        (SERVER, seconds(0)),
        (SERVER, seconds(20)),
        (CLIENT, Operation::Pong(vec![0, 0, 0, 1])),
        (CLIENT, ALL),
        (SERVER, seconds(0)),
        (SERVER, Operation::Transfer(5)),
        (CLIENT, Operation::Pong(vec![0, 0, 0, 1])),
        (CLIENT, ALL),
        (SERVER, ALL),
        (SERVER, seconds(15)),
        (SERVER, seconds(0)),
    ];
    add("guessed_pong", SILENT, &guessed);
    // The Ping is written with a lent message, so the next one may follow.
    let lent = [
        (SERVER, seconds(0)),
        (SERVER, seconds(20)),
        (SERVER, from("behind it", u16::MAX)),
        (SERVER, Operation::Transfer(0)),
        (CLIENT, ALL),
        (SERVER, seconds(0)),
        (SERVER, seconds(20)),
    ];
    add("lent_behind_ping", DEADLINES, &lent);
    // A later Ping of the application is answered in place of both.
    let later = [
        (CLIENT, seconds(0)),
        (CLIENT, seconds(20)),
        (CLIENT, ALL),
        (CLIENT, Operation::Ping(b"mine".to_vec())),
        (CLIENT, ALL),
        (SERVER, Operation::Pong(b"mine".to_vec())),
        (SERVER, ALL),
        (CLIENT, seconds(15)),
        (CLIENT, seconds(19)),
        (CLIENT, seconds(1)),
    ];
    add("later_ping", SILENT, &later);
    // Time counts from when it is first told after the Close frame.
    let no_close = [
        (CLIENT, seconds(1)),
        (CLIENT, close(1000)),
        (CLIENT, seconds(60)),
        (CLIENT, Operation::Time(999)),
        (CLIENT, Operation::Time(1)),
        (CLIENT, seconds(0)),
    ];
    add("close_not_answered", DEADLINES, &no_close);
    // The client waits for the server to end the stream.
    let no_end = [
        (CLIENT, close(1000)),
        (CLIENT, ALL),
        (SERVER, seconds(1)),
        (SERVER, ALL),
        (CLIENT, seconds(1)),
        (CLIENT, seconds(10)),
        (CLIENT, seconds(0)),
        (SERVER, seconds(600)),
    ];
    add("stream_not_ended", DEADLINES, &no_end);
    // The Pong was there in time, and is read in the turn after the deadline.
    let late = [
        (SERVER, seconds(0)),
        (SERVER, seconds(20)),
        (SERVER, ALL),
        (CLIENT, Operation::Arrive(u16::MAX)),
        (SERVER, seconds(100)),
        (SERVER, Operation::TakeEvents),
        (SERVER, seconds(0)),
    ];
    add("read_in_the_last_turn", DEADLINES, &late);
    let late = [
        (CLIENT, seconds(0)),
        (CLIENT, close(1000)),
        (CLIENT, seconds(0)),
        (CLIENT, ALL),
        (SERVER, Operation::Arrive(u16::MAX)),
        (CLIENT, seconds(100)),
        (CLIENT, Operation::TakeEvents),
        (CLIENT, seconds(0)),
        (CLIENT, Operation::EndOfStream),
    ];
    add("close_in_the_last_turn", DEADLINES, &late);
    // The application sends a Ping before it can be written, and the client answers that.
    let guessed = [
        (SERVER, seconds(0)),
        (SERVER, seconds(20)),
        (SERVER, Operation::SwapOutput),
        (SERVER, Operation::Ping(b"mine".to_vec())),
        (CLIENT, Operation::Pong(b"mine".to_vec())),
        (CLIENT, ALL),
        (SERVER, seconds(0)),
        (SERVER, ALL),
        (SERVER, Operation::Ping(b"another".to_vec())),
        (CLIENT, Operation::Pong(b"mine".to_vec())),
        (CLIENT, ALL),
        (SERVER, seconds(0)),
    ];
    add("guessed_pong_to_a_later_ping", SILENT, &guessed);
    // A Ping waits for the end of a compressed message, but no longer than one more interval.
    let fragment = |fin| Operation::TextFragment("part".into(), fin);
    let held = [
        (SERVER, seconds(0)),
        (SERVER, fragment(false)),
        (SERVER, seconds(20)),
        (SERVER, Operation::Time(1999)),
        (SERVER, fragment(true)),
        (SERVER, seconds(0)),
        (SERVER, ALL),
        (CLIENT, ALL),
        (SERVER, seconds(0)),
        (SERVER, fragment(false)),
        (SERVER, seconds(20)),
        (SERVER, seconds(20)),
    ];
    add("held_ping", DEFLATE_DEADLINES, &held);
    add("ping_between_fragments", DEADLINES, &held);
    let impatient = [
        (CLIENT, seconds(1)),
        (CLIENT, ALL),
        (SERVER, ALL),
        (CLIENT, seconds(0)),
        (CLIENT, seconds(0)),
        (CLIENT, close(1000)),
        (CLIENT, seconds(0)),
        (CLIENT, seconds(0)),
        (CLIENT, seconds(0)),
    ];
    add("impatient", IMPATIENT, &impatient);
    let patient = [
        (CLIENT, seconds(600)),
        (CLIENT, seconds(600)),
        (CLIENT, close(1000)),
        (CLIENT, seconds(600)),
        (CLIENT, Operation::LargestTime),
        (CLIENT, seconds(600)),
    ];
    add("patient", PATIENT, &patient);
    // Without deadlines nothing comes of time.
    let never = [
        (CLIENT, seconds(600)),
        (CLIENT, seconds(600)),
        (SERVER, seconds(600)),
    ];
    add("no_deadlines", PLAIN, &never);
}

/// Bytes that move extend a deadline, up to a bound.
fn extensions(add: &mut impl FnMut(&'static str, [u8; 7], &[Step])) {
    // The server waits for a Pong, while the client sends a message or other things.
    let pinged = [(SERVER, seconds(0)), (SERVER, seconds(20)), (SERVER, ALL)];
    let mut steady = vec![(CLIENT, Operation::Binary(vec![7; 200]))];
    let mut control = vec![];
    let mut written = vec![(SERVER, Operation::Binary(vec![7; 200]))];
    for _ in 0..14 {
        steady.extend([(CLIENT, Operation::Transfer(10)), (SERVER, seconds(7))]);
        control.extend([
            (CLIENT, Operation::Ping(b"still here".to_vec())),
            (CLIENT, Operation::Pong(b"of no Ping".to_vec())),
            (CLIENT, ALL),
            (SERVER, seconds(5)),
        ]);
        // It counts as written when the loop wrote last, which is when the time was passed before.
        written.extend([(SERVER, Operation::Transfer(10)), (SERVER, seconds(7))]);
    }
    for (name, config, moves) in [
        ("steady_message", UNBOUNDED, &steady),
        ("steady_message_bounded", BOUNDED, &steady),
        ("steady_message_strict", STRICT, &steady),
        ("control_frames_extend_nothing", UNBOUNDED, &control),
        ("steady_reader", UNBOUNDED, &written),
        ("steady_reader_bounded", BOUNDED, &written),
        ("steady_reader_strict", STRICT, &written),
    ] {
        add(name, config, &[&pinged[..], moves].concat());
    }
    // Half a message comes in the turn after the deadline, which gives more time, or with the bound only more turns.
    let backlog = [
        (CLIENT, Operation::Binary(vec![7; 200])),
        (SERVER, seconds(100)),
        (CLIENT, Operation::Transfer(50)),
        (SERVER, seconds(0)),
        (CLIENT, Operation::Transfer(50)),
        (SERVER, seconds(0)),
        (SERVER, seconds(14)),
        (CLIENT, Operation::Transfer(50)),
        (SERVER, seconds(0)),
        (CLIENT, Operation::Transfer(5)),
        (SERVER, seconds(2)),
        (SERVER, seconds(0)),
    ];
    for (name, config) in [
        ("backlog", UNBOUNDED),
        ("backlog_bounded", BOUNDED),
        ("backlog_strict", STRICT),
    ] {
        add(name, config, &[&pinged[..], &backlog].concat());
    }
    // The same for a Close frame.
    let mut closing = vec![
        (CLIENT, seconds(0)),
        (CLIENT, close(1000)),
        (CLIENT, seconds(0)),
        (SERVER, Operation::Binary(vec![7; 200])),
    ];
    for _ in 0..8 {
        closing.extend([(SERVER, Operation::Transfer(10)), (CLIENT, seconds(6))]);
    }
    closing.extend([
        (CLIENT, seconds(10)),
        (CLIENT, seconds(0)),
        (CLIENT, seconds(0)),
    ]);
    add("steady_message_before_the_close", UNBOUNDED, &closing);
    add("steady_message_before_the_close_bounded", BOUNDED, &closing);
}

/// Clocks that go back or jump.
fn clocks(add: &mut impl FnMut(&'static str, [u8; 7], &[Step])) {
    let back = [
        (SERVER, seconds(100)),
        (SERVER, seconds(20)),
        (SERVER, Operation::TimeBack(5000)),
        (SERVER, ALL),
        (CLIENT, ALL),
        (SERVER, Operation::TimeBack(1000)),
        (SERVER, seconds(10)),
        (SERVER, close(1000)),
        (SERVER, Operation::TimeBack(u16::MAX)),
        (SERVER, seconds(129)),
        (SERVER, seconds(1)),
        (SERVER, Operation::TimeBack(u16::MAX)),
    ];
    add("clock_goes_back", DEADLINES, &back);
    let largest = [
        (SERVER, seconds(1)),
        (SERVER, Operation::LargestTime),
        (SERVER, seconds(1)),
        (SERVER, ALL),
        (CLIENT, ALL),
        (SERVER, seconds(1)),
        (SERVER, seconds(1)),
        (SERVER, ALL),
        (SERVER, seconds(1)),
        (SERVER, seconds(1)),
        (CLIENT, Operation::LargestTime),
    ];
    add("largest_time", DEADLINES, &largest);
}
