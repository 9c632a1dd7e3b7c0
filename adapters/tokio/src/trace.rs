//! Spans and events for the crate `tracing`.
//!
//! They contain codes, sizes and kinds, and never payloads, reasons, headers or addresses of proxies with passwords.

use std::io;

use sockless::{CloseEvent, Role};
use tracing::{Span, debug, debug_span};

/// The span of a connection.
#[derive(Debug)]
pub(crate) struct Trace(Span);

impl Trace {
    /// A connection is open.
    pub(crate) fn open(role: Role) -> Self {
        let span = debug_span!("websocket", ?role);
        span.in_scope(|| debug!("open"));
        Self(span)
    }

    /// Reading or writing has failed.
    pub(crate) fn failed(&self, error: &io::Error) {
        self.0.in_scope(|| debug!(%error, "the transport failed"));
    }

    /// The connection has ended, and so has its transport.
    pub(crate) fn closed(&self, event: Option<CloseEvent<'_>>) {
        let Some(event) = event else { return };
        self.0.in_scope(|| {
            let code = u16::from(event.code);
            let initiator = tracing::field::display(event.initiator);
            let error = event.error.map(tracing::field::display);
            let timeout = event.timeout.map(tracing::field::display);
            debug!(code, clean = event.was_clean, initiator, error, timeout, "closed");
        });
    }
}
