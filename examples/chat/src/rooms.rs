//! Who is in which room. Knows no connection.

use std::collections::{BTreeMap, HashMap};

use crate::notice::Notice;

/// The longest name of a room or a person, in characters.
pub const LONGEST_NAME: usize = 32;

/// The longest text, in characters.
pub const LONGEST_TEXT: usize = 2000;

/// How many may be in a room: each hears of all others.
pub const MOST_MEMBERS: usize = 100;

/// All rooms that have somebody in them, with people known as `Id`.
#[derive(Debug)]
pub struct Rooms<Id> {
    rooms: HashMap<String, BTreeMap<String, Id>>,
    people: HashMap<Id, Place>,
}

/// Where somebody is, under which name.
#[derive(Debug)]
struct Place {
    room: String,
    name: String,
}

/// Something to tell to somebody.
pub type Mail<Id> = (Vec<Id>, Notice);

impl<Id: Copy + Eq + std::hash::Hash> Rooms<Id> {
    /// No rooms.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rooms: HashMap::new(),
            people: HashMap::new(),
        }
    }

    /// Somebody enters a room.
    pub fn join(&mut self, id: Id, room: &str, name: &str) -> Vec<Mail<Id>> {
        let (room, name) = (room.trim(), name.trim());
        if self.people.contains_key(&id) {
            return error(id, "you are in a room already");
        }
        if !is_name(room) || !is_name(name) {
            let text = format!(
                "names have 1 to {LONGEST_NAME} characters, none of them a control character"
            );
            return error(id, &text);
        }
        let members = self.rooms.entry(room.to_owned()).or_default();
        if members.contains_key(name) {
            return error(id, "somebody in the room has that name");
        }
        if members.len() >= MOST_MEMBERS {
            return error(id, &format!("the room is full: {MOST_MEMBERS} are in it"));
        }
        let others = members.values().copied().collect();
        members.insert(name.to_owned(), id);
        let welcome = Notice::Welcome {
            room: room.to_owned(),
            members: members.keys().cloned().collect(),
        };
        let name = name.to_owned();
        let place = Place {
            room: room.to_owned(),
            name: name.clone(),
        };
        self.people.insert(id, place);
        vec![(vec![id], welcome), (others, Notice::Joined { name })]
    }

    /// Somebody says something to all in the room.
    pub fn say(&mut self, id: Id, text: &str) -> Vec<Mail<Id>> {
        let Some(place) = self.people.get(&id) else {
            return error(id, "you are in no room: join one first");
        };
        if text.trim().is_empty() {
            return Vec::new();
        }
        if text.chars().count() > LONGEST_TEXT {
            return error(id, &format!("a text has at most {LONGEST_TEXT} characters"));
        }
        let said = Notice::Said {
            name: place.name.clone(),
            text: text.to_owned(),
        };
        vec![(self.members(&place.room), said)]
    }

    /// Somebody is gone.
    pub fn leave(&mut self, id: Id) -> Vec<Mail<Id>> {
        let Some(Place { room, name }) = self.people.remove(&id) else {
            return Vec::new();
        };
        if let Some(members) = self.rooms.get_mut(&room) {
            members.remove(&name);
            if members.is_empty() {
                self.rooms.remove(&room);
            }
        }
        vec![(self.members(&room), Notice::Left { name })]
    }

    fn members(&self, room: &str) -> Vec<Id> {
        let members = self.rooms.get(room).into_iter().flatten();
        members.map(|(_, id)| *id).collect()
    }
}

fn error<Id>(id: Id, text: &str) -> Vec<Mail<Id>> {
    let text = text.to_owned();
    vec![(vec![id], Notice::Error { text })]
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, text: &str) -> Notice {
        Notice::Said {
            name: name.into(),
            text: text.into(),
        }
    }

    fn is_error(mail: &[Mail<u8>], id: u8) -> bool {
        matches!(mail, [(to, Notice::Error { .. })] if *to == [id])
    }

    #[test]
    fn what_is_said_goes_to_all_in_the_room() {
        let mut rooms = Rooms::new();
        let mail = rooms.join(1, "tea", "Ann");
        let welcome = Notice::Welcome {
            room: "tea".into(),
            members: vec!["Ann".into()],
        };
        assert_eq!(mail[0], (vec![1], welcome));
        assert!(mail[1].0.is_empty());
        let mail = rooms.join(2, " tea ", "Bob");
        let welcome = Notice::Welcome {
            room: "tea".into(),
            members: vec!["Ann".into(), "Bob".into()],
        };
        assert_eq!(mail[0], (vec![2], welcome));
        assert_eq!(mail[1], (vec![1], Notice::Joined { name: "Bob".into() }));
        rooms.join(3, "coffee", "Ann");
        assert_eq!(rooms.say(1, "hi"), [(vec![1, 2], said("Ann", "hi"))]);
        assert_eq!(rooms.say(3, "<b>"), [(vec![3], said("Ann", "<b>"))]);
        assert_eq!(
            rooms.leave(1),
            [(vec![2], Notice::Left { name: "Ann".into() })]
        );
        assert_eq!(rooms.say(2, "alone"), [(vec![2], said("Bob", "alone"))]);
    }

    #[test]
    fn what_cannot_be_is_told_to_who_wished_for_it() {
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
        // Characters count, not bytes.
        assert_eq!(
            rooms.join(2, "tea", &"\u{e9}".repeat(LONGEST_NAME)).len(),
            2
        );
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
        let mail = rooms.join(MOST_MEMBERS, "tea", "Ann");
        assert!(
            matches!(&mail[..], [(to, Notice::Error { .. })] if *to == [MOST_MEMBERS]),
            "{mail:?}"
        );
        rooms.leave(0);
        assert_eq!(rooms.join(MOST_MEMBERS, "tea", "Ann").len(), 2);
    }

    #[test]
    fn nothing_is_left_of_who_has_left() {
        let mut rooms = Rooms::new();
        assert_eq!(rooms.leave(1), []);
        for _ in 0..3 {
            rooms.join(1, "tea", "Ann");
            assert_eq!(
                rooms.leave(1),
                [(vec![], Notice::Left { name: "Ann".into() })]
            );
        }
        assert!(rooms.rooms.is_empty() && rooms.people.is_empty());
    }
}
