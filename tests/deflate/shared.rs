//! Messages that are compressed once and sent on many connections.

use std::thread;

use sockless::test_util::Role;
use sockless::{Connection, Deflate, SendError, SharedMessage};

use super::data::json;
use super::reference::inflate;
use super::{
    agreed, ask, everything, noise, pair, repetitions, sent, serve, take_frame, with, written,
};

fn terms(bits: u8) -> Deflate {
    Deflate::new()
        .with_max_window_bits(bits)
        .with_peer_max_window_bits(bits)
}

/// The compressed message refers to no earlier message. It uses the whole window and no more.
#[test]
fn a_shared_message_keeps_to_each_window() {
    let data = repetitions(15);
    let message = SharedMessage::binary(&data);
    let mut sizes = Vec::new();
    for bits in (9..=15_u8).rev() {
        let mut server = pair(&with(terms(bits)), &everything()).server.connection;
        server.send_binary(&data).unwrap();
        server.advance_output(server.output().len());
        server.send_shared(&message).unwrap();
        let (first, payload) = take_frame(&mut server);
        assert_eq!(first, 0xc2);
        let inflated = inflate(&payload, b"");
        assert!(inflated.whole && inflated.data == data);
        assert!(inflated.reach <= 1 << bits, "{} {bits}", inflated.reach);
        let least = 100 << (bits - 8);
        assert!(inflated.reach >= least, "{} {bits}", inflated.reach);
        sizes.push(payload.len());
    }
    assert!(sizes.is_sorted() && sizes[0] < sizes[6] / 2, "{sizes:?}");
    // A server may demand a window of 256 bytes. No compressor has one.
    let answer = "permessage-deflate; client_max_window_bits=8";
    let mut client = ask(&[answer], &everything()).0.unwrap();
    let text = json(1000, 1);
    client.send_shared(&SharedMessage::text(&text)).unwrap();
    assert_eq!(sent(client.output()), [(0x81, text.into_bytes())]);
}

/// The address of the compressed message on connections with these wishes. Messages of 4 KiB and more are not copied.
fn addresses(message: &SharedMessage, wishes: &[Deflate]) -> Vec<usize> {
    let address = |wishes: &Deflate| {
        let mut server = agreed(Role::Server, &with(wishes.clone()));
        server.send_text("first").unwrap();
        server.send_shared(message).unwrap();
        server.send_text("last").unwrap();
        let parts: Vec<_> = server.output_parts().collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[1][0], 0xc1);
        parts[1].as_ptr() as usize
    };
    wishes.iter().map(address).collect()
}

/// Only the window counts. Clones and other threads have the same bytes, and threads that need them at the same time
/// wait.
#[test]
fn a_shared_message_is_compressed_once_for_each_window() {
    const fn shareable<T: Send + Sync>(_: &T) {}
    let text = json(100_000, 1);
    let mut wishes = [9, 9, 15, 15, 15, 12].map(terms);
    wishes[1].context_takeover = false;
    (wishes[3].level, wishes[4].memory_level) = (1, 1);
    for _ in 0..5 {
        let message = SharedMessage::text(&text);
        shareable(&message);
        let found = thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(|| addresses(&message, &wishes)));
            threads.map(|thread| thread.join().unwrap())
        });
        let at = addresses(&message.clone(), &wishes);
        assert!(found.iter().all(|found| *found == at));
        assert_eq!((at[0], at[2], at[2]), (at[1], at[3], at[4]));
        assert!(at[0] != at[2] && at[2] != at[5] && at[5] != at[0]);
    }
}

/// All windows with room for the whole message give the same compressed form. A message that is not shared has this
/// form too.
#[test]
fn short_messages_have_one_form_for_all_windows() {
    for (length, least) in [(250, 9), (251, 10), (762, 10), (1024, 11), (32_000, 15)] {
        // The end of the message repeats its beginning.
        let (edge, middle) = (json(60, 1), "=".repeat(length - 120));
        let text = [&edge[..], &middle, &edge].concat();
        let mut forms = Vec::new();
        let message = SharedMessage::text(&text);
        for bits in least..=15 {
            // The level of the first connection counts.
            let wishes = terms(bits).with_level(if bits == least { 6 } else { 1 });
            let mut server = agreed(Role::Server, &with(wishes));
            server.send_shared(&message).unwrap();
            forms.push(sent(&written(&server)));
        }
        let mut server = agreed(Role::Server, &everything());
        server.send_text(&text).unwrap();
        forms.push(sent(server.output()));
        forms.dedup();
        assert_eq!(forms.len(), 1, "{length}");
    }
}

/// [`SharedMessage::compress`] uses the options of the caller. Only the first call counts.
#[test]
fn compressed_ahead() {
    let text = json(5000, 1);
    let output = |level, ahead: &[u8]| {
        let message = SharedMessage::text(&text);
        for level in ahead {
            // Counts as the nearest, which is 15.
            let wishes = terms(15).with_level(*level).with_max_window_bits(200);
            message.compress(&wishes);
        }
        let wishes = terms(15).with_level(level);
        let mut server = agreed(Role::Server, &with(wishes));
        server.send_shared(&message).unwrap();
        written(&server)
    };
    assert_ne!(output(1, &[]), output(9, &[]));
    assert_eq!(output(1, &[9]), output(9, &[]));
    assert_eq!(output(9, &[0, 9]), output(1, &[]));
    // Another window is not affected.
    let message = SharedMessage::text(&text);
    message.compress(&terms(9));
    let mut server = agreed(Role::Server, &with(terms(15)));
    server.send_shared(&message).unwrap();
    assert_eq!(written(&server), output(6, &[]));
}

/// Compression would only cost time and memory.
#[test]
fn what_gets_no_shorter_goes_as_it_is() {
    for length in [0, 1, 5, 1000, 5000, 70_000] {
        let data = noise(length, 3);
        let message = SharedMessage::binary(&data);
        for role in Role::BOTH {
            let mut connection = agreed(role, &everything());
            connection.send_text("something for the window").unwrap();
            connection.send_shared(&message).unwrap();
            connection.send_text("something for the window").unwrap();
            let frames = sent(&written(&connection));
            assert_eq!(frames[1], (0x82, data.clone()));
            // The window is unchanged.
            assert!(frames[2].1.len() < 10);
            let before = inflate(&frames[0].1, b"").data;
            assert_eq!(inflate(&frames[2].1, &before).data, before);
        }
    }
}

/// A shared message moves earlier messages to other places in the window, so the next message cannot refer to them.
#[test]
fn the_next_message_refers_to_nothing_before() {
    for role in Role::BOTH {
        let own = json(400, 1);
        let message = SharedMessage::text(&json(400, 2));
        let mut connection = agreed(role, &everything());
        let size = |connection: &mut Connection| {
            connection.advance_output(connection.output_len());
            connection.send_text(&own).unwrap();
            take_frame(connection).1.len()
        };
        let fresh = size(&mut connection);
        assert!(size(&mut connection) < 20);
        connection.send_shared(&message).unwrap();
        assert_eq!(size(&mut connection), fresh);
        // Later messages can refer to this one.
        assert!(size(&mut connection) < 20);
        // A shared message without compression changes nothing.
        connection.compress_messages(false);
        connection.send_shared(&message).unwrap();
        connection.compress_messages(true);
        assert!(size(&mut connection) < 20);
    }
}

/// The output and the window stay the same.
#[test]
fn refused_shared_messages() {
    let message = SharedMessage::text(&json(5000, 2));
    let own = json(400, 1);
    for role in Role::BOTH {
        let config = everything().with_max_output(1);
        let mut connection = agreed(role, &config);
        connection.send_text(&own).unwrap();
        let fresh = written(&connection);
        assert_eq!(connection.send_shared(&message), Err(SendError::Full));
        assert_eq!(written(&connection), fresh);
        connection.advance_output(fresh.len());
        connection.send_text_fragment("", false).unwrap();
        connection.advance_output(connection.output().len());
        let open = connection.send_shared(&message);
        assert_eq!(open, Err(SendError::MessageOpen));
        assert!(connection.output().is_empty());
        connection.send_text_fragment(&own, true).unwrap();
        assert!(connection.output().len() < 20);
        connection.advance_output(connection.output().len());
        // A shared message fills the output too.
        connection.send_shared(&message).unwrap();
        assert_eq!(connection.send_shared(&message), Err(SendError::Full));
        connection.advance_output(written(&connection).len());
        connection.handle_eof();
        assert_eq!(connection.send_shared(&message), Err(SendError::Closed));
    }
}

#[test]
fn with_and_without_the_extension() {
    let text = json(20_000, 1);
    let message = SharedMessage::text(&text);
    let (mut plain, _) = serve(&[], &everything()).unwrap();
    let mut compressing = agreed(Role::Server, &everything());
    for _ in 0..2 {
        plain.send_shared(&message).unwrap();
        compressing.send_shared(&message).unwrap();
    }
    let frame = (0x81, text.clone().into_bytes());
    assert_eq!(sent(&written(&plain)), [frame.clone(), frame]);
    for (first, payload) in sent(&written(&compressing)) {
        assert_eq!(first, 0xc1);
        assert_eq!(inflate(&payload, b"").data, text.as_bytes());
    }
}
