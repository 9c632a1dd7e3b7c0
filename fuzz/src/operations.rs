//! What a peer can do, and how the target `two_peers` reads it from its input.

use arbitrary::{Arbitrary, Result, Unstructured};
use sockless::test_util::OwnedEvent;

use crate::input::Counted;

/// One thing that one of the peers does.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Sends a message, a fragment of one, or a control frame.
    Send(OwnedEvent, Manner),
    /// Moves this many bytes of output to the other peer, which then takes its events.
    Transfer(u16),
    /// Moves this many bytes of output to the other peer, which does not take its events yet.
    Arrive(u16),
    /// Takes all events.
    TakeEvents,
    /// Takes all output. It is not written yet.
    TakeOutput,
    /// Takes all output and writes it, but it does not arrive yet.
    Write,
    /// Changes these bits of one byte on its way to the other peer.
    Corrupt(u16, u8),
    /// The stream from the other peer ends.
    EndOfStream,
    /// A write fails.
    WriteError,
    /// A read fails.
    Reset,
    /// Replaces the buffer by a new one, if it is empty.
    ExchangeBuffer,
    /// This many hundredths of a second pass. Then the peer handles its timeouts.
    Time(u16),
    /// The clock goes back by this many hundredths of a second. Then the peer handles its timeouts.
    TimeBack(u16),
    /// The peer handles its timeouts at the largest time.
    LargestTime,
}

/// How a peer sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    Whole,
    Fragment {
        fin: bool,
    },
    /// As a [`SharedMessage`](sockless::SharedMessage).
    Shared,
    /// Borrowed. The transport takes this many bytes at once, of the earlier output first.
    Borrowed(u16),
}

/// A peer and what it does.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) by_client: bool,
    pub(crate) operation: Operation,
}

/// The top bit of the first byte is for the client. The next bit means FIN for a fragment, and text for a shared or a
/// borrowed message.
impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kind = u8::arbitrary(u)?;
        let flag = kind & 0x40 != 0;
        let fragment = Manner::Fragment { fin: flag };
        let operation = match kind & 0x1f {
            0 => Operation::Send(text(u)?, Manner::Whole),
            1 => Operation::Send(binary(u)?, Manner::Whole),
            2 => Operation::Send(text(u)?, fragment),
            3 => Operation::Send(binary(u)?, fragment),
            4 => Operation::Send(OwnedEvent::ping(data(u)?), Manner::Whole),
            5 => Operation::Send(OwnedEvent::pong(data(u)?), Manner::Whole),
            6 => {
                let code = u16::arbitrary(u)?;
                let reason = String::from_utf8_lossy(data(u)?);
                Operation::Send(OwnedEvent::close(code, &reason), Manner::Whole)
            }
            7 => Operation::Write,
            8 => Operation::Corrupt(u16::arbitrary(u)?, u8::arbitrary(u)?),
            9 => Operation::EndOfStream,
            10 => Operation::ExchangeBuffer,
            11 => Operation::Time(u16::arbitrary(u)?),
            12 => Operation::Send(large(u, flag)?, Manner::Shared),
            13 => {
                let message = large(u, flag)?;
                Operation::Send(message, Manner::Borrowed(u16::arbitrary(u)?))
            }
            16 => Operation::WriteError,
            17 => Operation::Reset,
            18 => Operation::Arrive(u16::arbitrary(u)?),
            19 => Operation::TakeEvents,
            20 => Operation::TimeBack(u16::arbitrary(u)?),
            21 => Operation::LargestTime,
            22 => Operation::TakeOutput,
            // Transfers have more kinds than the others, so that most output arrives.
            _ => Operation::Transfer(u16::arbitrary(u)?),
        };
        Ok(Self {
            by_client: kind & 0x80 != 0,
            operation,
        })
    }
}

fn data<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    Ok(Counted::arbitrary(u)?.0)
}

fn text(u: &mut Unstructured<'_>) -> Result<OwnedEvent> {
    Ok(OwnedEvent::text(&String::from_utf8_lossy(data(u)?)))
}

fn binary(u: &mut Unstructured<'_>) -> Result<OwnedEvent> {
    Ok(OwnedEvent::binary(data(u)?))
}

/// Repeats the data four times. Few bytes of input then make a message that is too large to copy.
fn large(u: &mut Unstructured<'_>, is_text: bool) -> Result<OwnedEvent> {
    let data = data(u)?;
    Ok(if is_text {
        OwnedEvent::text(&String::from_utf8_lossy(data).repeat(4))
    } else {
        OwnedEvent::binary(&data.repeat(4))
    })
}
