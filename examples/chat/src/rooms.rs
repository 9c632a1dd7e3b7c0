//! The members of each room. This module knows nothing about connections.

use std::collections::{BTreeMap, HashMap};

use crate::message::ServerMessage;

/// The longest name of a room or a member, in characters.
pub const LONGEST_NAME: usize = 32;

/// The longest text, in characters.
pub const LONGEST_TEXT: usize = 2000;

/// The most members of a room. Each member receives all texts of the others.
pub const MOST_MEMBERS: usize = 100;

/// All rooms with at least one member. `Id` identifies a member.
#[derive(Debug)]
pub struct Rooms<Id> {
    rooms: HashMap<String, BTreeMap<String, Id>>,
    people: HashMap<Id, Place>,
}

/// The room and the name of a member.
#[derive(Debug)]
struct Place {
    room: String,
    name: String,
}

/// A message and its recipients.
pub type Delivery<Id> = (Vec<Id>, ServerMessage);

impl<Id: Copy + Eq + std::hash::Hash> Rooms<Id> {
    /// No rooms yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rooms: HashMap::new(),
            people: HashMap::new(),
        }
    }

    /// Enters a room.
    pub fn join(&mut self, id: Id, room: &str, name: &str) -> Vec<Delivery<Id>> {
        let (room, name) = (room.trim(), name.trim());
        if self.people.contains_key(&id) {
            return error(id, "you are already in a room");
        }
        if !is_name(room) || !is_name(name) {
            let text =
                format!("a name has 1 to {LONGEST_NAME} characters and no control characters");
            return error(id, &text);
        }
        let members = self.rooms.entry(room.to_owned()).or_default();
        if members.contains_key(name) {
            return error(id, "somebody in the room has that name");
        }
        if members.len() >= MOST_MEMBERS {
            return error(
                id,
                &format!("the room is full, with {MOST_MEMBERS} members"),
            );
        }
        let others = members.values().copied().collect();
        members.insert(name.to_owned(), id);
        let welcome = ServerMessage::Welcome {
            room: room.to_owned(),
            members: members.keys().cloned().collect(),
        };
        let name = name.to_owned();
        let place = Place {
            room: room.to_owned(),
            name: name.clone(),
        };
        self.people.insert(id, place);
        vec![
            (vec![id], welcome),
            (others, ServerMessage::Joined { name }),
        ]
    }

    /// Sends a text to all members of the room.
    pub fn say(&mut self, id: Id, text: &str) -> Vec<Delivery<Id>> {
        let Some(place) = self.people.get(&id) else {
            return error(id, "join a room first");
        };
        if text.trim().is_empty() {
            return Vec::new();
        }
        if text.chars().count() > LONGEST_TEXT {
            return error(id, &format!("a text has at most {LONGEST_TEXT} characters"));
        }
        let said = ServerMessage::Said {
            name: place.name.clone(),
            text: text.to_owned(),
        };
        vec![(self.members(&place.room), said)]
    }

    /// Leaves the room.
    pub fn leave(&mut self, id: Id) -> Vec<Delivery<Id>> {
        let Some(Place { room, name }) = self.people.remove(&id) else {
            return Vec::new();
        };
        if let Some(members) = self.rooms.get_mut(&room) {
            members.remove(&name);
            if members.is_empty() {
                self.rooms.remove(&room);
            }
        }
        vec![(self.members(&room), ServerMessage::Left { name })]
    }

    fn members(&self, room: &str) -> Vec<Id> {
        let members = self.rooms.get(room).into_iter().flatten();
        members.map(|(_, id)| *id).collect()
    }
}

fn error<Id>(id: Id, text: &str) -> Vec<Delivery<Id>> {
    let text = text.to_owned();
    vec![(vec![id], ServerMessage::Error { text })]
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(id: u8, room: &str, members: &[&str]) -> Delivery<u8> {
        let room = room.into();
        let members = members.iter().map(|&name| name.into()).collect();
        (vec![id], ServerMessage::Welcome { room, members })
    }

    fn said(to: &[u8], name: &str, text: &str) -> Delivery<u8> {
        let (name, text) = (name.into(), text.into());
        (to.into(), ServerMessage::Said { name, text })
    }

    fn joined(to: &[u8], name: &str) -> Delivery<u8> {
        (to.into(), ServerMessage::Joined { name: name.into() })
    }

    fn left(to: &[u8], name: &str) -> Delivery<u8> {
        (to.into(), ServerMessage::Left { name: name.into() })
    }

    fn is_error<Id: PartialEq>(deliveries: &[Delivery<Id>], id: Id) -> bool {
        matches!(deliveries, [(to, ServerMessage::Error { .. })] if *to == [id])
    }

    #[test]
    fn a_text_goes_to_all_members_of_the_room() {
        let mut rooms = Rooms::new();
        let first = rooms.join(1, "tea", "Ann");
        assert_eq!(first, [welcome(1, "tea", &["Ann"]), joined(&[], "Ann")]);
        let second = rooms.join(2, " tea ", "Bob");
        let both = welcome(2, "tea", &["Ann", "Bob"]);
        assert_eq!(second, [both, joined(&[1], "Bob")]);
        rooms.join(3, "coffee", "Ann");
        assert_eq!(rooms.say(1, "hi"), [said(&[1, 2], "Ann", "hi")]);
        assert_eq!(rooms.say(3, "<b>"), [said(&[3], "Ann", "<b>")]);
        assert_eq!(rooms.leave(1), [left(&[2], "Ann")]);
        assert_eq!(rooms.say(2, "alone"), [said(&[2], "Bob", "alone")]);
    }

    #[test]
    fn the_sender_learns_of_errors() {
        let mut rooms = Rooms::new();
        assert!(is_error(&rooms.say(1, "hi"), 1));
        rooms.join(1, "tea", "Ann");
        assert!(is_error(&rooms.join(1, "coffee", "Ann"), 1));
        assert!(is_error(&rooms.join(2, "tea", "Ann"), 2));
        let long = "x".repeat(LONGEST_NAME + 1);
        for (room, name) in [
            ("", "Bob"),
            ("tea", " "),
            ("tea", &long),
            (&long, "Bob"),
            ("a\nb", "Bob"),
        ] {
            assert!(is_error(&rooms.join(2, room, name), 2), "{room:?} {name:?}");
        }
        // The limits count characters, not bytes.
        let name = "\u{e9}".repeat(LONGEST_NAME);
        assert_eq!(rooms.join(2, "tea", &name).len(), 2);
        assert!(is_error(&rooms.say(2, &"x".repeat(LONGEST_TEXT + 1)), 2));
        assert_eq!(rooms.say(2, " \n"), []);
        assert_eq!(rooms.say(2, &"x".repeat(LONGEST_TEXT)).len(), 1);
    }

    #[test]
    fn a_room_has_a_limit() {
        let mut rooms = Rooms::new();
        for id in 0..MOST_MEMBERS {
            assert_eq!(rooms.join(id, "tea", &id.to_string()).len(), 2);
        }
        assert!(is_error(
            &rooms.join(MOST_MEMBERS, "tea", "Ann"),
            MOST_MEMBERS
        ));
        rooms.leave(0);
        assert_eq!(rooms.join(MOST_MEMBERS, "tea", "Ann").len(), 2);
    }

    #[test]
    fn leaving_frees_all_memory() {
        let mut rooms = Rooms::new();
        assert_eq!(rooms.leave(1), []);
        for _ in 0..3 {
            rooms.join(1, "tea", "Ann");
            assert_eq!(rooms.leave(1), [left(&[], "Ann")]);
        }
        assert!(rooms.rooms.is_empty() && rooms.people.is_empty());
    }
}
