//! permessage-deflate on a connection (RFC 7692).

use alloc::boxed::Box;

use crate::connection::Connection;
use crate::deflate::{Agreed, Codecs, Deflation, Inflation};

/// # Compression
///
/// With the feature `deflate`, on connections whose opening handshake has agreed on permessage-deflate.
impl Connection {
    /// The connection with the extension as agreed on.
    pub(crate) fn with_deflate(mut self, agreed: Option<&Agreed>) -> Self {
        *self.receiver.inflation_mut() = agreed.map(|agreed| Box::new(Inflation::new(agreed)));
        *self.sender.deflation_mut() = agreed.map(|agreed| Box::new(Deflation::new(agreed)));
        self
    }

    /// Whether messages begun from now on are compressed, if they are long enough; they are at first.
    ///
    /// Worth turning off for what is compressed already, such as images, and for what must not share a
    /// window with secrets (see RFC 7692 section 8). Without the extension it changes nothing.
    pub fn compress_messages(&mut self, compress: bool) {
        if let Some(deflation) = self.sender.deflation_mut() {
            deflation.want(compress);
        }
    }

    /// Lends codecs to the connection, for messages without context takeover: see [`Codecs`].
    ///
    /// It takes those that fit what was agreed on, and makes the others as it needs them.
    pub fn lend_codecs(&mut self, codecs: &mut Codecs) {
        if let Some(inflation) = self.receiver.inflation_mut() {
            inflation.lend(codecs);
        }
        if let Some(deflation) = self.sender.deflation_mut() {
            deflation.lend(codecs);
        }
    }

    /// Takes the codecs back, for the next connection.
    ///
    /// Inside a message the connection still needs its codec and keeps it: call
    /// [`lend_codecs`](Self::lend_codecs) and this again when the next events are taken.
    pub fn reclaim_codecs(&mut self, codecs: &mut Codecs) {
        if let Some(inflation) = self.receiver.inflation_mut() {
            inflation.reclaim(codecs);
        }
        if let Some(deflation) = self.sender.deflation_mut() {
            deflation.reclaim(codecs);
        }
    }

    /// Whether the opening handshake has agreed on permessage-deflate.
    #[must_use]
    pub fn is_deflate_agreed(&self) -> bool {
        self.receiver.has_inflation()
    }
}
