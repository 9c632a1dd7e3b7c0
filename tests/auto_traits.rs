//! Auto traits. Every public type is `Send`, `Sync`, `Unpin`, `UnwindSafe` and `RefUnwindSafe`, with any set of features. A
//! feature may add to the API, but must not remove from it.

// A failed test may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;

const fn has_all<T: ?Sized + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

/// For types that borrow mutably. A panic may leave the borrowed value half changed, so they are not `UnwindSafe`.
#[allow(dead_code, reason = "only types that need `alloc` borrow mutably")]
const fn has_all_of_a_loan<T: ?Sized + Send + Sync + Unpin + RefUnwindSafe>() {}

const _: () = {
    use sockless::{
        CloseCode, CloseFrame, FrameHeader, Opcode, ProtocolError, SendError, Utf8Validator,
    };
    has_all::<CloseCode>();
    has_all::<CloseFrame<'_>>();
    has_all::<FrameHeader>();
    has_all::<Opcode>();
    has_all::<ProtocolError>();
    has_all::<SendError>();
    has_all::<Utf8Validator>();
};

#[cfg(feature = "alloc")]
const _: () = {
    use sockless::{
        CloseEvent, Config, Connection, Deadlines, Delivery, Event, Initiator, Outgoing,
        OwnedEvent, ReadBuffer, Reply, Role, Seed, Timeout, TransportAction,
    };
    has_all::<CloseEvent<'_>>();
    has_all::<Config>();
    has_all::<Connection>();
    has_all::<Deadlines>();
    has_all::<Delivery>();
    has_all::<Event<'_>>();
    has_all::<Initiator>();
    has_all_of_a_loan::<Outgoing<'_>>();
    has_all::<OwnedEvent>();
    has_all::<ReadBuffer>();
    has_all::<Reply>();
    has_all::<Role>();
    has_all::<Seed>();
    has_all::<Timeout>();
    has_all::<TransportAction>();
};

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
const _: () = has_all::<sockless::SharedMessage>();

#[cfg(feature = "getrandom")]
const _: () = has_all::<sockless::SeedError>();

#[cfg(feature = "deflate")]
const _: () = {
    use sockless::{Codecs, Deflate};
    has_all::<Codecs>();
    has_all::<Deflate>();
};

#[cfg(feature = "alloc")]
const _: () = {
    use sockless::handshake::{
        ClientHandshake, ClientOptions, Header, InputError, Origins, Request, RequestError,
        Response, ResponseError, ServerHandshake, ServerOptions, Uri,
    };
    has_all::<ClientHandshake>();
    has_all::<ClientOptions<'_>>();
    has_all::<Header<'_>>();
    has_all::<InputError>();
    has_all::<Origins<'_>>();
    has_all::<Request<'_>>();
    has_all::<RequestError>();
    has_all::<Response<'_>>();
    has_all::<ResponseError>();
    has_all::<ServerHandshake>();
    has_all::<ServerOptions<'_>>();
    has_all::<Uri>();
};

#[cfg(feature = "test-util")]
const _: () = {
    use sockless::test_util::{
        Change, Cuts, Frame, Frames, Item, Length, NonBlockingTransport, Outcome, OwnedCloseEvent,
        Pair, Peer, PeerReads, Rules, Split, Transport, Trigger, Verdict,
    };
    has_all::<Change>();
    has_all::<Cuts>();
    has_all::<Frame>();
    has_all::<Frames>();
    has_all::<Item>();
    has_all::<Length>();
    has_all::<NonBlockingTransport>();
    has_all::<Outcome>();
    has_all::<OwnedCloseEvent>();
    has_all::<Pair>();
    has_all::<Peer>();
    has_all::<PeerReads>();
    has_all::<Rules>();
    has_all::<Split>();
    has_all::<Transport>();
    has_all::<Trigger>();
    has_all::<Verdict>();
};

/// The types of iterators have no names, so this checks values.
#[cfg(feature = "alloc")]
#[test]
fn iterators_have_the_auto_traits() {
    const fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>(_: &T) {}
    const fn check_loan<T: Send + Sync + Unpin + RefUnwindSafe>(_: &T) {}
    let mut server = sockless::Connection::server(&sockless::Config::default());
    check(&server.output_parts());
    // The iterator borrows `Outgoing`, which borrows the connection mutably.
    let message = server.send_binary_borrowed(b"Hi").unwrap();
    check_loan(&message.parts());
}

/// Returns the names that the statement exports. They are the last parts of its paths.
fn exported(statement: &str) -> impl Iterator<Item = &str> {
    statement
        .split(|c: char| c == ',' || c == '{' || c == '}' || c.is_whitespace())
        .filter_map(|path| path.rsplit("::").next())
        .filter(|name| name.starts_with(char::is_uppercase))
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            for statement in text.split("\npub use ").skip(1) {
                let (statement, _) = statement.split_once(';').expect("an end");
                names.extend(exported(statement).map(String::from));
            }
        }
    }
}

/// So nobody forgets to add a new type here.
#[test]
fn every_public_type_is_named_here() {
    let mut names = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    collect(&root.join("src"), &mut names);
    assert!(names.len() > 40, "{names:?}");
    let this = include_str!("auto_traits.rs");
    for name in names {
        let is_checked = ["<", "::"].iter().any(|before| {
            [">", "<'_>>"]
                .iter()
                .any(|after| this.contains(&format!("{before}{name}{after}();")))
        });
        assert!(is_checked, "{name} is not checked");
    }
}
