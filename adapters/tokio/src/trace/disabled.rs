//! Without the feature `tracing`, nothing is recorded.

use std::fmt::Display;
use std::io;

use sockless::{CloseEvent, Connection};

#[derive(Debug)]
pub(crate) struct Trace;

impl Trace {
    pub(crate) const fn open(_: &Connection) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "the same interface as with the feature")]
    pub(crate) const fn failed(&self, _: &io::Error) {}

    #[expect(clippy::unused_self, reason = "the same interface as with the feature")]
    pub(crate) const fn closed(&self, _: Option<CloseEvent<'_>>) {}
}

pub(crate) const fn not_connected(_: &impl Display) {}

pub(crate) const fn not_accepted(_: &impl Display) {}
