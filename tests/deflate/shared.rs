//! Messages that are compressed once and sent on many connections.

use std::fmt::Write;
use std::thread;

use sockless::{Codecs, Connection, Deflate, Delivery, SendError, SharedMessage};

use super::reference::inflate;
use super::{agreed, ask, everything, noise, pair, sent, serve, with};
use sockless::test_util::{OwnedEvent, Pair, Role, join_parts};

const MIN_SIZE: usize = 128;

/// Something that compresses to about the half.
fn json(length: usize, seed: usize) -> String {
    let mut text = String::new();
    for i in seed * 1000.. {
        if text.len() >= length {
            break;
        }
        let noise = i.wrapping_mul(0x9e37_79b9) >> 7 & 0x00ff_ffff;
        write!(text, "{{\"id\":{i},\"value\":\"{noise:x}\"}},").unwrap();
    }
    text.truncate(length);
    text
}

fn terms(bits: u8, takeover: bool) -> Deflate {
    Deflate::new()
        .with_min_size(MIN_SIZE)
        .with_max_window_bits(bits)
        .with_peer_max_window_bits(bits)
        .with_context_takeover(takeover)
        .with_peer_context_takeover(takeover)
}

fn written(connection: &Connection) -> Vec<u8> {
    connection.output_parts().collect::<Vec<_>>().concat()
}

/// One side says things of its own and what all say, and remembers what it has said.
struct Speaker {
    role: Role,
    pair: Pair,
    said: Vec<OwnedEvent>,
}

impl Speaker {
    fn new(role: Role, terms: Deflate, delivery: Delivery) -> Self {
        let config = with(terms).with_delivery(delivery);
        Self {
            role,
            pair: pair(&config, &config),
            said: Vec::new(),
        }
    }

    fn connection(&mut self) -> &mut Connection {
        &mut self.pair.peer(self.role).connection
    }

    fn own(&mut self, text: &str) {
        self.connection().send_text(text).unwrap();
        self.said.push(OwnedEvent::text(text));
    }

    fn fragments(&mut self, text: &str, refused: &SharedMessage) {
        let (left, right) = text.split_at(text.len() / 3);
        self.connection().send_text_fragment(left, false).unwrap();
        let before = written(self.connection());
        let open = self.connection().send_shared(refused);
        assert_eq!(open, Err(SendError::MessageOpen));
        assert_eq!(written(self.connection()), before);
        self.connection().send_text_fragment(right, true).unwrap();
        self.said.push(OwnedEvent::text(text));
    }

    /// Says whether it went out compressed.
    fn shared(&mut self, message: &SharedMessage, text: &str) -> bool {
        let before = written(self.connection()).len();
        self.connection().send_shared(message).unwrap();
        self.said.push(OwnedEvent::text(text));
        let first = written(self.connection())[before];
        assert!([0x81, 0xc1].contains(&first));
        first == 0xc1
    }

    /// All that was said arrives, in order.
    fn deliver(&mut self) {
        let output = self.pair.peer(self.role).write_all();
        let other = self.pair.peer(self.role.other());
        for piece in output.chunks(3000) {
            other.receive(piece);
        }
        assert_eq!(other.error, None);
        let (heard, open) = join_parts(&other.events());
        assert!(heard == std::mem::take(&mut self.said));
        assert_eq!(open, None);
    }
}

/// Every window, with and without context takeover, in both directions and delivery modes: what all say comes between
/// what each says, and everyone gets exactly that.
#[test]
fn between_messages_of_their_own() {
    for bits in 9..=15 {
        for takeover in [true, false] {
            for role in Role::BOTH {
                let mut speakers: Vec<_> = [Delivery::Messages, Delivery::Chunks]
                    .into_iter()
                    .map(|delivery| Speaker::new(role, terms(bits, takeover), delivery))
                    .collect();
                let mut codecs = Codecs::new();
                for length in [0, 1, 127, 128, 129, 4095, 4096, 4097, 20_000, 65_536] {
                    let text = json(length, length);
                    let message = SharedMessage::text(&text);
                    for (i, speaker) in speakers.iter_mut().enumerate() {
                        speaker.connection().lend_codecs(&mut codecs);
                        speaker.own(&json(300, i));
                        let compressed = speaker.shared(&message, &text);
                        assert_eq!(compressed, length >= MIN_SIZE, "{length}");
                        // It may refer to itself, but to nothing that the peer has at another place.
                        speaker.own(&json(300, i));
                        speaker.connection().compress_messages(false);
                        assert!(!speaker.shared(&message, &text));
                        speaker.connection().compress_messages(true);
                        speaker.own(&json(310, i));
                        speaker.fragments(&json(300, i), &message);
                        if i == 0 {
                            speaker.deliver();
                        }
                        speaker.shared(&message, &text);
                        speaker.fragments(&json(290, i), &message);
                        speaker.own(&json(length, length));
                        speaker.connection().reclaim_codecs(&mut codecs);
                        speaker.deliver();
                    }
                }
            }
        }
    }
}

/// The compressed message refers to nothing before it and no further back than the window allows, and uses that window.
#[test]
fn keeps_to_each_window() {
    // The compressor looks 262 bytes less far than the window is wide.
    let periods: Vec<_> = (9..=15).map(|bits: u8| 100 << (bits - 8)).collect();
    let data: Vec<_> = periods
        .iter()
        .flat_map(|period| noise(*period, 77).repeat(2))
        .collect();
    let message = SharedMessage::binary(&data);
    let mut sizes = Vec::new();
    for bits in (9..=15_u8).rev() {
        let mut server = pair(&with(terms(bits, true)), &everything())
            .server
            .connection;
        server.send_binary(&data).unwrap();
        server.advance_output(server.output().len());
        server.send_shared(&message).unwrap();
        let (first, payload) = sent(&written(&server)).pop().unwrap();
        assert_eq!(first, 0xc2);
        let inflated = inflate(&payload, b"");
        assert!(inflated.whole && inflated.data == data);
        assert!(inflated.reach <= 1 << bits, "{} {bits}", inflated.reach);
        assert!(
            inflated.reach >= 100 << (bits - 8),
            "{} {bits}",
            inflated.reach
        );
        sizes.push(payload.len());
    }
    assert!(sizes.is_sorted() && sizes[0] < sizes[6] / 2, "{sizes:?}");
}

/// A window of 256 bytes can be demanded of a client, which then compresses nothing.
#[test]
fn a_window_that_is_too_small_compresses_nothing() {
    let answer = "permessage-deflate; client_max_window_bits=8";
    let mut client = ask(&[answer], &everything()).0.unwrap();
    let text = json(1000, 1);
    client.send_shared(&SharedMessage::text(&text)).unwrap();
    assert_eq!(sent(client.output()), [(0x81, text.into_bytes())]);
}

/// Where the shared message lies on connections with these wishes, compressed to 4 KiB at least.
fn addresses(message: &SharedMessage, wishes: &[Deflate]) -> Vec<*const u8> {
    wishes
        .iter()
        .map(|wishes| {
            let mut server = agreed(Role::Server, &with(wishes.clone()));
            server.send_text("first").unwrap();
            server.send_shared(message).unwrap();
            server.send_text("last").unwrap();
            let parts: Vec<_> = server.output_parts().collect();
            assert_eq!(parts.len(), 3);
            assert_eq!(parts[1][0], 0xc1);
            parts[1].as_ptr()
        })
        .collect()
}

/// Connections with the same window have the same bytes, whatever else they wish, and so have clones and other threads.
#[test]
fn is_compressed_once_for_each_window() {
    let text = json(100_000, 1);
    let message = SharedMessage::text(&text);
    let mut wishes = [9, 9, 15, 15, 15, 12].map(|bits| terms(bits, true));
    wishes[1].context_takeover = false;
    (wishes[3].level, wishes[4].memory_level) = (1, 1);
    let mine = addresses(&message.clone(), &wishes);
    let theirs = thread::scope(|scope| {
        let there = || {
            addresses(&message, &wishes)
                .iter()
                .map(|at| *at as usize)
                .collect()
        };
        let threads = [(); 2].map(|()| scope.spawn(there));
        threads.map(|thread| thread.join().unwrap())
    });
    let mine: Vec<_> = mine.into_iter().map(|at| at as usize).collect();
    for theirs in theirs {
        let theirs: Vec<usize> = theirs;
        assert_eq!(theirs, mine);
    }
    assert_eq!((mine[0], mine[2], mine[2]), (mine[1], mine[3], mine[4]));
    assert!(mine[0] != mine[2] && mine[2] != mine[5] && mine[5] != mine[0]);
}

/// Threads that need it at the same time wait for the one that compresses.
#[test]
fn threads_compress_it_once() {
    const fn shareable<T: Send + Sync>(_: &T) {}
    let text = json(200_000, 1);
    for _ in 0..5 {
        let message = SharedMessage::text(&text);
        shareable(&message);
        let found = thread::scope(|scope| {
            let there = || addresses(&message, &[terms(15, true)])[0] as usize;
            let threads = [(); 4].map(|()| scope.spawn(there));
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(found, [found[0]; 4]);
    }
}

/// What is short for a window needs no larger one: so it is the same for all windows, and no longer than alone.
#[test]
fn short_messages_have_one_form_for_all_windows() {
    for (length, least) in [(250, 9), (251, 10), (762, 10), (1024, 11), (32_000, 15)] {
        // Its end repeats its beginning.
        let (edge, middle) = (json(60, 1), "=".repeat(length - 120));
        let text = [&edge[..], &middle, &edge].concat();
        let mut forms = Vec::new();
        let message = SharedMessage::text(&text);
        for bits in least..=15 {
            let mut wishes = terms(bits, true);
            // What the first one wishes counts.
            wishes.level = if bits == least { 6 } else { 1 };
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

/// Ahead, with wishes of the caller's own, and once for all.
#[test]
fn compressed_ahead() {
    let text = json(5000, 1);
    let output = |level, ahead: &[u8]| {
        let message = SharedMessage::text(&text);
        for level in ahead {
            // As the nearest, which is 15.
            let wishes = terms(15, true).with_level(*level).with_max_window_bits(200);
            message.compress(&wishes);
        }
        let wishes = terms(15, true).with_level(level);
        let mut server = agreed(Role::Server, &with(wishes));
        server.send_shared(&message).unwrap();
        written(&server)
    };
    assert_ne!(output(1, &[]), output(9, &[]));
    assert_eq!(output(1, &[9]), output(9, &[]));
    assert_eq!(output(9, &[0, 9]), output(1, &[]));
    // For another window it says nothing.
    let message = SharedMessage::text(&text);
    let mut wishes = terms(9, true);
    message.compress(&wishes);
    wishes = terms(15, true);
    let mut server = agreed(Role::Server, &with(wishes));
    server.send_shared(&message).unwrap();
    assert_eq!(written(&server), output(6, &[]));
}

/// Compression would only cost the receiver time, and who sends the message a second copy.
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
            // The window is as it was.
            assert!(frames[2].1.len() < 10);
            let before = inflate(&frames[0].1, b"").data;
            assert_eq!(inflate(&frames[2].1, &before).data, before);
        }
    }
}

/// After a message for all, one of its own refers to no earlier one: not to those which are no longer where they were.
#[test]
fn the_next_message_refers_to_nothing_before() {
    for role in Role::BOTH {
        let (own, all) = (json(400, 1), json(400, 2));
        let message = SharedMessage::text(&all);
        let mut connection = agreed(role, &everything());
        let size = |connection: &mut Connection| {
            connection.send_text(&own).unwrap();
            let frames = sent(connection.output());
            connection.advance_output(connection.output().len());
            frames.last().unwrap().1.len()
        };
        let fresh = size(&mut connection);
        assert!(size(&mut connection) < 20);
        connection.send_shared(&message).unwrap();
        assert_eq!(size(&mut connection), fresh);
        // And from then on it refers to its own again.
        assert!(size(&mut connection) < 20);
        // What goes out plain does not count.
        connection.compress_messages(false);
        connection.send_shared(&message).unwrap();
        connection.compress_messages(true);
        assert!(size(&mut connection) < 20);
    }
}

/// A refusal queues nothing, and what the connection knows of earlier messages stays.
#[test]
fn refused() {
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
        // What is shared counts, too.
        connection.send_shared(&message).unwrap();
        assert_eq!(connection.send_shared(&message), Err(SendError::Full));
        connection.advance_output(written(&connection).len());
        connection.handle_eof();
        assert_eq!(connection.send_shared(&message), Err(SendError::Closed));
    }
}

/// In the middle of the output of a connection that has agreed on nothing, and of one that has.
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
