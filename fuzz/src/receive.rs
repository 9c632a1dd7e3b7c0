//! A connection that receives any bytes, in any cuts: against itself, the oracle and its own promises.

use sockless::test_util::{
    Frames, Outcome, OwnedEvent, Peer, Role, Rules, assert_agrees_with_oracle, assert_legal,
    cuts_at, join_parts, judge, run as receive,
};
use sockless::{Config, Connection, Delivery, Event, ReadBuffer, Reply};

use crate::input::{Input, structured};
use crate::memory::Watch;

/// The oracle is asked for every beginning of the stream, so a long one would take long.
const MOST: usize = 700;

/// Choice 4 makes frames of the bytes, 5 lets few Pongs wait.
pub(crate) fn run(role: Role, data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    let mut bytes = input.bytes.to_vec();
    if input.chooses(4) {
        let Some(frames) = structured::<Frames>(input.bytes) else {
            return;
        };
        bytes = frames.encode(role);
    }
    bytes.truncate(MOST);
    let config = input.config();
    let places = input.places(bytes.len());

    let whole = receive(role, &config, &bytes, &[]);
    let mut cut = receive(role, &config, &bytes, &places);
    if whole.error.is_some() {
        // Of a message that fails, chunks of any number may have been delivered before.
        cut.open.clone_from(&whole.open);
    }
    assert_eq!(cut, whole);
    if config.ping_reply == Reply::Automatic && config.close_reply == Reply::Automatic {
        assert_agrees_with_oracle(role, &config, &bytes);
    } else {
        assert_left_to_the_application(role, &config, &bytes, &whole);
    }
    step_by_step(role, &config, &bytes, &places, &whole);
    unread_at_the_end(role, &config, &bytes, &places);
    if input.chooses(5) {
        few_pongs(role, &config.with_max_unsent_pongs(20), &bytes, &places);
    }
}

/// Without automatic answers everything else is as the oracle says.
fn assert_left_to_the_application(role: Role, config: &Config, bytes: &[u8], whole: &Outcome) {
    let verdict = judge(&Rules::new(role, config), bytes);
    assert_eq!(whole.events, verdict.events);
    let code = whole.error.map(|error| u16::from(error.close_code()));
    assert_eq!(code, verdict.error);
    let automatic = |reply: &OwnedEvent| match reply {
        OwnedEvent::Pong(_) => config.ping_reply == Reply::Automatic,
        _ => config.close_reply == Reply::Automatic || verdict.error.is_some(),
    };
    let expected: Vec<_> = verdict.replies.iter().filter(|it| automatic(it)).collect();
    let said = assert_legal(role, &whole.output);
    let said: Vec<_> = said.into_iter().map(OwnedEvent::without_reason).collect();
    assert!(said.iter().eq(expected), "{said:?}");
}

/// With a peer that sends Pings and reads little the output stays small; the first Ping is answered, and the newest
/// (RFC 6455 section 5.5.3).
fn few_pongs(role: Role, config: &Config, bytes: &[u8], places: &[usize]) {
    let all = judge(&Rules::new(role, config), bytes).replies;
    let mut peer = Peer::new(role, config);
    let mut written = Vec::new();
    for piece in cuts_at(bytes, places) {
        peer.receive(piece);
        let output = peer.connection.output().len();
        // One Pong may always wait, and a Close frame.
        assert!(output <= 2 * (2 + 4 + 125), "{output}");
        let n = output.min(3);
        written.extend_from_slice(&peer.connection.output()[..n]);
        peer.connection.advance_output(n);
    }
    // A Pong that waited follows those before it.
    for _ in 0..2 {
        written.extend(peer.write_all());
    }
    let pongs = |events: Vec<OwnedEvent>| {
        let pong = |event: &OwnedEvent| matches!(event, OwnedEvent::Pong(_));
        events.into_iter().filter(pong).collect::<Vec<_>>()
    };
    let said = assert_legal(role, &written);
    let close = |event: Option<&OwnedEvent>| matches!(event, Some(OwnedEvent::Close(..)));
    let closed = close(said.last()) || close(peer.events.last());
    let (said, all) = (pongs(said), pongs(all));
    if config.ping_reply == Reply::Manual {
        return assert!(said.is_empty());
    }
    let mut rest = all.iter();
    assert!(said.iter().all(|pong| rest.any(|other| other == pong)));
    assert_eq!(said.first(), all.first());
    // What still waits when either side closes is given up (section 5.5.2).
    assert!(closed || said.last() == all.last());
}

/// The same in small steps, the output written between them, with an eye on memory and the number of events.
fn step_by_step(role: Role, config: &Config, bytes: &[u8], places: &[usize], whole: &Outcome) {
    let mut connection = role.connection(config);
    let mut buffer = ReadBuffer::new();
    let mut watch = Watch::with_messages(config.delivery);
    let mut written = Vec::new();
    let (mut received, mut delivered, mut events) = (0, 0, 0);
    let mut error = None;
    for piece in cuts_at(bytes, places) {
        watch.receive(&mut buffer, piece);
        received += piece.len();
        loop {
            match connection.next_event(&mut buffer) {
                Ok(Some(event)) => {
                    assert_eq!(error, None, "{event:?} after an error");
                    events += 1;
                    delivered += size(event);
                }
                Ok(None) => {
                    assert_eq!(error, None);
                    break;
                }
                Err(new) => {
                    assert_eq!(*error.get_or_insert(new), new, "an error is final");
                    break;
                }
            }
        }
        watch.check(&buffer);
        // A frame has two bytes at least, and what is delivered was received. In chunks each read may add one.
        let reads = if config.delivery == Delivery::Chunks {
            places.len() + 1
        } else {
            0
        };
        assert!(events <= received / 2 + reads && delivered <= received);
        let n = connection.output().len().min(5);
        written.extend_from_slice(&connection.output()[..n]);
        connection.advance_output(n);
    }
    written.extend_from_slice(connection.output());
    assert_eq!(
        written, whole.output,
        "when output is written changes nothing"
    );
    assert_eq!(error, whole.error);
    let said = assert_legal(role, &written);
    if let Some(error) = error {
        let closed_by_us = connection
            .close_event()
            .is_some_and(|event| event.error == Some(error));
        assert!(closed_by_us && !connection.can_send());
        let code = u16::from(error.close_code());
        assert!(matches!(said.last(), Some(OwnedEvent::Close(told, _)) if *told == code));
    }
}

/// What lies in the buffer when the stream ends or breaks is delivered all the same, and answered no more. After a failed
/// write the rest is, too.
fn unread_at_the_end(role: Role, config: &Config, bytes: &[u8], places: &[usize]) {
    type End = fn(&mut Connection);
    let (before, after) = bytes.split_at(places.first().copied().unwrap_or(bytes.len()));
    let ends: [(End, bool); 3] = [
        (Connection::handle_eof, false),
        (Connection::handle_reset, false),
        (Connection::handle_write_error, true),
    ];
    for (end, reads_on) in ends {
        let received = if reads_on { bytes } else { before };
        let expected = receive(role, config, received, &[before.len()]);
        let mut peer = Peer::new(role, config);
        peer.buffer.extend_from_slice(before);
        end(&mut peer.connection);
        peer.receive(if reads_on { after } else { &[] });
        let (events, open) = join_parts(&peer.events);
        assert_eq!((events, open), (expected.events, expected.open));
        assert_eq!(peer.error, expected.error);
        assert_eq!(peer.connection.output_len(), 0);
        let ending = peer.close_event();
        assert!(ending.as_ref().is_none_or(|event| !event.was_clean));
        let said = ending.map(|event| (event.code, event.reason));
        // An application that has still to answer has no ending otherwise.
        let expected = match peer.events.last() {
            Some(OwnedEvent::Close(code, reason)) => Some((*code, reason.clone())),
            _ => expected.ending.map(|event| (event.code, event.reason)),
        };
        if reads_on {
            // The peer's Close frame is still waited for.
            assert_eq!(said, expected);
        } else {
            let without = (1006, String::new());
            assert_eq!(said, Some(expected.unwrap_or(without)));
            // The rest of an event will not come.
            assert!(peer.error.is_some() || peer.buffer.is_empty());
        }
    }
}

const fn size(event: Event<'_>) -> usize {
    match event {
        Event::Text { text, .. } => text.len(),
        Event::Binary { data, .. } => data.len(),
        Event::Ping(payload) | Event::Pong(payload) => payload.len(),
        Event::Close(close) => close.reason.len(),
    }
}
