//! The other receivers.

mod fastwebsockets;
mod memory;
mod tungstenite;
mod wsproto;

use std::fmt;

use crate::outcome::Outcome;
use crate::stream::Stream;

/// A receiver of frames.
pub trait Peer {
    fn name(&self) -> Name;

    /// Gives the stream to a new connection, cut at `places`.
    fn receive(&mut self, stream: &Stream, places: &[usize]) -> Outcome;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Tungstenite,
    Fastwebsockets,
    Wsproto,
}

impl Name {
    pub const ALL: [Self; 3] = [Self::Tungstenite, Self::Fastwebsockets, Self::Wsproto];
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// All receivers. wsproto runs in this Python.
pub fn all(python: &str) -> Result<[Box<dyn Peer>; 3], String> {
    Ok([
        Box::new(tungstenite::Tungstenite),
        Box::new(fastwebsockets::Fastwebsockets),
        Box::new(wsproto::Wsproto::start(python)?),
    ])
}
