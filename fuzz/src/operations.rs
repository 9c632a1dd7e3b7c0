//! What a peer can do, and how it stands in the input of the target `two_peers`: read and written side by side.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::input::Counted;

/// One thing that one of the peers does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// A fragment of a text message, and whether it is the last.
    TextFragment(String, bool),
    /// A fragment of a binary message, and whether it is the last.
    BinaryFragment(Vec<u8>, bool),
    /// A Ping.
    Ping(Vec<u8>),
    /// A Pong.
    Pong(Vec<u8>),
    /// A Close frame with any code.
    Close(u16, String),
    /// So many bytes of output reach the other.
    Transfer(u16),
    /// All output is taken at once.
    SwapOutput,
    /// One byte on its way to the other changes.
    Corrupt(u16, u8),
    /// No more bytes come.
    EndOfStream,
    /// The buffer goes back to a pool, if it is empty.
    ExchangeBuffer,
}

/// An operation and who does it: the client or the server.
pub type Step = (bool, Operation);

/// What stands for one step: the client's has the top bit, a last fragment the bit below it.
pub(crate) struct Encoded(pub(crate) Step);

impl<'a> Arbitrary<'a> for Encoded {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kind = u8::arbitrary(u)?;
        let fin = kind & 0x40 != 0;
        let mut data = || Counted::arbitrary(u).map(|counted| counted.0.to_vec());
        let text = |data: Vec<u8>| String::from_utf8_lossy(&data).into_owned();
        let operation = match kind & 0x0f {
            0 => Operation::Text(text(data()?)),
            1 => Operation::Binary(data()?),
            2 => Operation::TextFragment(text(data()?), fin),
            3 => Operation::BinaryFragment(data()?, fin),
            4 => Operation::Ping(data()?),
            5 => Operation::Pong(data()?),
            6 => Operation::Close(u16::arbitrary(u)?, text(Counted::arbitrary(u)?.0.to_vec())),
            7 => Operation::SwapOutput,
            8 => Operation::Corrupt(u16::arbitrary(u)?, u8::arbitrary(u)?),
            9 => Operation::EndOfStream,
            10 => Operation::ExchangeBuffer,
            // More often than the others, or nothing would arrive.
            _ => Operation::Transfer(u16::arbitrary(u)?),
        };
        Ok(Self((kind & 0x80 != 0, operation)))
    }
}

/// The bytes that these steps are read from.
#[must_use]
pub fn write(steps: &[Step]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (by_client, operation) in steps {
        let (kind, fin, rest) = match operation {
            Operation::Text(text) => (0, false, counted(text.as_bytes())),
            Operation::Binary(data) => (1, false, counted(data)),
            Operation::TextFragment(text, fin) => (2, *fin, counted(text.as_bytes())),
            Operation::BinaryFragment(data, fin) => (3, *fin, counted(data)),
            Operation::Ping(payload) => (4, false, counted(payload)),
            Operation::Pong(payload) => (5, false, counted(payload)),
            Operation::Close(code, reason) => {
                let reason = counted(reason.as_bytes());
                (6, false, [&code.to_le_bytes()[..], &reason].concat())
            }
            Operation::SwapOutput => (7, false, vec![]),
            Operation::Corrupt(at, bits) => (8, false, [&at.to_le_bytes()[..], &[*bits]].concat()),
            Operation::EndOfStream => (9, false, vec![]),
            Operation::ExchangeBuffer => (10, false, vec![]),
            Operation::Transfer(n) => (11, false, n.to_le_bytes().to_vec()),
        };
        bytes.push(u8::from(*by_client) << 7 | u8::from(fin) << 6 | kind);
        bytes.extend(rest);
    }
    bytes
}

/// Bytes behind their length, of which there are fewer than 2048.
#[must_use]
pub fn counted(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    [&length.to_le_bytes()[..], data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Rest;

    #[test]
    fn what_is_written_is_read() {
        let steps = [
            Operation::Text("a".into()),
            Operation::Binary(vec![0; 2047]),
            Operation::TextFragment("\u{3ba}".into(), true),
            Operation::TextFragment(String::new(), false),
            Operation::BinaryFragment(vec![], true),
            Operation::Ping(vec![7]),
            Operation::Pong(vec![8; 126]),
            Operation::Close(4999, "bye".into()),
            Operation::Transfer(300),
            Operation::SwapOutput,
            Operation::Corrupt(256, 1),
            Operation::EndOfStream,
            Operation::ExchangeBuffer,
        ];
        let steps: Vec<Step> = steps
            .into_iter()
            .flat_map(|step| [(true, step.clone()), (false, step)])
            .collect();
        let bytes = write(&steps);
        let read = Rest::<Encoded>::arbitrary(&mut Unstructured::new(&bytes)).expect("any bytes");
        let read: Vec<Step> = read.0.into_iter().map(|encoded| encoded.0).collect();
        assert_eq!(read, steps);
    }
}
