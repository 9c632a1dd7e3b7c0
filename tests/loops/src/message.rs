//! The messages to send. Each message of each connection is different, and both sides can compute it.

use tokio_tungstenite::tungstenite::Message;

/// Lengths at which the form of a frame header changes (RFC 6455, section 5.2), and their neighbours.
const EDGES: [usize; 6] = [0, 1, 125, 126, 127, 4096];

/// One message of every connection is this many times longer than the others.
const LONGER: usize = 16;

/// The messages of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages {
    pub(crate) connection: usize,
    /// The number of messages.
    pub(crate) count: usize,
    /// The length of the longest message. One message is 16 times longer.
    pub(crate) size: usize,
}

impl Messages {
    /// The message at an index. Text and binary messages alternate.
    pub(crate) fn get(&self, index: usize) -> Message {
        let seed = ((self.connection as u64) << 32) ^ index as u64;
        let mut random = fastrand::Rng::with_seed(seed);
        let length = self.length(index, &mut random);
        let name = format!("connection {}, message {index}: ", self.connection);
        let mut text = String::with_capacity(length);
        // Only messages that are too short for their name may equal another message.
        if name.len() <= length {
            text.push_str(&name);
        }
        while text.len() < length {
            let letter = match random.u8(..8) {
                0 => 'ß',
                1 => '€',
                2 => '😀',
                _ => random.char(' '..='~'),
            };
            let fits = text.len() + letter.len_utf8() <= length;
            text.push(if fits { letter } else { '.' });
        }
        if index.is_multiple_of(2) {
            return Message::text(text);
        }
        let mut bytes = text.into_bytes();
        // Long binary messages are not valid UTF-8.
        if let Some(last) = bytes.get_mut(name.len()..).and_then(<[u8]>::last_mut) {
            *last = 0xFF;
        }
        Message::binary(bytes)
    }

    fn length(&self, index: usize, random: &mut fastrand::Rng) -> usize {
        if index == self.count / 2 {
            return self.size * LONGER;
        }
        match EDGES.get(random.usize(..EDGES.len() + 2)) {
            Some(edge) => *edge.min(&self.size),
            None => random.usize(..=self.size),
        }
    }
}

/// The payload of a connection's Ping at an index.
pub(crate) fn ping(connection: usize, index: usize) -> Vec<u8> {
    format!("connection {connection}, ping {index}").into_bytes()
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
