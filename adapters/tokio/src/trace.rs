//! Spans and events for the crate `tracing`.
//!
//! They contain codes, sizes and kinds, and never payloads, reasons, headers or addresses of proxies with passwords.

use std::fmt::Display;
use std::io;

use sockless::{CloseEvent, Connection};
use tracing::{Span, debug, debug_span};

/// The span of a connection.
#[derive(Debug)]
pub(crate) struct Trace(Span);

impl Trace {
    /// A connection is open, unless it only refuses a request.
    pub(crate) fn open(connection: &Connection) -> Self {
        if !connection.can_send() {
            return Self(Span::none());
        }
        let span = debug_span!("websocket", role = ?connection.role());
        span.in_scope(|| debug!("open"));
        Self(span)
    }

    /// Reading or writing has failed.
    pub(crate) fn failed(&self, error: &io::Error) {
        if self.0.is_none() {
            return;
        }
        self.0.in_scope(|| debug!(%error, "the transport failed"));
    }

    /// The connection has ended, and so has its transport.
    pub(crate) fn closed(&self, event: Option<CloseEvent<'_>>) {
        let Some(event) = event.filter(|_| !self.0.is_none()) else {
            return;
        };
        self.0.in_scope(|| {
            let code = u16::from(event.code);
            let initiator = tracing::field::display(event.initiator);
            let error = event.error.map(tracing::field::display);
            let timeout = event.timeout.map(tracing::field::display);
            debug!(
                code,
                clean = event.was_clean,
                initiator,
                error,
                timeout,
                "closed"
            );
        });
    }
}

/// A client found no open WebSocket. The error names the step.
pub(crate) fn not_connected(error: &impl Display) {
    debug!(%error, "not connected");
}

/// A server accepted no WebSocket.
pub(crate) fn not_accepted(error: &impl Display) {
    debug!(%error, "not accepted");
}
