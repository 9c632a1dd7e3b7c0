//! What is sent: for every connection and message something else, which either side can make again.

use tokio_tungstenite::tungstenite::Message;

/// Lengths at which the form of a frame's header changes (RFC 6455 section 5.2), and what is next to them.
const EDGES: [usize; 6] = [0, 1, 125, 126, 127, 4096];

/// How much longer than the others one message of every connection is.
const LONGER: usize = 16;

/// The messages of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages {
    pub(crate) connection: usize,
    /// How many there are.
    pub(crate) count: usize,
    /// The length of the longest, but for one that is 16 times as long.
    pub(crate) size: usize,
}

impl Messages {
    /// The message at an index: text and binary in turn.
    pub(crate) fn get(&self, index: usize) -> Message {
        let mut random = Random::new(self.connection, index);
        let length = self.length(index, &mut random);
        let name = format!("connection {}, message {index}: ", self.connection);
        let mut text = String::with_capacity(length);
        // What is too short for its name is the only thing that may look like another.
        if name.len() <= length {
            text.push_str(&name);
        }
        while text.len() < length {
            let letter = match random.below(8) {
                0 => 'ß',
                1 => '€',
                2 => '😀',
                _ => char::from(b' ' + random.below(95).to_le_bytes()[0]),
            };
            let fits = text.len() + letter.len_utf8() <= length;
            text.push(if fits { letter } else { '.' });
        }
        if index.is_multiple_of(2) {
            Message::text(text)
        } else {
            let mut bytes = text.into_bytes();
            // No UTF-8 any more, if it is long enough to be told from others.
            if let Some(last) = bytes.get_mut(name.len()..).and_then(<[u8]>::last_mut) {
                *last = 0xFF;
            }
            Message::binary(bytes)
        }
    }

    fn length(&self, index: usize, random: &mut Random) -> usize {
        if index == self.count / 2 {
            return self.size * LONGER;
        }
        let edges = EDGES.len() + 2;
        match EDGES.get(random.below(edges)) {
            Some(edge) => *edge.min(&self.size),
            None => random.below(self.size + 1),
        }
    }
}

/// The payload of a connection's Ping at an index.
pub(crate) fn ping(connection: usize, index: usize) -> Vec<u8> {
    format!("connection {connection}, ping {index}").into_bytes()
}

/// `SplitMix64`: a few instructions, and the same numbers everywhere.
struct Random(u64);

impl Random {
    fn new(connection: usize, index: usize) -> Self {
        Self(((connection as u64) << 32) ^ index as u64)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let number = (mixed ^ (mixed >> 31)) % bound as u64;
        usize::try_from(number).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;

    #[test]
    fn lengths_vary_and_contents_are_unique() {
        let mut lengths = BTreeMap::<usize, usize>::new();
        let mut seen = HashSet::new();
        for connection in 0..100 {
            let messages = Messages {
                connection,
                count: 10,
                size: 4096,
            };
            for index in 0..10 {
                let message = messages.get(index);
                assert_eq!(message, messages.get(index));
                assert_eq!(message.is_text(), index % 2 == 0);
                *lengths.entry(message.len()).or_default() += 1;
                let is_unique = seen.insert(message.clone().into_data().to_vec());
                assert!(is_unique || message.len() < 32, "{message:?}");
                let is_utf8 = str::from_utf8(&message.clone().into_data()).is_ok();
                assert!(is_utf8 == message.is_text() || message.len() < 32);
            }
        }
        for edge in EDGES {
            assert!(lengths[&edge] > 50, "{edge}: {}", lengths[&edge]);
        }
        assert_eq!(lengths[&65_536], 100);
        assert!(lengths.len() > 150, "{}", lengths.len());
    }
}
