//! The payload of text messages, in JSON.

use serde::{Deserialize, Serialize};
use sockless::SharedMessage;

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum ClientMessage {
    /// Enters a room. The first message, and only once.
    Join { room: String, name: String },
    /// Sends a text to all members of the room.
    Say { text: String },
}

/// A message of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// For a new member: all members of the room.
    Welcome { room: String, members: Vec<String> },
    /// For the other members: a new member.
    Joined { name: String },
    /// For the remaining members: a member has left.
    Left { name: String },
    /// For all members, the sender included: a text.
    Said { name: String, text: String },
    /// For a client whose message has no effect: the reason.
    Error { text: String },
}

impl ServerMessage {
    /// Encodes the message once for all recipients.
    #[must_use]
    pub fn encode(&self) -> SharedMessage {
        // JSON can represent all strings, so this never fails.
        SharedMessage::text(&serde_json::to_string(self).unwrap_or_default())
    }
}
