//! Edge cases of delivery and of the output.

use sockless::test_util::{Frame, OwnedEvent, Role, encode, every_cut, run};
use sockless::{Config, Connection, Delivery, ProtocolError, SendError};

#[test]
fn the_good_part_of_a_bad_chunk_does_not_depend_on_the_cut() {
    let config = Config::new().with_delivery(Delivery::Chunks);
    for bad in [&b"abc\xff"[..], b"abc\xf4\x90d", b"abc\xe2\x82"] {
        let frames = [Frame::new(0x81, bad), Frame::new(0x81, "more")];
        let bytes = encode(&frames, Role::Server);
        for cuts in every_cut(bytes.len()) {
            let outcome = run(Role::Server, &config, &bytes, &cuts);
            assert_eq!(outcome.events, [], "{bad:x?} cut at {cuts:?}");
            let good = OwnedEvent::TextPart("abc".into());
            assert_eq!(outcome.open, Some(good), "{bad:x?} cut at {cuts:?}");
            assert_eq!(outcome.error, Some(ProtocolError::InvalidUtf8));
            assert_eq!(outcome.ending.unwrap().error, outcome.error);
        }
    }
}

/// One message fits into an empty output, whatever the limit. A second one does not.
#[test]
fn an_output_limit_of_nothing_still_sends() {
    let config = Config::new().with_max_output(0);
    let mut connection = Connection::server(&config);
    assert_eq!(connection.send_text("one"), Ok(()));
    assert_eq!(connection.send_text("two"), Err(SendError::Full));
    connection.advance_output(connection.output().len());
    assert_eq!(connection.send_text("two"), Ok(()));
}
