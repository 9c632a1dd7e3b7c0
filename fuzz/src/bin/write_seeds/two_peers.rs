//! What two peers do. The tests of the target say what each seed comes to.

use sockless_fuzz::operations::{Operation, Step, Whole, write};

const CLIENT: bool = true;
const SERVER: bool = false;
const ALL: Operation = Operation::Transfer(u16::MAX);

/// Whether there is compression, chunks, a Pong and a Close left to the application, deadlines; then the bound on output.
const PLAIN: [u8; 7] = [0, 0, 0, 0, 0, 0xff, 0xff];
const CHUNKS: [u8; 7] = [0, 1, 0, 0, 0, 0xff, 0xff];
const MANUAL: [u8; 7] = [0, 0, 1, 1, 0, 0xff, 0xff];
const DEFLATE: [u8; 7] = [1, 0, 0, 0, 0, 0xff, 0xff];
const NARROW: [u8; 7] = [0, 0, 0, 0, 0, 4, 0];
const DEADLINES: [u8; 7] = [0, 0, 0, 0, 1, 0xff, 0xff];
const SILENT: [u8; 7] = [0, 0, 1, 1, 1, 4, 0];

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
    deadlines(&mut add);
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
        (SERVER, Operation::Time(1499)),
        (SERVER, Operation::Time(1)),
        (SERVER, text("late")),
    ];
    add("given_up", SILENT, &silent);
    // The client answers what it has not read, and is asked nothing more until it does.
    let guessed = [
        (SERVER, seconds(0)),
        (SERVER, seconds(20)),
        (CLIENT, Operation::Pong(vec![0, 0, 0, 1])),
        (CLIENT, ALL),
        (SERVER, seconds(0)),
        (SERVER, seconds(20)),
        (SERVER, ALL),
        (SERVER, seconds(15)),
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
        (SERVER, seconds(600)),
    ];
    add("stream_not_ended", DEADLINES, &no_end);
    // Without deadlines nothing comes of time.
    let never = [
        (CLIENT, seconds(600)),
        (CLIENT, seconds(600)),
        (SERVER, seconds(600)),
    ];
    add("no_deadlines", PLAIN, &never);
}
