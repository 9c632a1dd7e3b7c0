//! Properties of every input (RFC 6455, sections 4 to 8).

#![cfg(feature = "alloc")]
// A failed test stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/cases.rs"]
mod cases;

use cases::cases;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sockless::accept_key;
use sockless::handshake::{ClientHandshake, ClientOptions, ServerHandshake, ServerOptions, Uri};
use sockless::test_util::strategies::{
    binary, configs, cuts, frame_headers, messages, nearly_legal_frames, roles, text,
};
use sockless::test_util::{
    Cuts, Frame, Frames, Item, OPENING_REQUEST, OwnedEvent, Pair, Peer, Role,
    assert_agrees_with_oracle, assert_legal, cuts_at, encode, join_parts, run,
};
use sockless::{
    CloseCode, CloseFrame, Config, Connection, Delivery, Event, FrameHeader, Initiator,
    ProtocolError, ReadBuffer, Reply, Seed, SendError, TransportAction, Utf8Validator, apply_mask,
};

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn the_receiver_agrees_with_the_oracle(
        frames in nearly_legal_frames(), role in roles(), config in configs(),
    ) {
        assert_agrees_with_oracle(role, &config, &frames.encode(role));
    }

    #[test]
    fn the_receiver_agrees_with_the_oracle_on_noise(
        mut bytes in vec(any::<u8>(), 0..200), plausible: bool, role in roles(), config in configs(),
    ) {
        // Random bytes seldom begin with a legal header.
        if let (true, [first, second, ..]) = (plausible, &mut bytes[..]) {
            *first = [0x81, 0x02, 0x01, 0x89][usize::from(*first % 4)];
            *second = *second & 0x3f | if role == Role::Server { 0x80 } else { 0 };
        }
        assert_agrees_with_oracle(role, &config, &bytes);
    }

    #[test]
    fn cutting_changes_nothing(
        frames in nearly_legal_frames(), cuts in cuts(), role in roles(), config in configs(),
    ) {
        let bytes = frames.encode(role);
        let whole = run(role, &config, &bytes, &[]);
        let places = cuts.places(bytes.len());
        let mut cut = run(role, &config, &bytes, &places);
        if whole.error.is_some() {
            // Chunks of a bad message may arrive before the error is found.
            cut.open.clone_from(&whole.open);
        }
        prop_assert_eq!(&cut, &whole);

        // The time of writing changes nothing.
        let mut peer = Peer::new(role, &config);
        let mut written = Vec::new();
        for piece in cuts_at(&bytes, &places) {
            peer.receive(piece);
            let n = peer.connection.output().len().min(7);
            written.extend_from_slice(&peer.connection.output()[..n]);
            peer.connection.advance_output(n);
        }
        written.extend(peer.write_all());
        prop_assert_eq!(written, whole.output);
        prop_assert_eq!(join_parts(&peer.events).0, whole.events);
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// Connections can share a buffer while it is empty.
    #[test]
    fn an_empty_buffer_can_be_exchanged(
        frames in nearly_legal_frames(), cuts in cuts(), role in roles(), config in configs(),
    ) {
        let bytes = frames.encode(role);
        let whole = run(role, &config, &bytes, &[]);
        let mut peer = Peer::new(role, &config);
        let ends = frames.frames().into_iter().scan(0, |end, frame| {
            *end += frame.encode(role).len();
            Some(*end)
        });
        let mut places = cuts.places(bytes.len());
        places.extend(ends);
        places.sort_unstable();
        for piece in cuts_at(&bytes, &places) {
            peer.receive(piece);
            if peer.buffer.is_empty() {
                let mut other = Peer::with(role.connection(&config), std::mem::take(&mut peer.buffer));
                other.receive(&Frame::new(0x89, "of another connection").encode(role));
                prop_assert!(other.buffer.is_empty());
                peer.buffer = other.buffer;
            }
        }
        prop_assert_eq!(join_parts(&peer.events).0, whole.events);
        prop_assert_eq!(peer.error, whole.error);
        prop_assert_eq!(peer.connection.output(), whole.output);
    }
}

// ---- Two peers ----

#[derive(Clone, Debug)]
enum Action {
    Send(Item),
    Exchange(Vec<usize>),
}

fn action() -> impl Strategy<Value = Action> {
    // A length near the largest that has 16 bits.
    let large = (65_530..65_545_usize, messages()).prop_map(|(size, message)| match message {
        Item::Text(_, splits) | Item::Binary(_, splits) => Item::Binary(vec![0xa5; size], splits),
        other => other,
    });
    let ping = vec(any::<u8>(), 0..=125).prop_map(Item::Ping);
    let sizes = vec(prop_oneof![1..10_usize, 10..9000_usize], 0..20);
    prop_oneof![
        24 => messages().prop_map(Action::Send),
        1 => large.prop_map(Action::Send),
        6 => ping.prop_map(Action::Send),
        6 => sizes.prop_map(Action::Exchange),
    ]
}

/// Sends the item: a message in fragments if it has splits. Returns what the other role receives.
fn send(connection: &mut Connection, item: &Item) -> Vec<OwnedEvent> {
    let mut expected = Vec::new();
    let (text, data, splits) = match item {
        Item::Text(text, splits) => (Some(&**text), text.as_bytes(), splits),
        Item::Binary(data, splits) => (None, &**data, splits),
        Item::Ping(payload) => {
            connection.send_ping(payload).unwrap();
            return vec![OwnedEvent::ping(payload)];
        }
        other => panic!("{other:?} is not sent here"),
    };
    let mut places = Cuts(splits.iter().map(|(at, _)| *at).collect()).places(data.len());
    if let Some(text) = text {
        // Fragments to send have whole characters.
        for place in &mut places {
            *place = (0..=*place).rfind(|at| text.is_char_boundary(*at)).unwrap();
        }
    }
    for (i, piece) in cuts_at(data, &places).enumerate() {
        let fin = i == splits.len();
        match text {
            Some(text) if splits.is_empty() => connection.send_text(text),
            Some(_) => connection.send_text_fragment(std::str::from_utf8(piece).unwrap(), fin),
            None if splits.is_empty() => connection.send_binary(piece),
            None => connection.send_binary_fragment(piece, fin),
        }
        .unwrap();
        if let Some((_, Some(ping))) = splits.get(i) {
            connection.send_ping(ping).unwrap();
            expected.push(OwnedEvent::ping(ping));
        }
    }
    expected.push(text.map_or_else(|| OwnedEvent::binary(data), OwnedEvent::text));
    expected
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn what_is_sent_is_received(
        actions in vec((roles(), action()), 0..12),
        delivery in select(vec![Delivery::Messages, Delivery::Chunks]),
        closer in roles(),
        code in select(vec![1000, 1001, 1005, 3000, 4999]),
        reason in text(),
        sizes in vec(1..2000_usize, 1..10),
    ) {
        let config = Config::new().with_max_unsent_pongs(usize::MAX).with_delivery(delivery);
        let mut pair = Pair::new(&config);
        // What the client sends, and what the server sends.
        let mut sent = [vec![], vec![]];
        for (role, action) in &actions {
            match action {
                Action::Send(item) => {
                    let events = send(&mut pair.peer(*role).connection, item);
                    sent[usize::from(*role == Role::Server)].extend(events);
                }
                Action::Exchange(sizes) => pair.exchange(&mut sizes.iter().copied()),
            }
        }
        pair.exchange(&mut sizes.iter().copied().cycle());
        for (role, own, other) in [(Role::Client, 0, 1), (Role::Server, 1, 0)] {
            let peer = pair.peer(role);
            prop_assert_eq!(peer.error, None);
            let (events, open) = join_parts(&peer.events());
            prop_assert_eq!(open, None);
            let (pongs, received): (Vec<_>, Vec<_>) =
                events.into_iter().partition(|event| matches!(event, OwnedEvent::Pong(_)));
            prop_assert_eq!(&received, &sent[other]);
            let answers: Vec<_> = sent[own].iter().filter_map(|event| match event {
                OwnedEvent::Ping(payload) => Some(OwnedEvent::Pong(payload.clone())),
                _ => None,
            }).collect();
            prop_assert_eq!(pongs, answers);
            prop_assert!(peer.buffer.is_empty());
        }

        let code = CloseCode::new(code);
        pair.peer(closer).connection.close(code, &reason).unwrap();
        pair.exchange(&mut sizes.iter().copied().cycle());
        for (role, initiator) in [(closer, Initiator::Local), (closer.other(), Initiator::Peer)] {
            let ending = pair.peer(role).close_event().unwrap();
            prop_assert_eq!(ending.code, u16::from(code));
            prop_assert!(ending.was_clean);
            prop_assert_eq!(ending.initiator, initiator);
        }
        let server = pair.server.connection.transport_action();
        prop_assert_eq!(server, TransportAction::Close);
        let client = pair.client.connection.transport_action();
        prop_assert_eq!(client, TransportAction::Wait);
    }
}

// ---- Wrong use ----

#[derive(Clone, Debug)]
enum Step {
    Noise(Vec<u8>),
    Frames(Frames),
    Next,
    /// The next steps use the other buffer.
    OtherBuffer,
    ClearBuffer,
    ShrinkBuffer(usize),
    Text(String),
    Binary(Vec<u8>),
    TextFragment(String, bool),
    BinaryFragment(Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    EndOfStream,
    WriteError,
    Reset,
    Write(Index),
    TakeOutput,
}

fn step() -> impl Strategy<Value = Step> {
    let code = prop_oneof![any::<u16>(), 990..1020_u16, 3000..5000_u16];
    let control = || vec(any::<u8>(), 0..130);
    prop_oneof![
        1 => vec(any::<u8>(), 0..40).prop_map(Step::Noise),
        8 => nearly_legal_frames().prop_map(Step::Frames),
        8 => Just(Step::Next),
        1 => Just(Step::OtherBuffer),
        1 => Just(Step::ClearBuffer),
        1 => (0..100_usize).prop_map(Step::ShrinkBuffer),
        2 => text().prop_map(Step::Text),
        1 => binary().prop_map(Step::Binary),
        2 => (text(), any::<bool>()).prop_map(|(text, fin)| Step::TextFragment(text, fin)),
        1 => (binary(), any::<bool>()).prop_map(|(data, fin)| Step::BinaryFragment(data, fin)),
        1 => control().prop_map(Step::Ping),
        1 => control().prop_map(Step::Pong),
        1 => (code, text()).prop_map(|(code, reason)| Step::Close(code, reason)),
        1 => Just(Step::EndOfStream),
        1 => Just(Step::WriteError),
        1 => Just(Step::Reset),
        3 => any::<Index>().prop_map(Step::Write),
        1 => Just(Step::TakeOutput),
    ]
}

fn tight_configs() -> impl Strategy<Value = Config> {
    let reply = || select(vec![Reply::Automatic, Reply::Manual]);
    (configs(), 0..300_usize, 0..300_usize, reply(), reply()).prop_map(
        |(mut config, output, pongs, pong, close)| {
            config.max_output = output;
            config.max_unsent_pongs = pongs;
            config.ping_reply = pong;
            config.close_reply = close;
            config
        },
    )
}

proptest! {
    #![proptest_config(cases(400))]

    /// No order of calls panics. The output is legal, whatever the caller and the peer do.
    #[test]
    fn wrong_use_does_no_harm(
        steps in vec(step(), 0..40), role in roles(), config in tight_configs(),
    ) {
        let mut connection = role.connection(&config);
        let mut buffer = ReadBuffer::new();
        let mut other = ReadBuffer::new();
        let mut written = Vec::new();
        // Output that was taken and not reported.
        let mut taken = Vec::new();
        let mut error: Option<ProtocolError> = None;
        let mut closed = false;
        let mut stream_ended = false;
        for step in steps {
            let before = connection.output().to_vec();
            let open = connection.can_send();
            let mut sent = None;
            match step {
                Step::Noise(bytes) => buffer.extend_from_slice(&bytes),
                Step::Frames(frames) => buffer.extend_from_slice(&frames.encode(role)),
                Step::Next => loop {
                    match connection.next_event(&mut buffer) {
                        Ok(Some(event)) => {
                            prop_assert_eq!(error, None);
                            prop_assert!(!closed, "{:?} after the end", event);
                            closed = matches!(event, Event::Close(_));
                        }
                        Ok(None) => {
                            prop_assert_eq!(error, None);
                            // Nothing follows the data before the end of the stream.
                            closed |= stream_ended;
                            break;
                        }
                        Err(new) => {
                            prop_assert_eq!(error.unwrap_or(new), new);
                            error = Some(new);
                            break;
                        }
                    }
                },
                Step::OtherBuffer => std::mem::swap(&mut buffer, &mut other),
                Step::ClearBuffer => buffer.clear(),
                Step::ShrinkBuffer(size) => buffer.shrink_to(size),
                Step::Text(text) => sent = Some(connection.send_text(&text)),
                Step::Binary(data) => sent = Some(connection.send_binary(&data)),
                Step::TextFragment(text, fin) => {
                    sent = Some(connection.send_text_fragment(&text, fin));
                }
                Step::BinaryFragment(data, fin) => {
                    sent = Some(connection.send_binary_fragment(&data, fin));
                }
                Step::Ping(payload) => sent = Some(connection.send_ping(&payload)),
                Step::Pong(payload) => sent = Some(connection.send_pong(&payload)),
                Step::Close(code, reason) => {
                    sent = Some(connection.close(CloseCode::new(code), &reason));
                }
                Step::EndOfStream => {
                    connection.handle_eof();
                    stream_ended = true;
                }
                Step::WriteError => {
                    let late = taken.len();
                    written.append(&mut taken);
                    written.extend(connection.output());
                    connection.handle_write_error();
                    connection.advance_output(late);
                    prop_assert!(connection.output().is_empty() && !connection.can_send());
                }
                Step::Reset => {
                    let late = taken.len();
                    written.append(&mut taken);
                    written.extend(connection.output());
                    connection.handle_reset();
                    connection.advance_output(late);
                    prop_assert_eq!(connection.transport_action(), TransportAction::Close);
                    stream_ended = true;
                }
                Step::Write(n) => {
                    let n = n.index(connection.output_len() + 1);
                    let first = n.min(taken.len());
                    written.extend(taken.drain(..first));
                    written.extend_from_slice(&connection.output()[..n - first]);
                    connection.advance_output(n);
                }
                Step::TakeOutput => {
                    let mut output = b"left over".to_vec();
                    connection.take_output(&mut output);
                    prop_assert_eq!(&output, &before);
                    prop_assert!(connection.output().is_empty());
                    taken.extend(output);
                }
            }
            prop_assert_eq!(connection.output_len(), taken.len() + connection.output().len());
            match sent {
                Some(Ok(())) => prop_assert!(open && connection.output().len() > before.len()),
                Some(Err(refused)) => {
                    prop_assert_eq!(connection.output(), before);
                    prop_assert_eq!(refused == SendError::Closed, !open);
                    prop_assert_eq!(connection.can_send(), open);
                }
                None => {}
            }
            // A connection that has ended stays so.
            prop_assert!(open || !connection.can_send());
            if error.is_some() {
                prop_assert_eq!(connection.close_event().unwrap().error, error);
            }
            prop_assert!(connection.close_event().is_none() || !connection.can_send());
        }
        written.append(&mut taken);
        written.extend_from_slice(connection.output());
        for event in assert_legal(role, &written) {
            if let OwnedEvent::Close(code, _) = event {
                prop_assert!(code == 1005 || CloseCode::new(code).is_sendable());
            }
        }
    }

    /// The limit for Pongs bounds what a peer that never reads can make this side store.
    #[test]
    fn the_output_is_bounded(
        pings in vec(vec(any::<u8>(), 0..=125), 0..60), limit in 0..600_usize, role in roles(),
    ) {
        let config = Config::new().with_max_unsent_pongs(limit);
        let mut peer = Peer::new(role, &config);
        for ping in &pings {
            peer.receive(&Frame::new(0x89, ping).encode(role));
        }
        // One Pong is always allowed.
        prop_assert!(peer.connection.output().len() <= limit.max(2 + 4 + 125));
        let mut said = peer.write_all();
        said.extend(peer.write_all());
        prop_assert_eq!(peer.write_all(), vec![]);
        let said = assert_legal(role, &said);
        // The oldest Pongs in their order, then the newest one.
        let answers: Vec<OwnedEvent> = pings.iter().map(|ping| OwnedEvent::pong(ping)).collect();
        prop_assert_eq!(said.last(), answers.last());
        if let Some((_, first)) = said.split_last() {
            prop_assert_eq!(first, &answers[..first.len()]);
        }
    }
}

// ---- The pure layer ----

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn utf8_against_the_standard_library(
        text in text(), changes in vec((any::<Index>(), any::<u8>()), 0..3), cuts in cuts(),
    ) {
        let mut bytes = text.into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, [byte]);
        }
        let mut validator = Utf8Validator::new();
        let mut given = 0;
        for piece in cuts_at(&bytes, &cuts.places(bytes.len())) {
            given += piece.len();
            let result = validator.validate(piece);
            let reference = std::str::from_utf8(&bytes[..given]);
            let wrong = reference.is_err_and(|error| error.error_len().is_some());
            prop_assert_eq!(result, if wrong { Err(ProtocolError::InvalidUtf8) } else { Ok(()) });
            prop_assert_eq!(validator.is_complete(), reference.is_ok());
        }
    }

    /// RFC 6455, section 5.3: "transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4)".
    #[test]
    fn masking_against_the_formula(
        data in vec(any::<u8>(), 0..100), key: [u8; 4], offset in prop_oneof![0..9_usize, any::<usize>()],
    ) {
        let mut masked = data.clone();
        apply_mask(&mut masked, key, offset);
        for (i, (masked, byte)) in masked.iter().zip(&data).enumerate() {
            prop_assert_eq!(*masked, byte ^ key[(offset % 4 + i) % 4]);
        }
        apply_mask(&mut masked, key, offset);
        prop_assert_eq!(masked, data);
    }

    #[test]
    fn headers_round_trip(header in frame_headers(), more in vec(any::<u8>(), 0..5)) {
        let mut buffer = [0; FrameHeader::MAX_SIZE];
        let bytes = header.write(&mut buffer);
        let followed = [bytes, &more].concat();
        prop_assert_eq!(FrameHeader::parse(&followed), Ok(Some((header, bytes.len()))));
        for cut in 0..bytes.len() {
            prop_assert_eq!(FrameHeader::parse(&bytes[..cut]), Ok(None));
        }
    }

    /// A header has only one legal form.
    #[test]
    fn parsed_headers_are_written_as_they_were(mut bytes in vec(any::<u8>(), 0..20), zeros in 0..10_usize) {
        bytes.iter_mut().skip(2).take(zeros).for_each(|byte| *byte = 0);
        if let Ok(Some((header, size))) = FrameHeader::parse(&bytes) {
            let mut buffer = [0; FrameHeader::MAX_SIZE];
            prop_assert_eq!(header.write(&mut buffer), &bytes[..size]);
        }
    }

    #[test]
    fn close_payloads_round_trip(code: u16, reason in text(), noise in vec(any::<u8>(), 0..40)) {
        let mut buffer = [0; CloseFrame::MAX_SIZE];
        let close = CloseFrame { code: CloseCode::new(code), reason: &reason };
        match close.write(&mut buffer) {
            Some(payload) => {
                let parsed = CloseFrame::parse(payload).unwrap();
                prop_assert_eq!(parsed.code, close.code);
                if code == 1005 {
                    prop_assert!(payload.is_empty());
                } else {
                    prop_assert!(reason.starts_with(parsed.reason));
                    // No further character fits.
                    let next = reason[parsed.reason.len()..].chars().next();
                    prop_assert!(next.is_none_or(|next| payload.len() + next.len_utf8() > 125));
                }
            }
            None => prop_assert!(!close.code.is_sendable()),
        }
        if let Ok(parsed) = CloseFrame::parse(&noise) {
            prop_assert_eq!(parsed.write(&mut buffer), Some(&noise[..]));
        }
    }
}

// ---- Heads ----

fn client(options: &ClientOptions<'_>) -> ClientHandshake {
    let uri = Uri::parse("ws://a").unwrap();
    ClientHandshake::new(&uri, options, Seed::new([7; 32])).unwrap()
}

/// The response that this client accepts, with more bytes after it.
fn response() -> Vec<u8> {
    let client = client(&ClientOptions::default());
    let headers = client.headers();
    let key = headers.iter().find(|header| header.is("Sec-WebSocket-Key"));
    let accept = accept_key(key.unwrap().value);
    let accept = std::str::from_utf8(&accept).unwrap();
    format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\nbehind\r\n\r\n"
    )
    .into_bytes()
}

/// The head with some bytes replaced, inserted or removed.
fn heads(base: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        select(b"\r\n\0\t :,;=\"aA19/HTP%\x7f\x80\xff".to_vec()),
        any::<u8>(),
    ];
    let change = (any::<Index>(), 0..3_usize, vec(byte, 0..3));
    vec(change, 0..4).prop_map(move |changes| {
        let mut bytes = base.clone();
        for (at, out, put) in changes {
            let at = at.index(bytes.len());
            let to = bytes.len().min(at + out);
            bytes.splice(at..to, put);
        }
        bytes
    })
}

/// Heads of up to 40 headers, with good and bad lines, and perhaps with bytes after their end.
fn many_heads() -> impl Strategy<Value = Vec<u8>> {
    let lines = "Host: a\nA: b\nA:b\nA: \t b \t\nA:\nA: \nB: \u{e9}\nA : b\n A: b\nA\n: b\n\
        A: b\r\nA: \0\nA\u{7f}: b\nA: \u{7f}\nAccept-Language: en-US,en;q=0.9\nUpgrade: websocket\n(: b\n\
        !#$%&'*+-.^_`|~: b";
    let line = select(lines.split('\n').collect::<Vec<_>>());
    // Most lines are good, because one bad line refuses the head.
    let good = "Host: a\nA: b\nAccept-Encoding: gzip, deflate, br\nA:b\nA: \t b \t\nA:";
    let good = select(good.split('\n').collect::<Vec<_>>());
    let line = prop_oneof![60 => good, 1 => line];
    let end = prop_oneof![80 => Just("\r\n"), 1 => select(vec!["\n", "\r", "\r\n\r\n", "\n\r\n", "\r\r\n", "\n\n"])];
    let start = prop_oneof![
        8 => Just("GET / HTTP/1.1"),
        1 => select(vec![
            "GET / HTTP/1.0", "GET / HTTP/2.0", "GET  / HTTP/1.1", "GET /", "\r\nGET / HTTP/1.1", "\nGET / HTTP/1.1",
            "", " GET / HTTP/1.1", "GET /\u{e9} HTTP/1.1", "GET /\t HTTP/1.1", "HTTP/1.1 101 OK", "GET / HTTP/1.1 ",
            "GET / http/1.1",
        ]),
    ];
    let tail = prop_oneof![
        2 => Just(""),
        1 => select(vec!["\u{81}", "\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\n", "A: b\r\n\r\n"]),
    ];
    let host =
        prop_oneof![8 => Just("Host: a\r\n"), 1 => select(vec!["", "Host: \r\n", "Host: a\n"])];
    let lines = vec((line, end.clone()), 0..40);
    (start, end.clone(), host, lines, end, tail).prop_map(
        |(start, first, host, lines, last, tail)| {
            let lines = lines.into_iter().flat_map(|(line, end)| [line, end]);
            let lines: String = lines.collect();
            format!("{start}{first}{host}{lines}{last}{tail}").into_bytes()
        },
    )
}

/// What was found in a head.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    found: String,
    /// How many bytes were given before.
    at: usize,
    /// The bytes after the head.
    rest: Vec<u8>,
}

/// Gives the bytes piece by piece until `read` finds something.
fn verdict(
    bytes: &[u8],
    places: &[usize],
    mut read: impl FnMut(&mut ReadBuffer) -> Option<String>,
) -> Option<Verdict> {
    let mut buffer = ReadBuffer::new();
    let mut at = 0;
    for piece in cuts_at(bytes, places) {
        buffer.extend_from_slice(piece);
        at += piece.len();
        if let Some(found) = read(&mut buffer) {
            let rest = [buffer.unread(), &bytes[at..]].concat();
            return Some(Verdict { found, at, rest });
        }
    }
    None
}

/// What a server finds in a head.
fn request_verdict(bytes: &[u8], places: &[usize], options: &ServerOptions<'_>) -> Option<Verdict> {
    let mut server = ServerHandshake::new(&options.config);
    verdict(bytes, places, |buffer| match server.read_request(buffer) {
        Ok(None) => None,
        Ok(Some(request)) => {
            let answer = request.accept(options).map(|c| c.output().to_vec());
            Some(format!("{request:?} {answer:?}"))
        }
        Err(error) => Some(format!("{error:?}")),
    })
}

/// The head has the same verdict whole, cut, and in single bytes.
fn assert_same_however_cut(
    bytes: &[u8],
    cuts: &Cuts,
    verdict: impl Fn(&[usize]) -> Option<Verdict>,
) {
    let found = |places: &[usize]| verdict(places).map(|it| (it.found, it.rest));
    let whole = found(&[]);
    assert_eq!(found(&cuts.places(bytes.len())), whole);
    let all: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(found(&all), whole);
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn cutting_a_request_changes_nothing(
        bytes in heads([OPENING_REQUEST, b"behind\r\n\r\n"].concat()),
        cuts in cuts(),
        size in 1..300_usize,
        count in 0..8_usize,
    ) {
        let mut options = ServerOptions::default();
        options.config.max_head_size = size;
        options.config.max_headers = count;
        assert_same_however_cut(&bytes, &cuts, |places| request_verdict(&bytes, places, &options));
    }

    #[test]
    fn cutting_a_response_changes_nothing(
        bytes in heads(response()), cuts in cuts(), size in 1..300_usize, count in 0..8_usize,
    ) {
        let mut options = ClientOptions::default();
        options.config.max_head_size = size;
        options.config.max_headers = count;
        assert_same_however_cut(&bytes, &cuts, |places| {
            let mut client = client(&options);
            verdict(&bytes, places, |buffer| match client.read_response(buffer) {
                Ok(None) => None,
                other => Some(format!("{other:?}")),
            })
        });
    }

    /// The first read may have any number of bytes. The verdict is the one for single bytes, and needs the same bytes.
    #[test]
    fn a_request_at_once_is_judged_as_in_single_bytes(
        bytes in many_heads(),
        size in prop_oneof![Just(16 << 10), 1..900_usize],
        count in prop_oneof![0..45_usize, Just(100)],
    ) {
        let config = Config::new().with_max_head_size(size).with_max_headers(count);
        let options = ServerOptions::new().with_config(config);
        let singly: Vec<usize> = (0..bytes.len()).collect();
        let decided = request_verdict(&bytes, &singly, &options);
        for n in 0..=bytes.len() {
            let at_once = request_verdict(&bytes[..n], &[], &options);
            let expected = decided.as_ref().filter(|decided| n >= decided.at);
            let found = |verdict: &Verdict| verdict.found.clone();
            prop_assert_eq!(at_once.as_ref().map(found), expected.map(found), "{} of {:?}", n, decided);
            if n == bytes.len() {
                prop_assert_eq!(at_once.map(|it| it.rest), decided.as_ref().map(|it| it.rest.clone()));
            }
        }
    }

    #[test]
    fn no_uri_breaks_the_request(text in prop_oneof![
        text(),
        (text(), text()).prop_map(|(host, path)| format!("ws://{host}/{path}")),
        "wss?://[a-z\\[:\\]@#%0-9]{0,12}[/?a#%\r\n ]{0,8}",
    ]) {
        if let Ok(uri) = Uri::parse(&text) {
            let options = ClientOptions::default();
            let client = ClientHandshake::new(&uri, &options, Seed::new([7; 32])).unwrap();
            let mut buffer = ReadBuffer::new();
            buffer.extend_from_slice(client.request());
            let mut server = ServerHandshake::new(&Config::default());
            let request = server.read_request(&mut buffer).unwrap().unwrap();
            prop_assert!(request.accept(&ServerOptions::default()).is_ok());
            let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
            prop_assert_eq!(request.target(), format!("{}{query}", uri.path()));
            prop_assert_eq!(request.headers().len(), 5);
            drop(request);
            prop_assert!(buffer.is_empty());
            // The text of the URI is the same URI.
            prop_assert_eq!(uri.to_string().parse(), Ok(uri));
        }
    }
}

/// Events borrow the buffer and not the connection, so a loop can reply while it holds the event.
#[test]
fn a_reply_inside_the_loop() {
    let config = Config::new()
        .with_ping_reply(Reply::Manual)
        .with_close_reply(Reply::Manual);
    let frames = [
        Frame::new(0x81, "text"),
        Frame::new(0x89, "ping"),
        Frame::new(0x82, "data"),
        Frame::close(1000, "bye"),
    ];
    for role in Role::BOTH {
        let mut connection = role.connection(&config);
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&encode(&frames, role));
        while let Some(event) = connection.next_event(&mut buffer).unwrap() {
            match event {
                Event::Text { text, fin } => connection.send_text_fragment(text, fin),
                Event::Binary { data, fin } => connection.send_binary_fragment(data, fin),
                Event::Ping(payload) => connection.send_pong(payload),
                Event::Close(close) => connection.close(close.code, close.reason),
                Event::Pong(_) => Ok(()),
            }
            .unwrap();
        }
        let replies = [
            OwnedEvent::text("text"),
            OwnedEvent::pong(b"ping"),
            OwnedEvent::binary(b"data"),
            OwnedEvent::close(1000, "bye"),
        ];
        assert_eq!(assert_legal(role, connection.output()), replies);
    }
}
