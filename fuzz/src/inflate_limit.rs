//! Compressed messages of any bytes, with a limit for their decompressed size (RFC 7692, section 7.2.2).

use sockless::test_util::{
    Frame, Outcome, OwnedEvent, Peer, Role, assert_legal, cuts_at, encode, run_peer,
};
use sockless::{CloseCode, Config, Connection, Deflate, Delivery, ProtocolError, ReadBuffer};

use crate::input::Input;
use crate::memory::Watch;
use crate::opening;

/// The limit also bounds the time of a run, since few bytes can decompress to many.
const LIMITS: [usize; 4] = [0, 100, 5_000, 100_000];

/// Nearly every input decompresses to less.
const GENEROUS: usize = 2 << 20;

/// Choices 0 and 1 are the limit, 2 is the delivery, 3 the role, and 4 to 7 make frames of the bytes.
pub fn run(data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    let config = config(&input);
    let limit = config.max_message_size as usize;
    let role = if input.chooses(3) {
        Role::Client
    } else {
        Role::Server
    };
    let frames = frames(&input);
    let bytes = encode(&frames, role);

    let whole = receive(role, &config, &bytes, &[]);
    let mut cut = receive(role, &config, &bytes, &input.places(bytes.len()));
    if whole.error.is_some() {
        // The cuts decide how many chunks of a message come before its error.
        cut.open.clone_from(&whole.open);
    }
    assert_eq!(cut, whole);
    for message in whole.events.iter().chain(&whole.open) {
        if !matches!(
            message,
            OwnedEvent::Ping(_) | OwnedEvent::Pong(_) | OwnedEvent::Close(..)
        ) {
            assert!(message.data().len() <= limit);
        }
    }
    step_by_step(role, &config, &bytes, &input.places(bytes.len()), &whole);
    against_a_generous_limit(role, &config, &bytes, &whole);
}

fn config(input: &Input<'_>) -> Config {
    let limit = LIMITS[usize::from(input.choices & 3)];
    let mut config = Config::new()
        .with_max_message_size(limit as u64)
        .with_deflate(Deflate::new());
    if input.chooses(2) {
        config.delivery = Delivery::Chunks;
    }
    config
}

/// A generous limit gives the same events up to the first message that is too large. The small limit refuses that one.
fn against_a_generous_limit(role: Role, config: &Config, bytes: &[u8], limited: &Outcome) {
    let generous = config.clone().with_max_message_size(GENEROUS as u64);
    let mut all = receive(role, &generous, bytes, &[]);
    if all.error == Some(ProtocolError::MessageTooLarge) {
        return;
    }
    let fits = |event: &OwnedEvent| match event {
        OwnedEvent::Text(_) | OwnedEvent::Binary(_) => {
            event.data().len() as u64 <= config.max_message_size
        }
        _ => true,
    };
    let good = all.events.iter().take_while(|event| fits(event)).count();
    if good < all.events.len() {
        // The connection may fail before a control frame between the fragments of the message that is too large.
        let (before, after) = all.events[..good].split_at(limited.events.len());
        assert_eq!(limited.events, before);
        assert!(
            !after
                .iter()
                .any(|event| matches!(event, OwnedEvent::Text(_) | OwnedEvent::Binary(_)))
        );
        assert_eq!(limited.error, Some(ProtocolError::MessageTooLarge));
    } else if limited.error != Some(ProtocolError::MessageTooLarge) {
        // A malformed message may also be too large. The error that shows first wins. The limit decides how much is
        // decompressed at a time, and so how many chunks come before the error.
        if all.error.is_some() {
            all.open.clone_from(&limited.open);
        }
        assert_eq!(*limited, all);
    }
}

/// One message. Choice 4 splits it into halves, 5 repeats it, 6 puts a Ping inside it, and 7 makes it text.
fn frames(input: &Input<'_>) -> Vec<Frame> {
    let (first, second) = input.bytes.split_at(if input.chooses(4) {
        input.bytes.len() / 2
    } else {
        0
    });
    let opcode = if input.chooses(7) { 0x41 } else { 0x42 };
    let ping = input.chooses(6).then(|| Frame::new(0x89, "between"));
    let mut frames = Vec::new();
    for _ in 0..=u8::from(input.chooses(5)) {
        frames.push(Frame::new(opcode, first));
        frames.extend(ping.clone());
        frames.push(Frame::new(0x80, second));
    }
    frames
}

fn connection(role: Role, config: &Config) -> Connection {
    let peer = Config::new().with_deflate(Deflate::new());
    match role {
        Role::Server => opening::pair(config.clone(), peer).0,
        Role::Client => opening::pair(peer, config.clone()).1,
    }
}

fn receive(role: Role, config: &Config, bytes: &[u8], places: &[usize]) -> Outcome {
    run_peer(
        Peer::with(connection(role, config), ReadBuffer::new()),
        bytes,
        places,
    )
}

fn step_by_step(role: Role, config: &Config, bytes: &[u8], places: &[usize], whole: &Outcome) {
    let mut connection = connection(role, config);
    let mut buffer = ReadBuffer::new();
    let limit = usize::try_from(config.max_message_size).expect("it is one of LIMITS");
    // A message that failed may have grown to the limit. The others are whole.
    let largest = if whole.error.is_some() {
        limit
    } else {
        let sizes = whole.events.iter().map(|event| match event {
            OwnedEvent::Text(_) | OwnedEvent::Binary(_) => event.data().len(),
            _ => 0,
        });
        sizes.max().unwrap_or_default()
    };
    let mut watch = Watch::with_inflated(config.delivery, largest, config.max_message_size);
    let mut message = 0;
    let mut events = Vec::new();
    for piece in cuts_at(bytes, places) {
        watch.receive(&mut buffer, piece);
        while let Ok(Some(event)) = connection.take_event(&mut buffer) {
            let event = event.into_owned();
            let fin = match event {
                OwnedEvent::Text(_) | OwnedEvent::Binary(_) => true,
                OwnedEvent::TextPart(_) | OwnedEvent::BinaryPart(_) => false,
                _ => {
                    events.push(event);
                    continue;
                }
            };
            message += event.data().len();
            assert!(message <= limit, "{message} bytes of a message");
            if fin {
                message = 0;
            }
            events.push(event);
        }
        watch.check(&buffer);
    }
    if config.delivery == Delivery::Messages {
        assert!(events == whole.events, "taken with their memory");
    }
    let said = assert_legal(role, connection.output());
    if let Some(error) = whole.error {
        let code = error.close_code();
        assert!(
            [
                CloseCode::INVALID_PAYLOAD,
                CloseCode::MESSAGE_TOO_BIG,
                CloseCode::PROTOCOL_ERROR
            ]
            .contains(&code)
        );
        assert!(
            matches!(said.last(), Some(OwnedEvent::Close(told, _)) if *told == u16::from(code))
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::assert_seeds;

    /// With a limit of 100 bytes for each message.
    #[test]
    fn its_seeds_do_what_their_names_say() {
        let outcome = |seed: &[u8]| {
            let input = Input::parse(seed).expect("the seed is long enough");
            let config = config(&input);
            let role = Role::Client;
            let outcome = receive(role, &config, &encode(&frames(&input), role), &[]);
            let sizes: Vec<usize> = outcome
                .events
                .iter()
                .map(|event| event.data().len())
                .collect();
            format!("{sizes:?} {:?}", outcome.error)
        };
        assert_seeds("inflate_limit", "_09", outcome, SEEDS);
    }

    const SEEDS: &str = "
bfinal_09: [5] None
empty_09: [0] None
growing_09: [] Some(MessageTooLarge)
hello_09: [5] None
just_over_09: [] Some(MessageTooLarge)
just_within_09: [100] None
no_bytes_09: [0] None
stored_09: [5] None
text_09: [] Some(MessageTooLarge)
two_blocks_09: [5] None
wrong_block_09: [] Some(CorruptCompression)
";
}
