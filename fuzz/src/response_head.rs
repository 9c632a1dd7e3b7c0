//! A client that reads a response from any bytes, in any cuts.
//!
//! The client asks with the same key every time, so that a seed can have the right answer to it.

use sockless::handshake::{ClientOptions, Opening, ResponseError};
use sockless::test_util::cuts_at;
use sockless::{Deflate, ReadBuffer};

use crate::input::Input;
use crate::memory::Watch;
use crate::opening;
use crate::request_head::behind_head;

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
    let mut options = ClientOptions::default();
    options.subprotocols = &["chat", "superchat"];
    if input.chooses(0) {
        options.config.deflate = Some(Deflate::default());
    }
    if input.chooses(1) {
        options.config.max_head_size = 200;
        options.config.max_headers = 5;
    }
    let whole = read(input.bytes, &[], &options);
    let cut = read(input.bytes, &input.places(input.bytes.len()), &options);
    assert_eq!(cut, whole);
}

fn read(bytes: &[u8], places: &[usize], options: &ClientOptions<'_>) -> Outcome {
    let mut handshake = opening::client(options).expect("nothing is wrong with the options");
    let mut buffer = ReadBuffer::new();
    let mut watch = Watch::default();
    let mut outcome = Outcome::Waits;
    for piece in cuts_at(bytes, places) {
        watch.receive(&mut buffer, piece);
        match &mut outcome {
            Outcome::Waits => {
                outcome = match handshake.read_response(&mut buffer) {
                    Ok(None) => Outcome::Waits,
                    Err(error) => Outcome::Failed(error),
                    Ok(Some(Opening::Refused(response))) => {
                        assert!((200..1000).contains(&response.status()));
                        Outcome::Refused(
                            response.status(),
                            response.headers().len(),
                            response.body().to_vec(),
                        )
                    }
                    Ok(Some(Opening::Established {
                        connection,
                        response,
                        ..
                    })) => {
                        assert!(connection.is_open() && connection.output().is_empty());
                        let subprotocol = response.subprotocol().map(str::to_owned);
                        let offered = ["chat", "superchat"];
                        assert!(
                            subprotocol
                                .as_deref()
                                .is_none_or(|name| offered.contains(&name))
                        );
                        assert!(
                            options.config.deflate.is_some() || !connection.is_deflate_agreed()
                        );
                        Outcome::Established(
                            subprotocol,
                            connection.is_deflate_agreed(),
                            Vec::new(),
                        )
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
    }
    if let Outcome::Established(.., rest) | Outcome::Refused(.., rest) = &outcome {
        // RFC 9110 section 15.2: what is interim comes before the response.
        let mut expected = bytes;
        while expected[8..].starts_with(b" 1") && !expected[8..].starts_with(b" 101") {
            expected = behind_head(expected).expect("an interim response in full");
        }
        assert_eq!(Some(&rest[..]), behind_head(expected), "left as it came");
    }
    outcome
}
