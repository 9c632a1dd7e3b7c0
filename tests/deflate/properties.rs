//! Properties of all messages with all options (RFC 7692, section 7).

use std::fmt;

use flate2::{Compress, Compression, FlushCompress};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sockless::test_util::strategies::roles;
use sockless::test_util::{Frame, OwnedEvent, Pair, Role, cuts_at, encode, join_parts};
use sockless::{Codecs, Config, Deflate, Delivery, ProtocolError, SharedMessage};

use super::cases::cases;
use super::data::json;
use super::listener::Listener;
use super::reference::{TAIL, inflate};
use super::{
    DELIVERIES, agreed, agreed_peer, everything, fragments, noise, pair, run, with,
    without_peer_takeover,
};

/// Ascending places between 0 and `length`.
fn places(cuts: &[Index], length: usize) -> Vec<usize> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
    places.sort_unstable();
    places
}

// ---- Messages ----

#[derive(Clone)]
struct Message {
    text: bool,
    data: Vec<u8>,
    /// Where the message is cut into fragments. Without a cut it is sent whole.
    cuts: Vec<usize>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = String::from_utf8_lossy(&self.data[..self.data.len().min(40)]);
        let kind = if self.text { "text" } else { "binary" };
        let length = self.data.len();
        write!(f, "{kind} {length} {data:?} cut at {:?}", self.cuts)
    }
}

impl Message {
    fn as_text(&self) -> &str {
        std::str::from_utf8(&self.data).unwrap()
    }

    fn owned(&self) -> OwnedEvent {
        if self.text {
            OwnedEvent::text(self.as_text())
        } else {
            OwnedEvent::binary(&self.data)
        }
    }

    fn shared(&self) -> SharedMessage {
        if self.text {
            SharedMessage::text(self.as_text())
        } else {
            SharedMessage::binary(&self.data)
        }
    }
}

/// Text that repeats parts of itself and of other texts.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => select(vec!["{\"id\": ", "\"name\"", ", ", "the value ", "}\n", "\u{20ac}", "\u{1f496}\u{1f496}"])
            .prop_map(String::from),
        2 => "[a-z]{1,8}",
        1 => any::<char>().prop_map(String::from),
    ];
    (
        vec(word, 0..30),
        prop_oneof![5 => Just(1), 1 => 2..40_usize],
    )
        .prop_map(|(words, times)| words.concat().repeat(times))
}

fn binary() -> impl Strategy<Value = Vec<u8>> {
    let few = select(vec![b'a', b'b', 0, 0xff]);
    // Excerpts of three sources, because messages must repeat each other at many distances.
    let excerpt = |most: usize| {
        (0..3_u32, 0..most, 0..1500_usize).prop_map(|(seed, from, length): (u32, usize, usize)| {
            noise(from + length, seed).split_off(from)
        })
    };
    prop_oneof![
        4 => vec(any::<u8>(), 0..60),
        3 => vec(few, 0..400),
        3 => excerpt(1000),
        1 => (excerpt(1000), 1..30_usize).prop_map(|(data, times)| data.repeat(times)),
        1 => (any::<u8>(), 0..40_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let body = prop_oneof![
        text().prop_map(|text| (true, text.into_bytes())),
        binary().prop_map(|data| (false, data)),
    ];
    let cuts = prop_oneof![1 => Just(vec![]), 1 => vec(any::<Index>(), 1..5)];
    (body, cuts).prop_map(|((text, data), cuts)| {
        let mut cuts = places(&cuts, data.len());
        if text {
            // Fragments to send have whole characters.
            let text = std::str::from_utf8(&data).unwrap();
            for cut in &mut cuts {
                *cut = (0..=*cut).rfind(|at| text.is_char_boundary(*at)).unwrap();
            }
        }
        Message { text, data, cuts }
    })
}

fn deliveries() -> impl Strategy<Value = Delivery> {
    select(DELIVERIES.to_vec())
}

/// Sizes of reads, which are used in turn.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![2 => 1..20_usize, 2 => 20..3000_usize, 1 => Just(100_000)];
    vec(size, 1..6)
}

fn cuts(length: usize, sizes: &[usize]) -> Vec<usize> {
    let mut at = 0;
    let ends = sizes.iter().cycle().map(|size| {
        at += size;
        at
    });
    // Single bytes of a long message would take too long.
    let least = length / 300;
    let mut cuts: Vec<_> = ends.take_while(|end| *end < length).collect();
    cuts.dedup_by(|next, last| *next - *last < least);
    cuts
}

// ---- Both sides, and another library that listens ----

fn wishes() -> impl Strategy<Value = Deflate> {
    let windows = || prop_oneof![9..=15_u8, Just(15)];
    let takeover = || prop::bool::weighted(0.6);
    let tables = (0..=10_u8, 0..=10_u8, select(vec![0, 1, 30, 128, 2000]));
    (tables, windows(), windows(), takeover(), takeover()).prop_map(
        |((level, memory_level, min_size), own, peer, takeover, peer_takeover)| {
            Deflate::new()
                .with_level(level)
                .with_memory_level(memory_level)
                .with_min_size(min_size)
                .with_max_window_bits(own)
                .with_peer_max_window_bits(peer)
                .with_context_takeover(takeover)
                .with_peer_context_takeover(peer_takeover)
        },
    )
}

/// A configuration of one side.
fn configs() -> impl Strategy<Value = Config> {
    (wishes(), deliveries()).prop_map(|(wishes, delivery)| {
        let config = with(wishes).with_delivery(delivery);
        config.with_max_output(usize::MAX)
    })
}

#[derive(Clone, Debug)]
enum Step {
    Send(Message),
    /// A message with a Ping after every fragment. The peer receives each Ping at once.
    Interrupted(Message),
    /// One of the messages that all connections share.
    Share(usize),
    /// The data of this message, in a message of the connection.
    Copy(usize),
    /// Whether the next messages are compressed.
    Compress(bool),
    Move,
    Lend,
    Reclaim,
}

fn steps() -> impl Strategy<Value = Vec<(Role, Step)>> {
    let step = prop_oneof![
        6 => message().prop_map(Step::Send),
        2 => message().prop_map(Step::Interrupted),
        5 => (0..3_usize).prop_map(Step::Share),
        3 => (0..3_usize).prop_map(Step::Copy),
        2 => prop::bool::weighted(0.8).prop_map(Step::Compress),
        3 => Just(Step::Move),
        2 => Just(Step::Lend),
        2 => Just(Step::Reclaim),
    ];
    vec((roles(), step), 1..20)
}

/// One direction of a connection.
struct Direction {
    min_size: usize,
    listener: Listener,
    sent: Vec<OwnedEvent>,
    heard: Vec<OwnedEvent>,
}

impl Direction {
    fn new(from: &Config, to: &Config) -> Self {
        let (from, to) = (from.deflate.as_ref(), to.deflate.as_ref());
        let (from, to) = (from.unwrap(), to.unwrap());
        let bits = from.max_window_bits.min(to.peer_max_window_bits);
        let takeover = from.context_takeover && to.peer_context_takeover;
        Self {
            min_size: from.min_size,
            listener: Listener::new(bits, takeover),
            sent: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn hear(&mut self, output: &[u8]) {
        for message in self.listener.hear(output) {
            let size = message.event.data().len();
            assert!(!message.compressed || message.fragments > 1 || size >= self.min_size);
            self.heard.push(message.event);
        }
    }
}

struct Talk {
    pair: Pair,
    from_client: Direction,
    from_server: Direction,
}

impl Talk {
    fn new(server: &Config, client: &Config) -> Self {
        Self {
            pair: pair(server, client),
            from_client: Direction::new(client, server),
            from_server: Direction::new(server, client),
        }
    }

    fn from(&mut self, role: Role) -> &mut Direction {
        match role {
            Role::Client => &mut self.from_client,
            Role::Server => &mut self.from_server,
        }
    }

    /// Sends the message, and does something after each fragment.
    fn send(&mut self, role: Role, message: &Message, mut after: impl FnMut(&mut Self)) {
        let last = message.cuts.len();
        for (i, piece) in cuts_at(&message.data, &message.cuts).enumerate() {
            let connection = &mut self.pair.peer(role).connection;
            let text = || std::str::from_utf8(piece).unwrap();
            match (message.text, last) {
                (true, 0) => connection.send_text(text()),
                (false, 0) => connection.send_binary(piece),
                (true, _) => connection.send_text_fragment(text(), i == last),
                (false, _) => connection.send_binary_fragment(piece, i == last),
            }
            .unwrap();
            after(self);
        }
        self.from(role).sent.push(message.owned());
    }

    fn share(&mut self, role: Role, message: &SharedMessage, event: OwnedEvent) {
        let connection = &mut self.pair.peer(role).connection;
        connection.send_shared(message).unwrap();
        self.from(role).sent.push(event);
    }

    /// Everything has arrived.
    fn check(&mut self, sizes: &[usize]) {
        for role in [Role::Client, Role::Server, Role::Client, Role::Server] {
            self.deliver(role, sizes);
        }
        for role in Role::BOTH {
            let other = self.pair.peer(role.other());
            assert!(other.buffer.is_empty());
            let (mut received, open) = join_parts(&other.events());
            received.retain(|event| !matches!(event, OwnedEvent::Ping(_) | OwnedEvent::Pong(_)));
            assert_eq!(open, None);
            let direction = self.from(role);
            assert!(direction.sent == direction.heard);
            assert!(direction.sent == received);
        }
    }

    /// Brings the output of one role to the other.
    fn deliver(&mut self, role: Role, sizes: &[usize]) {
        let output = self.pair.peer(role).write_all();
        self.from(role).hear(&output);
        let other = self.pair.peer(role.other());
        for piece in cuts_at(&output, &cuts(output.len(), sizes)) {
            other.receive(piece);
        }
        assert_eq!(other.error, None);
    }
}

proptest! {
    #![proptest_config(cases(100))]

    /// Connections with different options use the same codecs and send the same shared messages, among others. The peer
    /// and another library receive everything that was sent, however it is compressed and cut.
    #[test]
    fn both_sides_understand_each_other(
        shared in vec((message(), prop::option::of(wishes())), 3),
        connections in vec((configs(), configs(), steps()), 1..4),
        sizes in sizes(),
    ) {
        let mut codecs = Codecs::new();
        let all: Vec<_> = shared.iter().map(|(message, ahead)| {
            let all = message.shared();
            if let Some(wishes) = ahead {
                all.compress(wishes);
            }
            all
        }).collect();
        for (server, client, steps) in connections {
            let mut talk = Talk::new(&server, &client);
            for (role, step) in steps {
                let connection = &mut talk.pair.peer(role).connection;
                match step {
                    Step::Send(message) => talk.send(role, &message, |_| ()),
                    Step::Interrupted(message) => talk.send(role, &message, |talk| {
                        talk.pair.peer(role).connection.send_ping(b"ping").unwrap();
                        talk.deliver(role, &sizes);
                    }),
                    Step::Share(i) => talk.share(role, &all[i], shared[i].0.owned()),
                    Step::Copy(i) => talk.send(role, &shared[i].0, |_| ()),
                    Step::Compress(compress) => connection.compress_messages(compress),
                    Step::Move => talk.deliver(role, &sizes),
                    Step::Lend => connection.lend_codecs(&mut codecs),
                    Step::Reclaim => connection.reclaim_codecs(&mut codecs),
                }
            }
            talk.check(&sizes);
            for role in Role::BOTH {
                talk.pair.peer(role).connection.reclaim_codecs(&mut codecs);
            }
        }
    }
}

/// Every window, with and without context takeover. The messages of a connection repeat each other, and a shared
/// message between them must not break their references.
#[test]
fn shared_messages_of_many_sizes_between_others() {
    let mut codecs = Codecs::new();
    let text = |length, number, cuts| Message {
        text: true,
        data: json(length, number).into_bytes(),
        cuts,
    };
    for (bits, takeover) in (9..=15).flat_map(|bits| [(bits, true), (bits, false)]) {
        let wishes = Deflate::new()
            .with_max_window_bits(bits)
            .with_peer_max_window_bits(bits)
            .with_context_takeover(takeover)
            .with_peer_context_takeover(takeover);
        let config = with(wishes).with_max_output(usize::MAX);
        let mut talk = Talk::new(&config, &config.clone().with_delivery(Delivery::Chunks));
        for length in [0, 1, 127, 128, 129, 4095, 4096, 4097, 33_000] {
            let message = text(length, length, vec![]);
            let all = message.shared();
            for role in Role::BOTH {
                talk.pair.peer(role).connection.lend_codecs(&mut codecs);
                for own in [
                    text(300, 1, vec![]),
                    text(300, 1, vec![100]),
                    message.clone(),
                ] {
                    talk.share(role, &all, message.owned());
                    talk.send(role, &own, |_| ());
                }
                talk.pair.peer(role).connection.reclaim_codecs(&mut codecs);
            }
        }
        talk.check(&[3000]);
    }
}

// ---- Messages from another library ----

/// How the other library compresses a message.
#[derive(Clone, Debug)]
struct Style {
    level: u32,
    /// Where blocks end inside the message.
    flushes: Vec<Index>,
    /// Whether the last block has BFINAL. The next message then refers to nothing before it.
    bfinal: bool,
    /// Whether the message is not compressed.
    plain: bool,
    /// Whether a Ping follows each fragment.
    ping: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let often = prop::bool::weighted(0.2);
    (0..=9_u32, vec(any::<Index>(), 0..3), often, often, often).prop_map(
        |(level, flushes, bfinal, plain, ping)| Style {
            level,
            flushes,
            bfinal,
            plain,
            ping,
        },
    )
}

fn compress(stream: &mut Compress, data: &[u8], style: &Style) -> Vec<u8> {
    let ends = places(&style.flushes, data.len());
    let mut payload = Vec::new();
    for (i, mut input) in cuts_at(data, &ends).enumerate() {
        let flush = if style.bfinal && i == ends.len() {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        };
        loop {
            payload.reserve(input.len() + 128);
            let read = stream.total_in();
            stream.compress_vec(input, &mut payload, flush).unwrap();
            input = &input[usize::try_from(stream.total_in() - read).unwrap()..];
            if input.is_empty() && payload.len() < payload.capacity() {
                break;
            }
        }
    }
    if style.bfinal {
        // RFC 7692, section 7.2.3.4.
        payload.push(0);
        stream.reset();
    } else if payload.ends_with(&TAIL) {
        payload.truncate(payload.len() - TAIL.len());
    }
    if payload.is_empty() {
        payload.push(0);
    }
    payload
}

/// The frames of a message.
fn frames(text: bool, payload: &[u8], style: &Style, cuts: &[Index]) -> Vec<Frame> {
    let opcode = if text { 0x81 } else { 0x82 };
    let rsv1 = if style.plain { 0 } else { 0x40 };
    let frames = fragments(opcode | rsv1, payload, &places(cuts, payload.len()));
    let ping = style.ping.then(|| Frame::new(0x89, "ping"));
    let frames = frames.into_iter().map(|it| [Some(it), ping.clone()]);
    frames.flatten().flatten().collect()
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn messages_of_another_library_are_understood(
        role in roles(),
        takeover in any::<bool>(),
        delivery in deliveries(),
        messages in vec((message(), style(), vec(any::<Index>(), 0..4)), 1..8),
        sizes in sizes(),
    ) {
        let mut stream = Compress::new(Compression::new(messages[0].1.level), false);
        let (mut all, mut expected) = (Vec::new(), Vec::new());
        for (message, style, cuts) in &messages {
            let payload = if style.plain {
                message.data.clone()
            } else {
                compress(&mut stream, &message.data, style)
            };
            if !takeover {
                stream.reset();
            }
            all.extend(frames(message.text, &payload, style, cuts));
            expected.push(message.owned());
        }
        let deflate = Deflate::new().with_peer_context_takeover(takeover);
        let config = with(deflate).with_delivery(delivery);
        let connection = if takeover {
            agreed(role, &config)
        } else {
            without_peer_takeover(role, &config)
        };
        let bytes = encode(&all, role);
        let mut outcome = run(connection, &bytes, &cuts(bytes.len(), &sizes));
        outcome.events.retain(|event| !matches!(event, OwnedEvent::Ping(_)));
        prop_assert_eq!(outcome.error, None);
        prop_assert!(outcome.events == expected);
        prop_assert_eq!(outcome.open, None);
    }
}

// ---- Damaged messages ----

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Append(Vec<u8>),
    Replace(Vec<u8>),
    /// The message stays as it is.
    None,
}

impl Damage {
    fn apply(&self, payload: &mut Vec<u8>) {
        let length = payload.len();
        match self {
            Self::Flip(at, bit) if length > 0 => payload[at.index(length)] ^= 1 << bit,
            Self::Cut(at) => payload.truncate(at.index(length + 1)),
            Self::Insert(at, bytes) => {
                let at = at.index(length + 1);
                payload.splice(at..at, bytes.iter().copied());
            }
            Self::Remove(at, n) => {
                let at = at.index(length + 1);
                payload.drain(at..length.min(at + n));
            }
            Self::Append(bytes) => payload.extend(bytes),
            Self::Replace(bytes) => payload.clone_from(bytes),
            Self::Flip(..) | Self::None => {}
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let i = any::<Index>;
    let bytes = || {
        prop_oneof![
            vec(any::<u8>(), 1..40),
            vec(select(vec![0, 0xff]), 1..7),
            // Whole blocks and beginnings of blocks.
            Just(vec![0, 0, 0xff, 0xff]),
            Just(vec![0x03, 0x00]),
            Just(vec![0x04, 0xc0, 0x81, 0x08]),
        ]
    };
    prop_oneof![
        4 => (i(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => i().prop_map(Damage::Cut),
        2 => (i(), bytes()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (i(), 1..5_usize).prop_map(|(at, n)| Damage::Remove(at, n)),
        2 => bytes().prop_map(Damage::Append),
        1 => vec(any::<u8>(), 0..60).prop_map(Damage::Replace),
        1 => Just(Damage::None),
    ]
}

const FIRST_BYTES: [u8; 12] = [
    0x00, 0x01, 0x40, 0x41, 0x42, 0x80, 0x81, 0xc0, 0xc1, 0xc2, 0x89, 0xc9,
];

proptest! {
    #![proptest_config(cases(500))]

    /// Damaged messages fail or are delivered, as the reference decides.
    #[test]
    fn damage_is_found(
        role in roles(),
        delivery in deliveries(),
        limit in prop_oneof![2 => Just(1_usize << 24), 1 => 0..300_usize],
        messages in vec((message(), style(), vec(any::<Index>(), 0..3), damage()), 1..4),
        sizes in sizes(),
    ) {
        let mut other = Compress::new(Compression::new(messages[0].1.level), false);
        let (mut all, mut expected, mut before) = (Vec::new(), Vec::new(), Vec::new());
        let mut verdict = None;
        for (message, style, cuts, damage) in &messages {
            let mut message = message.clone();
            message.data.truncate(1500);
            message.text &= std::str::from_utf8(&message.data).is_ok();
            let mut payload = compress(&mut other, &message.data, style);
            damage.apply(&mut payload);
            let style = Style { plain: false, ping: false, ..style.clone() };
            all.extend(frames(message.text, &payload, &style, cuts));
            if verdict.is_some() {
                continue;
            }
            let inflated = inflate(&payload, &before);
            let text = std::str::from_utf8(&inflated.data);
            // The reads decide which of several errors sockless finds first.
            let mut wrong = Vec::new();
            if inflated.data.len() > limit {
                wrong.push(ProtocolError::MessageTooLarge);
            }
            if !inflated.whole {
                wrong.push(ProtocolError::CorruptCompression);
            }
            if message.text && text.is_err() {
                wrong.push(ProtocolError::InvalidUtf8);
            }
            if wrong.is_empty() {
                before.extend(&inflated.data);
                expected.push(match text {
                    Ok(text) if message.text => OwnedEvent::text(text),
                    _ => OwnedEvent::Binary(inflated.data),
                });
            } else {
                verdict = Some((wrong, inflated.data));
            }
        }
        let config = everything().with_delivery(delivery).with_max_message_size(limit as u64);
        let bytes = encode(&all, role);
        let cuts = cuts(bytes.len(), &sizes);
        let mut outcome = run(agreed(role, &config), &bytes, &cuts);
        prop_assert!(outcome.events == expected, "{:?}\n{:?}", outcome, expected);
        match (outcome.error, &verdict) {
            (None, None) => prop_assert_eq!(outcome.open, None),
            (Some(error), Some((wrong, data))) => {
                prop_assert!(wrong.contains(&error), "{:?} of {:?}", error, wrong);
                if let Some(open) = outcome.open.take() {
                    prop_assert_eq!(delivery, Delivery::Chunks);
                    prop_assert!(data.starts_with(open.data()));
                    prop_assert!(open.data().len() <= limit);
                }
            }
            _ => prop_assert!(false, "{:?} {:?}", outcome, verdict),
        }
    }

    #[test]
    fn no_bytes_cause_a_panic(
        role in roles(),
        delivery in deliveries(),
        frames in vec((select(FIRST_BYTES.to_vec()), vec(any::<u8>(), 0..30)), 1..6),
        sizes in sizes(),
        lend in any::<bool>(),
    ) {
        let frames: Vec<_> = frames.into_iter().map(|(first, payload)| Frame::new(first, payload)).collect();
        let config = everything().with_delivery(delivery);
        let bytes = encode(&frames, role);
        let mut codecs = Codecs::new();
        let mut peer = agreed_peer(role, &config);
        for piece in cuts_at(&bytes, &cuts(bytes.len(), &sizes)) {
            if lend {
                peer.connection.lend_codecs(&mut codecs);
            }
            peer.receive(piece);
            peer.connection.reclaim_codecs(&mut codecs);
        }
        if let Some(error) = peer.error {
            prop_assert!([1002, 1007, 1009].contains(&u16::from(error.close_code())));
        }
    }
}
