//! A connection receives any bytes, however they are cut. It must agree with itself, the oracle and its documentation.

use sockless::test_util::{
    Frames, Outcome, OwnedEvent, Peer, Role, Rules, assert_agrees_with_oracle, assert_legal,
    cuts_at, join_parts, judge, run as receive,
};
use sockless::{Config, Connection, Delivery, Event, ReadBuffer, Reply};

use crate::input::{Input, structured};
use crate::memory::Watch;

/// The checks repeat the stream many times, so a long one takes too much time.
const MOST: usize = 700;

/// Choice 5 bounds the unsent Pongs. [`stream`] and [`Input::config`] have the others.
pub(crate) fn run(role: Role, data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    let Some(bytes) = stream(role, &input) else {
        return;
    };
    let config = input.config();
    let places = input.places(bytes.len());

    let whole = receive(role, &config, &bytes, &[]);
    let mut cut = receive(role, &config, &bytes, &places);
    if whole.error.is_some() {
        // The cuts decide how many chunks of a message come before its error.
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

/// Choice 4 makes frames of the bytes.
fn stream(role: Role, input: &Input<'_>) -> Option<Vec<u8>> {
    let mut bytes = input.bytes.to_vec();
    if input.chooses(4) {
        bytes = structured::<Frames>(input.bytes)?.encode(role);
    }
    bytes.truncate(MOST);
    Some(bytes)
}

/// Without automatic replies, all else agrees with the oracle.
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

/// The peer sends Pings and reads little. The output stays small. The first and the newest Ping get an answer (RFC 6455,
/// section 5.5.3).
fn few_pongs(role: Role, config: &Config, bytes: &[u8], places: &[usize]) {
    let all = judge(&Rules::new(role, config), bytes).replies;
    let mut peer = Peer::new(role, config);
    let mut written = Vec::new();
    for piece in cuts_at(bytes, places) {
        peer.receive(piece);
        let output = peer.connection.output().len();
        // One Pong and one Close frame may always wait.
        assert!(output <= 2 * (2 + 4 + 125), "{output}");
        let n = output.min(3);
        written.extend_from_slice(&peer.connection.output()[..n]);
        peer.connection.advance_output(n);
    }
    // A Pong that waits follows after the output before it is written.
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
    // A Close frame of either side drops a Pong that waits (RFC 6455, section 5.5.2).
    assert!(closed || said.last() == all.last());
}

/// Receives the stream in small steps and writes output between them. Memory and the number of events are bounded.
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
        // A frame has at least two bytes. Each read may add one chunk.
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
        "the output does not depend on when it is written"
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

/// After the stream ends or breaks, the connection still delivers the unread bytes, but does not answer them. After a failed
/// write it also reads on.
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
        // An application that has not answered the Close frame yet has no other close event.
        let expected = match peer.events.last() {
            Some(OwnedEvent::Close(code, reason)) => Some((*code, reason.clone())),
            _ => expected.ending.map(|event| (event.code, event.reason)),
        };
        if reads_on {
            // The connection still waits for the peer's Close frame.
            assert_eq!(said, expected);
        } else {
            let without = (1006, String::new());
            assert_eq!(said, Some(expected.unwrap_or(without)));
            // The rest of an event cannot come.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::assert_seeds;

    /// The seeds of both targets do the same, except for one that was found. It holds other bytes for each role.
    #[test]
    fn its_seeds_do_what_their_names_say() {
        for (target, role, found) in [
            ("receive_client", Role::Client, 6),
            ("receive_server", Role::Server, 5),
        ] {
            let outcome = |seed: &[u8]| {
                let input = Input::parse(seed).expect("the seed is long enough");
                let bytes = stream(role, &input).expect("the seed is long enough");
                let outcome = receive(role, &input.config(), &bytes, &[]);
                let error = outcome.error.map(|error| u16::from(error.close_code()));
                format!("{} events, {error:?}", outcome.events.len())
            };
            let found = format!("closes: {found} events");
            assert_seeds(target, "", outcome, &SEEDS.replace("closes: FOUND", &found));
        }
    }

    const SEEDS: &str = "
bad_close_code_00: 0 events, Some(1002)
bad_close_code_03: 0 events, Some(1002)
bytewise_00: 0 events, Some(1002)
bytewise_03: 0 events, Some(1002)
close_00: 2 events, None
close_03: 2 events, None
close_of_one_byte_00: 0 events, Some(1002)
close_of_one_byte_03: 0 events, Some(1002)
cut_character_00: 1 events, None
cut_character_03: 1 events, None
fragmented_ping_00: 0 events, Some(1002)
fragmented_ping_03: 0 events, Some(1002)
fragments_00: 2 events, None
fragments_03: 2 events, None
frames_1: 5 events, None
frames_2: 6 events, Some(1002)
frames_3: 6 events, None
frames_4: 12 events, Some(1002)
half_a_character_00: 0 events, Some(1007)
half_a_character_03: 0 events, Some(1007)
hello_00: 2 events, None
hello_03: 2 events, None
new_message_inside_00: 0 events, Some(1002)
new_message_inside_03: 0 events, Some(1002)
over_the_limit_00: 1 events, None
over_the_limit_03: 0 events, Some(1009)
ping_waits_when_the_peer_closes: FOUND, None
pongs_00: 3 events, None
pongs_03: 3 events, None
reserved_bit_00: 0 events, Some(1002)
reserved_bit_03: 0 events, Some(1002)
reserved_opcode_00: 0 events, Some(1002)
reserved_opcode_03: 0 events, Some(1002)
stray_continuation_00: 0 events, Some(1002)
stray_continuation_03: 0 events, Some(1002)
wrong_text_00: 0 events, Some(1007)
wrong_text_03: 0 events, Some(1007)
wrongly_masked_00: 0 events, Some(1002)
wrongly_masked_03: 0 events, Some(1002)
";
}
