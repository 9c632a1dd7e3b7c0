//! What two peers do. The tests of the target say what each seed comes to.

use sockless_fuzz::operations::{Operation, Step, write};

const CLIENT: bool = true;
const SERVER: bool = false;
const ALL: Operation = Operation::Transfer(u16::MAX);

/// Whether there is compression, chunks, a Pong and a Close left to the application; then the bound on output.
const PLAIN: [u8; 6] = [0, 0, 0, 0, 0xff, 0xff];
const CHUNKS: [u8; 6] = [0, 1, 0, 0, 0xff, 0xff];
const MANUAL: [u8; 6] = [0, 0, 1, 1, 0xff, 0xff];
const DEFLATE: [u8; 6] = [1, 0, 0, 0, 0xff, 0xff];
const NARROW: [u8; 6] = [0, 0, 0, 0, 4, 0];

fn text(text: &str) -> Operation {
    Operation::Text(text.into())
}

fn close(code: u16) -> Operation {
    Operation::Close(code, "bye".into())
}

pub(crate) fn seeds(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    let mut add = |name, config: [u8; 6], steps: &[Step]| {
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
}
