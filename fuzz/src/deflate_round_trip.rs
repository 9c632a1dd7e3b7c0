//! Messages between two peers with any wishes for compression: what is sent arrives (RFC 7692 section 7).

use arbitrary::Arbitrary;
use sockless::test_util::{Cuts, OwnedEvent, Pair, Peer, Role, cuts_at};
use sockless::{Codecs, Config, Deflate, Delivery, ReadBuffer};

use crate::input::structured;
use crate::opening;

/// Two peers and what they say.
#[derive(Debug, Arbitrary)]
struct Input<'a> {
    server: Wishes,
    client: Wishes,
    messages: Vec<Message<'a>>,
    sizes: Vec<u16>,
}

#[derive(Debug, Arbitrary)]
struct Wishes {
    level: u8,
    memory_level: u8,
    min_size: u8,
    window_bits: u8,
    peer_window_bits: u8,
    context_takeover: bool,
    peer_context_takeover: bool,
    chunks: bool,
    /// Whether codecs are lent for each turn.
    lent: bool,
}

#[derive(Debug, Arbitrary)]
struct Message<'a> {
    from_client: bool,
    compressed: bool,
    data: &'a [u8],
    /// How often the data stands in the message.
    times: u8,
    cuts: Cuts,
}

impl Wishes {
    fn config(&self) -> Config {
        let mut deflate = Deflate::default();
        // Levels above 6 take long and find nothing new here.
        deflate.level = self.level % 7;
        deflate.memory_level = self.memory_level % 10;
        deflate.min_size = self.min_size.into();
        deflate.max_window_bits = 8 + self.window_bits % 9;
        deflate.peer_max_window_bits = 8 + self.peer_window_bits % 9;
        deflate.context_takeover = self.context_takeover;
        deflate.peer_context_takeover = self.peer_context_takeover;
        let mut config = Config::default();
        config.deflate = Some(deflate);
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
    let (mut server, client) = opening::pair(input.server.config(), input.client.config());
    server.advance_output(server.output().len());
    let mut pair = Pair {
        server: Peer::with(server, ReadBuffer::new()),
        client: Peer::with(client, ReadBuffer::new()),
    };
    let mut codecs = Codecs::new();
    let mut sizes = input.sizes.iter().map(|size| usize::from(*size)).cycle();
    for message in input.messages.iter().take(20) {
        let (from, to, lent) = if message.from_client {
            (Role::Client, Role::Server, input.client.lent)
        } else {
            (Role::Server, Role::Client, input.server.lent)
        };
        let data = message.data.repeat(usize::from(message.times % 40));
        let sender = &mut pair.peer(from).connection;
        if lent {
            sender.lend_codecs(&mut codecs);
        }
        sender.compress_messages(message.compressed);
        if message.cuts.0.is_empty() {
            sender.send_binary(&data).expect("an open connection");
        } else {
            let places = message.cuts.places(data.len());
            let mut left = data.len();
            for (i, piece) in cuts_at(&data, &places).enumerate() {
                left -= piece.len();
                let fin = i == places.len();
                assert!(!fin || left == 0);
                sender
                    .send_binary_fragment(piece, fin)
                    .expect("an open connection");
            }
        }
        if lent {
            sender.reclaim_codecs(&mut codecs);
        }
        pair.exchange(&mut sizes);
        assert_eq!(pair.peer(to).error, None);
        let events = pair.peer(to).events();
        let (received, open) = sockless::test_util::join_parts(&events);
        assert_eq!(received, [OwnedEvent::binary(&data)]);
        assert_eq!(open, None);
        assert!(
            pair.peer(to).buffer.is_empty(),
            "nothing is kept of a message"
        );
    }
}
