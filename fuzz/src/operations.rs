//! What a peer can do, and how it stands in the input of the target `two_peers`: read and written side by side.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::input::Counted;
use sockless::test_util::OwnedEvent;

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
    /// So many hundredths of a second pass, then the time is passed.
    Time(u16),
    /// A whole message that could go to others, too.
    Shared(Whole),
    /// A whole message from where it is, of which the transport takes so many bytes at once, what waits before it included.
    From(Whole, u16),
    /// Writing fails.
    WriteError,
    /// Reading fails.
    Reset,
    /// So many bytes of output reach the other, which does not take its events yet.
    Arrive(u16),
    /// All events are taken.
    TakeEvents,
    /// The clock goes back by so many hundredths of a second, then the time is passed.
    TimeBack(u16),
    /// The largest time of all is passed, once.
    LargestTime,
}

/// A message that is sent four times as long, so that an input of few bytes makes one which is worth not to be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whole {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Whole {
    /// What is sent.
    #[must_use]
    pub fn large(&self) -> OwnedEvent {
        match self {
            Self::Text(text) => OwnedEvent::Text(text.repeat(4)),
            Self::Binary(data) => OwnedEvent::Binary(data.repeat(4)),
        }
    }

    /// Whether it is text, and its bytes as they stand in the input.
    fn encoded(&self) -> (bool, Vec<u8>) {
        match self {
            Self::Text(text) => (true, counted(text.as_bytes())),
            Self::Binary(data) => (false, counted(data)),
        }
    }
}

/// An operation and who does it: the client or the server.
pub type Step = (bool, Operation);

/// What stands for one step: the client's has the top bit; the bit below it says that a
/// fragment is the last, or that a whole message is text.
pub(crate) struct Encoded(pub(crate) Step);

impl<'a> Arbitrary<'a> for Encoded {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kind = u8::arbitrary(u)?;
        let flag = kind & 0x40 != 0;
        let mut data = || Counted::arbitrary(u).map(|counted| counted.0.to_vec());
        let text = |data: Vec<u8>| String::from_utf8_lossy(&data).into_owned();
        let whole = |data: Vec<u8>| match flag {
            true => Whole::Text(text(data)),
            false => Whole::Binary(data),
        };
        let operation = match kind & 0x1f {
            0 => Operation::Text(text(data()?)),
            1 => Operation::Binary(data()?),
            2 => Operation::TextFragment(text(data()?), flag),
            3 => Operation::BinaryFragment(data()?, flag),
            4 => Operation::Ping(data()?),
            5 => Operation::Pong(data()?),
            6 => Operation::Close(u16::arbitrary(u)?, text(Counted::arbitrary(u)?.0.to_vec())),
            7 => Operation::SwapOutput,
            8 => Operation::Corrupt(u16::arbitrary(u)?, u8::arbitrary(u)?),
            9 => Operation::EndOfStream,
            10 => Operation::ExchangeBuffer,
            11 => Operation::Time(u16::arbitrary(u)?),
            12 => Operation::Shared(whole(data()?)),
            13 => Operation::From(whole(data()?), u16::arbitrary(u)?),
            16 => Operation::WriteError,
            17 => Operation::Reset,
            18 => Operation::Arrive(u16::arbitrary(u)?),
            19 => Operation::TakeEvents,
            20 => Operation::TimeBack(u16::arbitrary(u)?),
            21 => Operation::LargestTime,
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
        let (kind, flag, rest) = match operation {
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
            Operation::Time(n) => (11, false, n.to_le_bytes().to_vec()),
            Operation::Shared(message) => {
                let (text, message) = message.encoded();
                (12, text, message)
            }
            Operation::From(message, n) => {
                let (text, message) = message.encoded();
                (13, text, [&message[..], &n.to_le_bytes()].concat())
            }
            Operation::Transfer(n) => (14, false, n.to_le_bytes().to_vec()),
            Operation::WriteError => (16, false, vec![]),
            Operation::Reset => (17, false, vec![]),
            Operation::Arrive(n) => (18, false, n.to_le_bytes().to_vec()),
            Operation::TakeEvents => (19, false, vec![]),
            Operation::TimeBack(n) => (20, false, n.to_le_bytes().to_vec()),
            Operation::LargestTime => (21, false, vec![]),
        };
        bytes.push(u8::from(*by_client) << 7 | u8::from(flag) << 6 | kind);
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
            Operation::Time(2000),
            Operation::Shared(Whole::Text("a".into())),
            Operation::Shared(Whole::Binary(vec![1; 2047])),
            Operation::From(Whole::Text("\u{3ba}".into()), 0),
            Operation::From(Whole::Binary(vec![2; 3]), 65535),
            Operation::WriteError,
            Operation::Reset,
            Operation::Arrive(258),
            Operation::TakeEvents,
            Operation::TimeBack(2000),
            Operation::LargestTime,
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
