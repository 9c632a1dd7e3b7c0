//! Reads the head of a request or a response in pieces, with and without a deadline.

use std::fmt::Debug;
use std::time::Duration;

use sockless::test_util::cuts_at;
use sockless::{Deadlines, ReadBuffer};

use crate::memory::Watch;

/// The handshake of either side.
pub(crate) trait Handshake {
    /// What a head says.
    type Head: PartialEq + Debug;
    /// Why the handshake fails.
    type Error: Copy + PartialEq + Debug;
    /// The error after the deadline.
    const TIMEOUT: Self::Error;
    /// A whole head.
    const HEAD: &'static [u8];

    fn read(&mut self, buffer: &mut ReadBuffer) -> Result<Option<Self::Head>, Self::Error>;
    fn handle_timeout(&mut self, now: Duration) -> Result<(), Self::Error>;
    fn timeout_at(&self) -> Option<Duration>;
}

/// The result of reading a head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome<Head, Error> {
    /// More bytes must come.
    Waits,
    Failed(Error),
    /// The head and the bytes that follow it.
    Read(Head, Vec<u8>),
}

/// How the time passes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The configuration has no deadlines.
    Unused,
    /// A second passes after each piece. An input has at most nine pieces, so the deadline does not pass.
    Runs,
    /// The deadline passes before the first piece is read.
    Late,
}

/// The first time that the handshake gets. The deadline counts from it.
pub(crate) const START: Duration = Duration::from_secs(77);
pub(crate) const DEADLINE: Duration = START.saturating_add(Deadlines::new().handshake);

/// Gives the bytes to the handshake, cut at `places`.
pub(crate) fn read<H: Handshake>(
    handshake: &mut H,
    clock: Clock,
    bytes: &[u8],
    places: &[usize],
) -> Outcome<H::Head, H::Error> {
    let mut buffer = ReadBuffer::new();
    let mut watch = Watch::default();
    let mut outcome = Outcome::Waits;
    let mut now = START;
    if clock != Clock::Unused {
        assert_eq!(handshake.timeout_at(), Some(Duration::ZERO));
        assert_eq!(handshake.handle_timeout(now), Ok(()));
    }
    if clock == Clock::Late {
        now = DEADLINE;
        assert_eq!(handshake.handle_timeout(now), Ok(()));
    }
    for piece in cuts_at(bytes, places) {
        watch.receive(&mut buffer, piece);
        match &mut outcome {
            Outcome::Waits => match handshake.read(&mut buffer) {
                Ok(None) => {}
                Ok(Some(head)) => outcome = Outcome::Read(head, buffer.unread().to_vec()),
                Err(error) => outcome = Outcome::Failed(error),
            },
            Outcome::Failed(error) => {
                let again = handshake.read(&mut buffer);
                assert_eq!(again, Err(*error), "an error is final");
            }
            Outcome::Read(_, rest) => *rest = buffer.unread().to_vec(),
        }
        watch.check(&buffer);
        let waits_until = match clock {
            Clock::Unused => continue,
            Clock::Late if piece.is_empty() => continue,
            // Each piece gives one more turn.
            Clock::Late => Duration::ZERO,
            Clock::Runs => {
                now += Duration::from_secs(1);
                DEADLINE
            }
        };
        let (passed, next) = match &outcome {
            Outcome::Waits => (Ok(()), Some(waits_until)),
            Outcome::Failed(error) => (Err(*error), None),
            // The head came in time, so the deadline no longer counts.
            Outcome::Read(..) => (Ok(()), None),
        };
        assert_eq!(handshake.handle_timeout(now), passed);
        assert_eq!(handshake.timeout_at(), next);
    }
    if matches!(outcome, Outcome::Waits) {
        check_timeout(handshake, clock);
    }
    outcome
}

/// After the deadline there is one more turn. Then the handshake has failed.
fn check_timeout<H: Handshake>(handshake: &mut H, clock: Clock) {
    if clock == Clock::Unused {
        return;
    }
    if clock == Clock::Runs {
        let before = DEADLINE - Duration::from_nanos(1);
        for (now, next) in [(before, DEADLINE), (DEADLINE, Duration::ZERO)] {
            assert_eq!(handshake.handle_timeout(now), Ok(()));
            assert_eq!(handshake.timeout_at(), Some(next));
        }
    }
    // An earlier time counts as the latest so far.
    let passed = handshake.handle_timeout(Duration::ZERO);
    assert_eq!(passed, Err(H::TIMEOUT));
    assert_eq!(handshake.timeout_at(), None);
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(H::HEAD);
    assert_eq!(handshake.read(&mut buffer), Err(H::TIMEOUT));
}

/// The bytes after the first empty line.
pub(crate) fn after_head(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    bytes.get(end + 4..)
}
