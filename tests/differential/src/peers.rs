//! The other receivers.

pub mod fastwebsockets;
mod memory;
pub mod tungstenite;
pub mod wsproto;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Tungstenite,
    Fastwebsockets,
    Wsproto,
}

impl Peer {
    pub const ALL: [Self; 3] = [Self::Tungstenite, Self::Fastwebsockets, Self::Wsproto];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Tungstenite => "tungstenite",
            Self::Fastwebsockets => "fastwebsockets",
            Self::Wsproto => "wsproto",
        }
    }

    /// The version that is asked for.
    ///
    /// # Panics
    ///
    /// If none is.
    pub fn version(self) -> &'static str {
        let (file, pin) = match self {
            Self::Wsproto => (include_str!("../requirements.txt"), "=="),
            _ => (include_str!("../Cargo.toml"), "\"="),
        };
        let line = file.lines().find(|line| line.starts_with(self.name()));
        let (_, version) = line
            .and_then(|line| line.split_once(pin))
            .expect("an exact version is asked for");
        version.split('"').next().unwrap_or_default()
    }
}
