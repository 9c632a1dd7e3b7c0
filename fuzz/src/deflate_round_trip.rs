//! Two peers with any compression options exchange messages, which arrive as sent (RFC 7692, section 7).

use arbitrary::Arbitrary;
use sockless::test_util::{Cuts, OwnedEvent, Pair, Peer, Role, cuts_at};
use sockless::{Codecs, Config, Deflate, Delivery, ReadBuffer};

use crate::input::{Counted, Rest, structured};
use crate::opening;

/// The options of both peers, and the messages.
#[derive(Debug, Arbitrary)]
struct Input<'a> {
    server: Options,
    client: Options,
    /// How many bytes go over the wire at a time, in turn. 0 means all.
    sizes: [u16; 3],
    messages: Rest<Message<'a>>,
}

#[derive(Debug, Arbitrary)]
struct Options {
    level: u8,
    memory_level: u8,
    min_size: u8,
    window_bits: u8,
    peer_window_bits: u8,
    context_takeover: bool,
    peer_context_takeover: bool,
    chunks: bool,
    /// Whether the peer borrows codecs for each message.
    lent: bool,
}

#[derive(Debug, Arbitrary)]
struct Message<'a> {
    from_client: bool,
    compressed: bool,
    /// How many times the message repeats the data.
    times: u8,
    /// Where to cut the message into fragments. 0 is no cut.
    cuts: [u16; 3],
    data: Counted<'a>,
}

impl Options {
    fn config(&self) -> Config {
        let deflate = Deflate::new()
            // Levels above 6 take long and reach no other code here.
            .with_level(self.level % 7)
            .with_memory_level(self.memory_level % 10)
            .with_min_size(self.min_size.into())
            .with_max_window_bits(8 + self.window_bits % 9)
            .with_peer_max_window_bits(8 + self.peer_window_bits % 9)
            .with_context_takeover(self.context_takeover)
            .with_peer_context_takeover(self.peer_context_takeover);
        let mut config = Config::new().with_deflate(deflate);
        if self.chunks {
            config.delivery = Delivery::Chunks;
        }
        config
    }
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = structured::<Input<'_>>(data) else {
        return;
    };
    let (server, client) = opening::pair(input.server.config(), input.client.config());
    let mut pair = Pair {
        server: Peer::with(server, ReadBuffer::new()),
        client: Peer::with(client, ReadBuffer::new()),
    };
    let mut codecs = Codecs::new();
    let sizes = input.sizes.map(|size| match size {
        0 => usize::MAX,
        size => size.into(),
    });
    let mut sizes = sizes.into_iter().cycle();
    for message in input.messages.0.iter().take(20) {
        let (from, to) = if message.from_client {
            (Role::Client, Role::Server)
        } else {
            (Role::Server, Role::Client)
        };
        let lent = |role| match role {
            Role::Client => input.client.lent,
            Role::Server => input.server.lent,
        };
        let data = message.data.0.repeat(usize::from(message.times % 40));
        let sender = &mut pair.peer(from).connection;
        if lent(from) {
            sender.lend_codecs(&mut codecs);
        }
        sender.compress_messages(message.compressed);
        let cuts = Cuts(message.cuts.into_iter().filter(|cut| *cut != 0).collect());
        if cuts.0.is_empty() {
            sender.send_binary(&data).expect("the connection is open");
        } else {
            let places = cuts.places(data.len());
            let mut left = data.len();
            for (i, piece) in cuts_at(&data, &places).enumerate() {
                left -= piece.len();
                let fin = i == places.len();
                assert!(!fin || left == 0);
                sender
                    .send_binary_fragment(piece, fin)
                    .expect("the connection is open");
            }
        }
        if lent(from) {
            sender.reclaim_codecs(&mut codecs);
        }
        if lent(to) {
            pair.peer(to).connection.lend_codecs(&mut codecs);
        }
        pair.exchange(&mut sizes);
        if lent(to) {
            pair.peer(to).connection.reclaim_codecs(&mut codecs);
        }
        assert_eq!(pair.peer(to).error, None);
        let events = pair.peer(to).events();
        let (received, open) = sockless::test_util::join_parts(&events);
        assert_eq!(received, [OwnedEvent::binary(&data)]);
        assert_eq!(open, None);
        assert!(
            pair.peer(to).buffer.is_empty(),
            "the buffer keeps nothing of a message"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::seeds;

    /// Every seed compresses messages in both directions. Together the seeds cover all options.
    #[test]
    fn its_seeds_send_compressed_messages() {
        let seeds = seeds("deflate_round_trip");
        let inputs = seeds.iter().map(|(path, seed)| {
            let input: Input<'_> = structured(seed).expect("the seed is long enough");
            (path, input)
        });
        let inputs: Vec<_> = inputs.collect();
        for (path, input) in &inputs {
            let (server, client) = opening::pair(input.server.config(), input.client.config());
            assert!(server.uses_deflate() && client.uses_deflate(), "{path:?}");
            for from_client in [false, true] {
                let compressed = input.messages.0.iter().filter(|message| {
                    message.from_client == from_client
                        && message.compressed
                        && !message.data.0.is_empty()
                });
                assert!(compressed.count() >= 2, "{path:?}");
            }
        }
        let messages = || inputs.iter().flat_map(|(_, input)| &input.messages.0);
        let mut sides = inputs
            .iter()
            .flat_map(|(_, input)| [&input.server, &input.client]);
        assert!(messages().any(|message| message.cuts != [0; 3]));
        assert!(messages().any(|message| !message.compressed));
        // One message is larger than the smallest window of 512 bytes.
        let sizes = messages().map(|sent| sent.data.0.len() * usize::from(sent.times));
        assert!(sizes.max().is_some_and(|most| most > 3_000));
        assert!(
            sides
                .clone()
                .any(|side| side.lent && !side.context_takeover)
        );
        assert!(
            sides
                .clone()
                .any(|side| !side.lent && side.context_takeover)
        );
        assert!(sides.any(|side| side.chunks));
    }
}
