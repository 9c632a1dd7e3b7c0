//! What must hold for all messages under all terms (RFC 7692 section 7), tried on many.

use std::fmt;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;
use sockless::{Codecs, Config, Deflate, Delivery, ProtocolError, ReadBuffer, SharedMessage};

use super::reference::{TAIL, inflate};
use super::{agreed, ask, noise, pair, run, sent, with};
use sockless::test_util::{Frame, OwnedEvent, Pair, Peer, Role, encode, join_parts};

/// The same cases every time; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for others.
fn cases(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(7692);
    }
    config.failure_persistence = None;
    config
}

// ---- Messages ----

#[derive(Clone)]
struct Message {
    text: bool,
    data: Vec<u8>,
    /// Where it is cut into fragments; whole if nowhere.
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
    fn owned(&self) -> OwnedEvent {
        if self.text {
            OwnedEvent::text(std::str::from_utf8(&self.data).unwrap())
        } else {
            OwnedEvent::binary(&self.data)
        }
    }

    fn shared(&self) -> SharedMessage {
        if self.text {
            SharedMessage::text(std::str::from_utf8(&self.data).unwrap())
        } else {
            SharedMessage::binary(&self.data)
        }
    }

    fn fragments(&self) -> Vec<&[u8]> {
        let mut from = 0;
        let ends = self.cuts.iter().copied().chain([self.data.len()]);
        ends.map(|to| &self.data[std::mem::replace(&mut from, to)..to])
            .collect()
    }
}

/// Text that repeats itself and other texts, near and far.
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
    // Of a few sources, so that messages repeat each other at all distances.
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
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
        cuts.sort_unstable();
        Message { text, data, cuts }
    })
}

fn deliveries() -> impl Strategy<Value = Delivery> {
    select(vec![Delivery::Messages, Delivery::Chunks])
}

/// Sizes of reads, to be used in turn.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(
        prop_oneof![2 => 1..20_usize, 2 => 20..3000_usize, 1 => Just(100_000)],
        1..6,
    )
}

fn cuts(length: usize, sizes: &[usize]) -> Vec<usize> {
    let mut at = 0;
    let ends = sizes.iter().cycle().map(|size| {
        at += size;
        at
    });
    // Byte by byte would take long for a long message.
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

#[derive(Clone, Debug)]
enum Step {
    Send(Role, Message, bool),
    /// A message with a Ping behind every fragment, moved on there.
    Interrupted(Role, Message),
    /// A message of all, compressed ahead with such wishes or not, and with the connection's or not.
    Share(Role, Message, Option<Deflate>, bool),
    /// The last such message once more.
    ShareAgain(Role),
    Move(Role),
    Lend(Role),
    Reclaim(Role),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let role = || select(Role::BOTH.to_vec());
    let step = prop_oneof![
        6 => (role(), message(), prop::bool::weighted(0.8)).prop_map(|(s, m, c)| Step::Send(s, m, c)),
        2 => (role(), message()).prop_map(|(role, message)| Step::Interrupted(role, message)),
        2 => (role(), message(), prop::option::of(wishes()), prop::bool::weighted(0.8))
            .prop_map(|(role, message, ahead, c)| Step::Share(role, message, ahead, c)),
        2 => role().prop_map(Step::ShareAgain),
        3 => role().prop_map(Step::Move),
        2 => role().prop_map(Step::Lend),
        2 => role().prop_map(Step::Reclaim),
    ];
    vec(step, 1..14)
}

/// What crosses the wire in one direction, as another library reads it.
struct Listener {
    bits: u8,
    takeover: bool,
    min_size: usize,
    before: Vec<u8>,
    stream: Decompress,
    /// The frames of the open message.
    open: Vec<(u8, Vec<u8>)>,
    messages: Vec<OwnedEvent>,
}

impl Listener {
    fn hear(&mut self, output: &[u8]) {
        for (first, payload) in sent(output) {
            if first & 0x08 != 0 {
                assert_eq!(first & 0x70, 0);
                continue;
            }
            assert!(
                first & 0x70 == 0
                    || first & 0x7f == 0x41
                    || first & 0x7f == 0x42
                    || first & 0x70 == 0x40
            );
            assert!(first & 0x0f != 0 || first & 0x40 == 0);
            self.open.push((first, payload));
            if first & 0x80 != 0 {
                self.message();
            }
        }
    }

    fn message(&mut self) {
        let frames = std::mem::take(&mut self.open);
        let payload: Vec<_> = frames.iter().flat_map(|(_, part)| part.clone()).collect();
        let first = frames[0].0;
        let data = if first & 0x40 == 0 {
            payload
        } else {
            let data = self.inflate(&payload);
            assert!(frames.len() > 1 || data.len() >= self.min_size);
            data
        };
        self.messages.push(if first & 0x0f == 1 {
            OwnedEvent::text(std::str::from_utf8(&data).unwrap())
        } else {
            OwnedEvent::Binary(data)
        });
    }

    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.before.clear();
            self.stream.reset(false);
        }
        let inflated = inflate(payload, &self.before);
        assert!(inflated.whole);
        assert!(inflated.reach <= 1 << self.bits, "{}", inflated.reach);
        self.before.extend(&inflated.data);
        assert_eq!(decompress(&mut self.stream, payload), inflated.data);
        inflated.data
    }
}

/// Decompresses a whole message with the other library.
pub(crate) fn decompress(stream: &mut Decompress, payload: &[u8]) -> Vec<u8> {
    let input = [payload, &TAIL].concat();
    let mut data = Vec::with_capacity(1024);
    let start = stream.total_in();
    loop {
        let before = (stream.total_in(), stream.total_out());
        let read = usize::try_from(before.0 - start).unwrap();
        stream
            .decompress_vec(&input[read..], &mut data, FlushDecompress::Sync)
            .unwrap();
        if before == (stream.total_in(), stream.total_out()) {
            assert_eq!(read, input.len());
            return data;
        }
        data.reserve(1024);
    }
}

struct Talk {
    pair: Pair,
    listeners: [Listener; 2],
    codecs: Codecs,
}

impl Talk {
    fn new(server: &Config, client: &Config) -> Self {
        let s = server.deflate.as_ref().unwrap();
        let c = client.deflate.as_ref().unwrap();
        let listener = |from: &Deflate, to: &Deflate| Listener {
            bits: from.max_window_bits.min(to.peer_max_window_bits),
            takeover: from.context_takeover && to.peer_context_takeover,
            min_size: from.min_size,
            before: Vec::new(),
            stream: Decompress::new(false),
            open: Vec::new(),
            messages: Vec::new(),
        };
        Self {
            pair: pair(server, client),
            listeners: [listener(c, s), listener(s, c)],
            codecs: Codecs::new(),
        }
    }

    fn send(&mut self, role: Role, message: &Message, mut after: impl FnMut(&mut Self)) {
        let fragments = message.fragments();
        for (i, fragment) in fragments.iter().enumerate() {
            let fin = i + 1 == fragments.len();
            let connection = &mut self.pair.peer(role).connection;
            // Text fragments are `str`, so that cut characters go out as the next fragment's.
            if message.text {
                let whole = std::str::from_utf8(&message.data).unwrap();
                let boundary =
                    |end: usize| (0..=end).rfind(|at| whole.is_char_boundary(*at)).unwrap();
                let end = if fin {
                    whole.len()
                } else {
                    boundary(message.cuts[i])
                };
                let start = if i == 0 {
                    0
                } else {
                    boundary(message.cuts[i - 1])
                };
                if fragments.len() == 1 {
                    connection.send_text(whole).unwrap();
                } else {
                    connection
                        .send_text_fragment(&whole[start..end], fin)
                        .unwrap();
                }
            } else if fragments.len() == 1 {
                connection.send_binary(fragment).unwrap();
            } else {
                connection.send_binary_fragment(fragment, fin).unwrap();
            }
            after(self);
        }
    }

    /// Brings the output of one role to the other.
    fn deliver(&mut self, role: Role, sizes: &[usize]) {
        let output = self.pair.peer(role).write_all();
        self.listeners[usize::from(role == Role::Server)].hear(&output);
        let other = self.pair.peer(role.other());
        let mut from = 0;
        for to in cuts(output.len(), sizes).into_iter().chain([output.len()]) {
            other.receive(&output[from..to]);
            from = to;
        }
        assert_eq!(other.error, None);
    }
}

proptest! {
    #![proptest_config(cases(60))]

    /// Everything that is sent arrives, however it is compressed, cut, and moved, and what is on the wire
    /// keeps to what was agreed on.
    #[test]
    fn both_sides_understand_each_other(
        server in wishes(),
        client in wishes(),
        deliveries in (deliveries(), deliveries()),
        steps in steps(),
        sizes in sizes(),
    ) {
        let (mut server, mut client) = (with(server), with(client));
        (server.delivery, client.delivery) = deliveries;
        (server.max_output, client.max_output) = (usize::MAX, usize::MAX);
        let mut talk = Talk::new(&server, &client);
        let mut said = [vec![], vec![]];
        let mut all = (SharedMessage::text("all"), OwnedEvent::text("all"));
        for step in &steps {
            match step {
                Step::Send(role, message, compress) => {
                    talk.pair.peer(*role).connection.compress_messages(*compress);
                    talk.send(*role, message, |_| ());
                    said[usize::from(*role == Role::Server)].push(message.owned());
                }
                Step::Interrupted(role, message) => {
                    talk.send(*role, message, |talk| {
                        talk.pair.peer(*role).connection.send_ping(b"ping").unwrap();
                        talk.deliver(*role, &sizes);
                    });
                    said[usize::from(*role == Role::Server)].push(message.owned());
                }
                Step::Share(role, message, ahead, compress) => {
                    all = (message.shared(), message.owned());
                    if let Some(wishes) = ahead {
                        all.0.compress(wishes);
                    }
                    talk.pair.peer(*role).connection.compress_messages(*compress);
                    talk.pair.peer(*role).connection.send_shared(&all.0).unwrap();
                    said[usize::from(*role == Role::Server)].push(all.1.clone());
                }
                Step::ShareAgain(role) => {
                    talk.pair.peer(*role).connection.send_shared(&all.0).unwrap();
                    said[usize::from(*role == Role::Server)].push(all.1.clone());
                }
                Step::Move(role) => talk.deliver(*role, &sizes),
                Step::Lend(role) => talk.pair.peer(*role).connection.lend_codecs(&mut talk.codecs),
                Step::Reclaim(role) => {
                    talk.pair.peer(*role).connection.reclaim_codecs(&mut talk.codecs);
                }
            }
        }
        for role in [Role::Client, Role::Server, Role::Client, Role::Server] {
            talk.deliver(role, &sizes);
        }
        for (said, (role, listener)) in said.iter().zip(Role::BOTH.iter().zip(&talk.listeners)) {
            prop_assert!(*said == listener.messages);
            let other = match role {
                Role::Client => &talk.pair.server,
                Role::Server => &talk.pair.client,
            };
            let (mut heard, open) = join_parts(&other.events);
            heard.retain(|event| !matches!(event, OwnedEvent::Ping(_) | OwnedEvent::Pong(_)));
            prop_assert!(*said == heard);
            prop_assert_eq!(open, None);
            prop_assert!(other.buffer.is_empty());
        }
    }
}

// ---- Messages of all between a connection's own ----

#[derive(Clone, Debug)]
enum Say {
    Own(Message),
    Shared(usize),
    /// Whether the next messages are compressed.
    Compress(bool),
    Lend,
    Reclaim,
    Move,
}

fn say() -> impl Strategy<Value = Say> {
    prop_oneof![
        5 => message().prop_map(Say::Own),
        5 => (0..3_usize).prop_map(Say::Shared),
        1 => prop::bool::weighted(0.7).prop_map(Say::Compress),
        1 => Just(Say::Lend),
        1 => Just(Say::Reclaim),
        1 => Just(Say::Move),
    ]
}

proptest! {
    #![proptest_config(cases(60))]

    /// Several connections with terms of their own send the same few messages at different times, between others.
    #[test]
    fn what_is_shared_is_understood_by_all(
        role in select(Role::BOTH.to_vec()),
        shared in vec(message(), 3),
        connections in vec((wishes(), deliveries(), vec(say(), 4..25)), 1..4),
        min_size in select(vec![0, 30, 128]),
        sizes in sizes(),
    ) {
        let shared: Vec<_> = shared.iter().map(|message| (message.shared(), message.owned())).collect();
        for (mut wishes, delivery, says) in connections {
            wishes.min_size = min_size;
            let config = with(wishes).with_delivery(delivery).with_max_output(usize::MAX);
            let mut talk = Talk::new(&config, &config);
            let mut said = Vec::new();
            for say in &says {
                let connection = &mut talk.pair.peer(role).connection;
                match say {
                    Say::Own(message) => {
                        talk.send(role, message, |_| ());
                        said.push(message.owned());
                    }
                    Say::Shared(i) => {
                        connection.send_shared(&shared[*i].0).unwrap();
                        said.push(shared[*i].1.clone());
                    }
                    Say::Compress(compress) => connection.compress_messages(*compress),
                    Say::Lend => connection.lend_codecs(&mut talk.codecs),
                    Say::Reclaim => connection.reclaim_codecs(&mut talk.codecs),
                    Say::Move => talk.deliver(role, &sizes),
                }
            }
            talk.deliver(role, &sizes);
            let (heard, open) = join_parts(&talk.pair.peer(role.other()).events);
            prop_assert!(said == heard);
            prop_assert_eq!(open, None);
            prop_assert!(said == talk.listeners[usize::from(role == Role::Server)].messages);
        }
    }
}

// ---- What another library compresses ----

/// How a message is compressed by the other library.
#[derive(Clone, Debug)]
struct Style {
    level: u32,
    /// Where blocks end within the message.
    flushes: Vec<Index>,
    /// Whether the last block has BFINAL; the next message then begins a stream of its own.
    bfinal: bool,
    /// Without compression.
    plain: bool,
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
    let mut ends: Vec<_> = style
        .flushes
        .iter()
        .map(|at| at.index(data.len() + 1))
        .collect();
    ends.sort_unstable();
    let mut from = 0;
    let mut payload = Vec::new();
    for (i, to) in ends.iter().copied().chain([data.len()]).enumerate() {
        let finish = style.bfinal && i == ends.len();
        let flush = if finish {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        };
        let mut input = &data[from..to];
        loop {
            payload.reserve(input.len() + 128);
            let read = stream.total_in();
            stream.compress_vec(input, &mut payload, flush).unwrap();
            input = &input[usize::try_from(stream.total_in() - read).unwrap()..];
            if input.is_empty() && payload.len() < payload.capacity() {
                break;
            }
        }
        from = to;
    }
    if style.bfinal {
        // Section 7.2.3.4.
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

/// The frames of a message, with Pings between them.
fn frames(
    message: &Message,
    payload: &[u8],
    compressed: bool,
    cuts: &[Index],
    ping: bool,
) -> Vec<Frame> {
    let mut ends: Vec<_> = cuts.iter().map(|at| at.index(payload.len() + 1)).collect();
    ends.sort_unstable();
    let mut frames = Vec::new();
    let mut from = 0;
    for to in ends.into_iter().chain([payload.len()]) {
        frames.push(Frame::new(0x00, &payload[from..to]));
        if ping {
            frames.push(Frame::new(0x89, "ping"));
        }
        from = to;
    }
    frames[0].first |= if message.text { 0x01 } else { 0x02 } | if compressed { 0x40 } else { 0 };
    let last = frames.len() - 1 - usize::from(ping);
    frames[last].first |= 0x80;
    frames
}

proptest! {
    #![proptest_config(cases(100))]

    /// What another library sends is understood.
    #[test]
    fn others_are_understood(
        role in select(Role::BOTH.to_vec()),
        takeover in any::<bool>(),
        delivery in deliveries(),
        messages in vec((message(), style(), vec(any::<Index>(), 0..4)), 1..8),
        sizes in sizes(),
    ) {
        let mut stream_ = Compress::new(Compression::new(messages[0].1.level), false);
        let (mut all, mut expected) = (Vec::new(), Vec::new());
        for (message, style, cuts) in &messages {
            let payload = if style.plain {
                message.data.clone()
            } else {
                compress(&mut stream_, &message.data, style)
            };
            if !takeover {
                stream_.reset();
            }
            all.extend(frames(message, &payload, !style.plain, cuts, style.ping));
            expected.push(message.owned());
        }
        let deflate = Deflate::new().with_peer_context_takeover(takeover);
        let config = with(deflate).with_delivery(delivery);
        let connection = if takeover {
            agreed(role, &config)
        } else {
            match role {
                Role::Server => super::serve(&[super::OFFER], &config).unwrap().0,
                Role::Client => {
                    ask(&["permessage-deflate; server_no_context_takeover"], &config).0.unwrap()
                }
            }
        };
        let bytes = encode(&all, role);
        let mut outcome = run(connection, &bytes, &cuts(bytes.len(), &sizes));
        outcome.events.retain(|event| !matches!(event, OwnedEvent::Ping(_)));
        prop_assert_eq!(outcome.error, None);
        prop_assert!(outcome.events == expected);
        prop_assert_eq!(outcome.open, None);
    }
}

// ---- What nobody should send ----

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Append(Vec<u8>),
    Replace(Vec<u8>),
    /// Nothing at all.
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
            // Beginnings of blocks, and whole ones.
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

proptest! {
    #![proptest_config(cases(500))]

    /// Damaged messages fail, or are what the reference says they are: never anything else.
    #[test]
    fn damage_is_found(
        role in select(Role::BOTH.to_vec()),
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
            all.extend(frames(&message, &payload, true, cuts, false));
            if verdict.is_some() {
                continue;
            }
            let inflated = inflate(&payload, &before);
            let text = std::str::from_utf8(&inflated.data);
            // Which of several errors is met first depends on what comes in one read.
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
        let config = super::everything().with_delivery(delivery).with_max_message_size(limit as u64);
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

    /// Nothing that a peer can send, right or wrong, makes a panic.
    #[test]
    fn any_bytes(
        role in select(Role::BOTH.to_vec()),
        delivery in deliveries(),
        frames in vec((select(vec![0x00, 0x01, 0x40, 0x41, 0x42, 0x80, 0x81, 0xc0, 0xc1, 0xc2, 0x89, 0xc9]), vec(any::<u8>(), 0..30)), 1..6),
        sizes in sizes(),
        lend in any::<bool>(),
    ) {
        let frames: Vec<_> = frames.into_iter().map(|(first, payload)| Frame::new(first, payload)).collect();
        let config = super::everything().with_delivery(delivery);
        let bytes = encode(&frames, role);
        let mut codecs = Codecs::new();
        let mut peer = Peer::with(agreed(role, &config), ReadBuffer::new());
        let mut from = 0;
        for to in cuts(bytes.len(), &sizes).into_iter().chain([bytes.len()]) {
            if lend {
                peer.connection.lend_codecs(&mut codecs);
            }
            peer.receive(&bytes[from..to]);
            peer.connection.reclaim_codecs(&mut codecs);
            from = to;
        }
        if let Some(error) = peer.error {
            prop_assert!([1002, 1007, 1009].contains(&u16::from(error.close_code())));
        }
    }
}
