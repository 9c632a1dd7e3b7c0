//! A connection that receives any bytes, in any cuts: against itself, the oracle and its own promises.

use sockless::test_util::{
    Frames, Outcome, OwnedEvent, Role, assert_agrees_with_oracle, assert_legal, cuts_at,
    run as receive,
};
use sockless::{Config, Delivery, Event, ReadBuffer, Reply};

use crate::input::{Input, structured};
use crate::memory::Watch;

/// The oracle is asked for every beginning of the stream, so a long one would take long.
const MOST: usize = 700;

/// Choice 4 makes frames of the bytes.
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

    let whole = receive(role, config, &bytes, &[]);
    let mut cut = receive(role, config, &bytes, &places);
    if whole.error.is_some() {
        // Of a message that fails, chunks of any number may have been delivered before.
        cut.open.clone_from(&whole.open);
    }
    assert_eq!(cut, whole);
    if config.pong == Reply::Automatic && config.close == Reply::Automatic {
        assert_agrees_with_oracle(role, config, &bytes);
    }
    step_by_step(role, config, &bytes, &places, &whole);
}

/// The same in small steps, the output written between them, with an eye on memory and the number of events.
fn step_by_step(role: Role, config: Config, bytes: &[u8], places: &[usize], whole: &Outcome) {
    let mut connection = role.connection(config);
    let mut buffer = ReadBuffer::new();
    let mut watch = Watch::default();
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
        assert!(closed_by_us && !connection.is_open());
        let code = error.close_code().into();
        assert!(matches!(said.last(), Some(OwnedEvent::Close(told, _)) if *told == code));
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
