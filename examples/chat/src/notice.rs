//! What goes over the connections: JSON in text messages.

use serde::{Deserialize, Serialize};
use sockless::SharedMessage;

/// What a client may say.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Wish {
    /// The first message, once.
    Join { room: String, name: String },
    /// To everybody in the room.
    Say { text: String },
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Notice {
    /// To who has joined, with everybody in the room.
    Welcome { room: String, members: Vec<String> },
    /// To the others in the room.
    Joined { name: String },
    /// To all who stay.
    Left { name: String },
    /// To everybody in the room, also to who said it.
    Said { name: String, text: String },
    /// To who wished for something that cannot be.
    Error { text: String },
}

impl Notice {
    /// Encoded once, whoever gets it.
    #[must_use]
    pub fn encode(&self) -> SharedMessage {
        // A value of strings has nothing that JSON could not say.
        SharedMessage::text(&serde_json::to_string(self).unwrap_or_default())
    }
}
