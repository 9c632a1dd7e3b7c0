//! The codecs of one connection, and codecs that connections share.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::deflate::Boxed;
use crate::deflate::deflater::Deflater;
use crate::deflate::inflater::{Corrupt, Inflater, Progress};
use crate::deflate::options::{Agreed, Deflate};

/// A compressor and a decompressor that all connections of a thread share.
///
/// Connections without context takeover need codecs only during a message. Lend them with
/// [`Connection::lend_codecs`](crate::Connection::lend_codecs) before you take events or send messages. Take them
/// back with [`Connection::reclaim_codecs`](crate::Connection::reclaim_codecs) afterwards. Without lent codecs, a
/// connection makes its own for each message and frees them after it.
///
/// # Example
///
/// ```
/// use sockless::{Codecs, Config, Connection, Event, ProtocolError, ReadBuffer};
///
/// fn take_events(
///     connection: &mut Connection,
///     buffer: &mut ReadBuffer,
///     codecs: &mut Codecs,
/// ) -> Result<(), ProtocolError> {
///     connection.lend_codecs(codecs);
///     let result = loop {
///         match connection.next_event(buffer) {
///             Ok(Some(event)) => { /* ... */ }
///             Ok(None) => break Ok(()),
///             Err(error) => break Err(error),
///         }
///     };
///     // After an error, too, or they are lost with the connection.
///     connection.reclaim_codecs(codecs);
///     result
/// }
/// ```
#[derive(Default)]
pub struct Codecs {
    inflater: Option<Box<Inflater>>,
    deflater: Option<Box<Deflater>>,
}

impl Codecs {
    /// Makes an empty pair. The first connection that needs a codec makes it.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            inflater: None,
            deflater: None,
        }
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codecs")
            .field("inflater", &self.inflater.is_some())
            .field("deflater", &self.deflater.is_some())
            .finish()
    }
}

/// What happens to a codec between two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retention {
    /// It stays, together with its window of earlier messages.
    Kept,
    /// It is freed.
    Freed,
    /// It is cleared and stays until it is reclaimed.
    Lent,
}

impl Retention {
    const fn new(context_takeover: bool) -> Self {
        if context_takeover {
            Self::Kept
        } else {
            Self::Freed
        }
    }

    fn lend(&mut self) -> bool {
        if *self == Self::Freed {
            *self = Self::Lent;
        }
        *self == Self::Lent
    }

    fn reclaim(&mut self) -> bool {
        let lent = *self == Self::Lent;
        if lent {
            *self = Self::Freed;
        }
        lent
    }
}

/// The receiving side of the extension.
pub(crate) struct Inflation {
    window_bits: u8,
    retention: Retention,
    message: Message,
    /// The number of unread bytes of the payload that are already unmasked. It is here because it costs nothing
    /// without the extension.
    unmasked: usize,
    inflater: Option<Box<Inflater>>,
}

/// The message that is being received or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    /// No message, or one that is not compressed.
    Plain,
    /// A compressed message without payload so far.
    Empty,
    Compressed,
}

impl Inflation {
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "without the feature this is not a box"
    )]
    pub(crate) fn new(agreed: &Agreed) -> Boxed<Self> {
        Box::new(Self {
            window_bits: agreed.peer_window_bits,
            retention: Retention::new(agreed.peer_context_takeover),
            message: Message::Plain,
            unmasked: 0,
            inflater: None,
        })
    }

    /// Begins a message.
    pub(crate) const fn begin(&mut self, compressed: bool) {
        self.message = if compressed {
            Message::Empty
        } else {
            Message::Plain
        };
    }

    /// Returns whether the message has no payload so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.message == Message::Empty
    }

    /// Returns whether the message is compressed.
    pub(crate) fn is_compressed(&self) -> bool {
        self.message != Message::Plain
    }

    /// Returns the number of unread bytes of the payload that are already unmasked.
    pub(crate) const fn unmasked(&self) -> usize {
        self.unmasked
    }

    pub(crate) const fn set_unmasked(&mut self, unmasked: usize) {
        self.unmasked = unmasked;
    }

    /// Decompresses as much of `input` as fits into `output`.
    pub(crate) fn inflate(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        if !input.is_empty() {
            self.message = Message::Compressed;
        }
        let bits = self.window_bits;
        self.inflater
            .get_or_insert_with(|| Box::new(Inflater::new(bits)))
            .inflate(input, output)
    }

    /// Ends the message.
    pub(crate) fn finish(&mut self) -> Result<(), Corrupt> {
        let message = core::mem::replace(&mut self.message, Message::Plain);
        if let (Message::Compressed, Some(inflater)) = (message, &mut self.inflater) {
            inflater.finish()?;
        }
        match self.retention {
            Retention::Kept => {}
            Retention::Freed => self.inflater = None,
            Retention::Lent => {
                if let Some(inflater) = &mut self.inflater {
                    inflater.reset();
                }
            }
        }
        Ok(())
    }

    /// Gives up the message, because the connection has failed or ended.
    ///
    /// A lent codec forgets the message and can be reclaimed. Any other codec is freed together with its window, so no
    /// compressed message can follow with context takeover.
    pub(crate) fn abandon(&mut self) {
        let inside = self.is_compressed();
        self.message = Message::Plain;
        self.unmasked = 0;
        match (self.retention, &mut self.inflater) {
            (Retention::Lent, Some(inflater)) if inside => inflater.reset(),
            (Retention::Lent, _) => {}
            (Retention::Kept | Retention::Freed, inflater) => *inflater = None,
        }
    }

    pub(crate) fn lend(&mut self, codecs: &mut Codecs) {
        if self.retention.lend()
            && self.inflater.is_none()
            && codecs
                .inflater
                .as_ref()
                .is_some_and(|it| it.serves(self.window_bits))
        {
            self.inflater = codecs.inflater.take();
        }
    }

    pub(crate) fn reclaim(&mut self, codecs: &mut Codecs) {
        // Inside a message it is still needed. It is freed or reclaimed later.
        if self.message == Message::Plain && self.retention.reclaim() && self.inflater.is_some() {
            codecs.inflater = self.inflater.take();
        }
    }
}

/// The sending side of the extension.
pub(crate) struct Deflation {
    options: Deflate,
    window_bits: u8,
    retention: Retention,
    /// Whether the application wants the next message to be compressed.
    is_wanted: bool,
    message: Message,
    window: Window,
    deflater: Option<Box<Deflater>>,
}

/// The window of a compressor that stays between messages, compared with the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Window {
    /// The compressor's window is the peer's window, or its last part.
    Current,
    /// The peer has received newer messages that the compressor did not see.
    Outdated,
}

impl Deflation {
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "without the feature this is not a box"
    )]
    pub(crate) fn new(agreed: &Agreed) -> Boxed<Self> {
        Box::new(Self {
            options: agreed.options.clone(),
            window_bits: agreed.window_bits,
            retention: Retention::new(agreed.context_takeover),
            is_wanted: true,
            message: Message::Plain,
            window: Window::Current,
            deflater: None,
        })
    }

    pub(crate) const fn want(&mut self, compressed: bool) {
        self.is_wanted = compressed;
    }

    /// Begins a message and decides whether to compress it. The length is `None` if it is unknown.
    pub(crate) fn begin(&mut self, length: Option<usize>) {
        self.message = if self.compresses(length) {
            Message::Compressed
        } else {
            Message::Plain
        };
    }

    /// Returns the options and the window bits for a message of this length, or `None` if it is not compressed.
    pub(crate) fn terms(&self, length: usize) -> Option<(&Deflate, u8)> {
        self.compresses(Some(length))
            .then_some((&self.options, self.window_bits))
    }

    /// Notes that a message was sent that this compressor did not compress.
    ///
    /// The peer's window now contains that message, so the compressor's distances are too short. The compressor is
    /// cleared before its next use. It then refers to no earlier message, which is correct for any window. (To add
    /// the message to its window would cost each connection the time to read it all.)
    pub(crate) fn shared_message_sent(&mut self) {
        if self.retention == Retention::Kept && self.deflater.is_some() {
            self.window = Window::Outdated;
        }
    }

    /// Returns whether the message is compressed.
    pub(crate) fn is_compressed(&self) -> bool {
        self.message != Message::Plain
    }

    /// Compresses the next fragment of the message into `output`. `fin` marks the last one.
    pub(crate) fn deflate(&mut self, payload: &[u8], fin: bool, output: &mut Vec<u8>) {
        let (options, bits) = (&self.options, self.window_bits);
        let deflater = self
            .deflater
            .get_or_insert_with(|| Box::new(Deflater::new(options, bits)));
        if self.window == Window::Outdated {
            self.window = Window::Current;
            deflater.reset();
        }
        deflater.deflate(payload, fin, output);
        if !fin {
            return;
        }
        self.message = Message::Plain;
        match self.retention {
            Retention::Kept => {}
            Retention::Freed => self.deflater = None,
            Retention::Lent => {
                if let Some(deflater) = &mut self.deflater {
                    deflater.reset();
                }
            }
        }
    }

    /// Gives up the message, because a Close frame is sent instead or the connection has ended.
    ///
    /// A lent codec forgets the message and can be reclaimed. Any other codec is freed. If another message is sent,
    /// it refers to no earlier one, so the peer can read it.
    pub(crate) fn abandon(&mut self) {
        let inside = self.is_compressed();
        self.message = Message::Plain;
        self.window = Window::Current;
        match (self.retention, &mut self.deflater) {
            (Retention::Lent, Some(deflater)) if inside => deflater.reset(),
            (Retention::Lent, _) => {}
            (Retention::Kept | Retention::Freed, deflater) => *deflater = None,
        }
    }

    pub(crate) fn lend(&mut self, codecs: &mut Codecs) {
        if self.retention.lend()
            && self.deflater.is_none()
            && codecs
                .deflater
                .as_ref()
                .is_some_and(|it| it.serves(&self.options, self.window_bits))
        {
            self.deflater = codecs.deflater.take();
        }
    }

    pub(crate) fn reclaim(&mut self, codecs: &mut Codecs) {
        // Inside a message it is still needed. It is freed or reclaimed later.
        if self.message == Message::Plain && self.retention.reclaim() && self.deflater.is_some() {
            codecs.deflater = self.deflater.take();
        }
    }

    fn compresses(&self, length: Option<usize>) -> bool {
        let worth_it = length.is_none_or(|length| length >= self.options.min_size);
        // A window of 256 bytes is legal, but zlib has no compressor for it.
        let possible = self.window_bits > 8;
        worth_it && possible && self.is_wanted
    }
}

impl fmt::Debug for Inflation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflation")
            .field("window_bits", &self.window_bits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Deflation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflation")
            .field("window_bits", &self.window_bits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Hello" from section 7.2.3.1, and the same with a window that already contains it (section 7.2.3.2).
    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    const AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];

    fn agreed(context_takeover: bool) -> Agreed {
        Agreed {
            window_bits: 15,
            context_takeover,
            peer_window_bits: 15,
            peer_context_takeover: context_takeover,
            options: Deflate::default(),
        }
    }

    /// Receives the beginning of a message.
    fn receive(inflation: &mut Inflation, input: &[u8]) -> Progress {
        inflation.begin(true);
        inflation.inflate(input, &mut [0; 100])
    }

    fn send(deflation: &mut Deflation, payload: &[u8], fin: bool) -> Vec<u8> {
        let mut output = Vec::new();
        deflation.deflate(payload, fin, &mut output);
        output
    }

    #[test]
    fn a_message_that_is_given_up_frees_the_decompressor() {
        for context_takeover in [false, true] {
            // The failure is between fragments, inside the data, or at the end of the message.
            for (input, ends) in [(&HELLO[..4], false), (&[0x07], false), (&HELLO[..6], true)] {
                let mut inflation = Inflation::new(&agreed(context_takeover));
                receive(&mut inflation, input);
                inflation.unmasked = 3;
                if ends {
                    assert_eq!(inflation.finish(), Err(Corrupt));
                }
                assert!(inflation.inflater.is_some());
                inflation.abandon();
                assert!(inflation.inflater.is_none(), "{input:02x?}");
                assert_eq!((inflation.is_compressed(), inflation.unmasked), (false, 0));
            }
        }
    }

    #[test]
    fn a_message_that_is_given_up_frees_the_compressor() {
        for context_takeover in [false, true] {
            let mut deflation = Deflation::new(&agreed(context_takeover));
            deflation.begin(None);
            send(&mut deflation, b"Hello", false);
            assert!(deflation.deflater.is_some());
            deflation.abandon();
            assert!(deflation.deflater.is_none() && !deflation.is_compressed());
            // The peer can read any message that is sent now.
            deflation.begin(None);
            assert_eq!(send(&mut deflation, b"Hello", true), HELLO);
        }
    }

    /// The window is gone as well, and nothing clears a new compressor later.
    #[test]
    fn between_messages_the_codecs_are_freed_as_well() {
        let mut inflation = Inflation::new(&agreed(true));
        receive(&mut inflation, HELLO);
        assert_eq!(inflation.finish(), Ok(()));
        assert!(inflation.inflater.is_some());
        inflation.abandon();
        assert!(inflation.inflater.is_none());

        let mut deflation = Deflation::new(&agreed(true));
        deflation.begin(None);
        send(&mut deflation, b"Hello", true);
        deflation.shared_message_sent();
        deflation.abandon();
        assert!(deflation.deflater.is_none());
        assert_eq!(deflation.window, Window::Current);
    }

    #[test]
    fn lent_codecs_survive_a_message_that_is_given_up() {
        let mut codecs = Codecs::new();
        for input in [&HELLO[..4], &[0x07], HELLO, b""] {
            let mut inflation = Inflation::new(&agreed(false));
            let mut deflation = Deflation::new(&agreed(false));
            inflation.lend(&mut codecs);
            deflation.lend(&mut codecs);
            receive(&mut inflation, input);
            deflation.begin(None);
            send(&mut deflation, input, false);

            // Inside a message they are still needed.
            inflation.reclaim(&mut codecs);
            deflation.reclaim(&mut codecs);
            assert!(codecs.inflater.is_none() && codecs.deflater.is_none());

            inflation.abandon();
            deflation.abandon();
            inflation.reclaim(&mut codecs);
            deflation.reclaim(&mut codecs);
            assert!(codecs.inflater.is_some() && codecs.deflater.is_some());

            // They contain nothing of the message that was given up.
            let mut inflation = Inflation::new(&agreed(false));
            let mut deflation = Deflation::new(&agreed(false));
            inflation.lend(&mut codecs);
            deflation.lend(&mut codecs);
            assert!(receive(&mut inflation, AGAIN).corrupt);
            inflation.abandon();
            let mut output = [0; 100];
            inflation.begin(true);
            let progress = inflation.inflate(HELLO, &mut output);
            assert_eq!(&output[..progress.produced], b"Hello");
            assert_eq!(inflation.finish(), Ok(()));
            deflation.begin(None);
            assert_eq!(send(&mut deflation, b"Hello", true), HELLO);
            inflation.reclaim(&mut codecs);
            deflation.reclaim(&mut codecs);
        }
    }

    /// `Debug` shows the agreement and no payload.
    #[test]
    fn debug_shows_the_window() {
        let agreed = Agreed {
            window_bits: 11,
            context_takeover: true,
            peer_window_bits: 12,
            peer_context_takeover: true,
            options: Deflate::default(),
        };
        let shown = alloc::format!("{:?}", Deflation::new(&agreed));
        assert!(shown.contains("window_bits: 11"), "{shown}");
        let shown = alloc::format!("{:?}", Inflation::new(&agreed));
        assert!(shown.contains("window_bits: 12"), "{shown}");
    }
}
