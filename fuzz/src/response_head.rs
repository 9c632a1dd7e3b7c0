//! A client that reads a response from any bytes, in any cuts.
//!
//! The client asks with the same key every time, so that a seed can have the right answer to it.

use std::time::Duration;

use sockless::handshake::{ClientOptions, ResponseError};
use sockless::test_util::cuts_at;
use sockless::{Deadlines, Deflate, ReadBuffer};

use crate::input::Input;
use crate::memory::Watch;
use crate::opening;
use crate::request_head::behind_head;

const OFFERED: [&str; 2] = ["chat", "superchat"];

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Waits,
    Failed(ResponseError),
    /// The subprotocol, whether compression was agreed on, and the frames behind the head.
    Established(Option<String>, bool, Vec<u8>),
    /// Status and number of headers; and what has come of the body.
    Refused(u16, usize, Vec<u8>),
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    let mut options = ClientOptions::new().with_subprotocols(&OFFERED);
    if input.chooses(0) {
        options.config.deflate = Some(Deflate::new());
    }
    if input.chooses(1) {
        options.config.max_head_size = 200;
        options.config.max_headers = 5;
    }
    let whole = read(input.bytes, &[], &options);
    let places = input.places(input.bytes.len());
    let cut = read(input.bytes, &places, &options);
    assert_eq!(cut, whole);
    // Interim responses are not counted one by one.
    if !begins_interim(input.bytes) {
        options.config.deadlines = Some(Deadlines::new());
        let late = read(input.bytes, &places, &options);
        assert_eq!(late, whole);
    }
}

/// Whether the first response is interim, which ones before the response are (RFC 9110 section 15.2).
fn begins_interim(bytes: &[u8]) -> bool {
    let status = bytes.get(8..).unwrap_or_default();
    status.starts_with(b" 1") && !status.starts_with(b" 101")
}

fn read(bytes: &[u8], places: &[usize], options: &ClientOptions<'_>) -> Outcome {
    let mut handshake = opening::client(options).expect("nothing is wrong with the options");
    let mut buffer = ReadBuffer::new();
    let mut watch = Watch::default();
    let mut outcome = Outcome::Waits;
    // With a deadline it has passed, but what arrived before is still to be read.
    let deadline = options.config.deadlines.as_ref().map(|it| it.handshake);
    if let Some(deadline) = deadline {
        assert_eq!(handshake.timeout_at(), Some(Duration::ZERO));
        for now in [Duration::ZERO, deadline] {
            assert_eq!(handshake.handle_timeout(now), Ok(()));
        }
    }
    for piece in cuts_at(bytes, places) {
        watch.receive(&mut buffer, piece);
        match &mut outcome {
            Outcome::Waits => {
                outcome = match handshake.read_response(&mut buffer) {
                    Ok(None) => Outcome::Waits,
                    Err(error) => Outcome::Failed(error),
                    Ok(Some((response, None))) => {
                        assert!((200..1000).contains(&response.status()));
                        Outcome::Refused(
                            response.status(),
                            response.headers().len(),
                            response.body().to_vec(),
                        )
                    }
                    Ok(Some((response, Some(connection)))) => {
                        assert!(connection.can_send() && connection.output().is_empty());
                        let subprotocol = response.subprotocol();
                        assert!(subprotocol.is_none_or(|name| OFFERED.contains(&name)));
                        let deflate = connection.uses_deflate();
                        assert!(options.config.deflate.is_some() || !deflate);
                        Outcome::Established(subprotocol.map(str::to_owned), deflate, Vec::new())
                    }
                };
                if let Outcome::Established(.., rest) = &mut outcome {
                    rest.extend_from_slice(buffer.unread());
                }
            }
            Outcome::Failed(error) => {
                assert_eq!(
                    handshake.read_response(&mut buffer).err(),
                    Some(*error),
                    "an error is final"
                );
            }
            Outcome::Established(.., rest) | Outcome::Refused(.., rest) => {
                rest.clear();
                rest.extend_from_slice(buffer.unread());
            }
        }
        watch.check(&buffer);
        if let (Some(deadline), false) = (deadline, piece.is_empty()) {
            let (passed, next) = match &outcome {
                Outcome::Waits => (Ok(()), Some(Duration::ZERO)),
                Outcome::Failed(error) => (Err(*error), None),
                Outcome::Established(..) | Outcome::Refused(..) => (Ok(()), None),
            };
            assert_eq!(handshake.handle_timeout(deadline), passed);
            assert_eq!(handshake.timeout_at(), next);
        }
    }
    if let (Some(_), Outcome::Waits) = (deadline, &outcome) {
        // An earlier time counts as the latest so far.
        let error = ResponseError::Timeout;
        assert_eq!(handshake.handle_timeout(Duration::ZERO), Err(error));
        assert_eq!(handshake.read_response(&mut buffer).err(), Some(error));
    }
    if let Outcome::Established(.., rest) | Outcome::Refused(.., rest) = &outcome {
        // RFC 9110 section 15.2: what is interim comes before the response.
        let mut expected = bytes;
        while begins_interim(expected) {
            expected = behind_head(expected).expect("an interim response in full");
        }
        assert_eq!(Some(&rest[..]), behind_head(expected), "left as it came");
    }
    outcome
}
