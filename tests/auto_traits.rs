//! Auto traits. Every public type is `Send`, `Sync`, `Unpin`, `UnwindSafe` and `RefUnwindSafe`, with any set of
//! features. A feature may add to the API, but must not remove from it.

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
    has_all::<sockless::CloseCode>();
    has_all::<sockless::CloseFrame<'_>>();
    has_all::<sockless::FrameHeader>();
    has_all::<sockless::Opcode>();
    has_all::<sockless::ProtocolError>();
    has_all::<sockless::SendError>();
    has_all::<sockless::Utf8Validator>();
};

#[cfg(feature = "alloc")]
const _: () = {
    has_all::<sockless::CloseEvent<'_>>();
    has_all::<sockless::Config>();
    has_all::<sockless::Connection>();
    has_all::<sockless::Deadlines>();
    has_all::<sockless::Delivery>();
    has_all::<sockless::Event<'_>>();
    has_all::<sockless::Initiator>();
    has_all_of_a_loan::<sockless::Outgoing<'_>>();
    has_all::<sockless::OwnedEvent>();
    has_all::<sockless::ReadBuffer>();
    has_all::<sockless::Reply>();
    has_all::<sockless::Role>();
    has_all::<sockless::Seed>();
    has_all::<sockless::TakenEvent<'_>>();
    has_all::<sockless::Timeout>();
    has_all::<sockless::TransportAction>();
};

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
const _: () = has_all::<sockless::SharedMessage>();

#[cfg(feature = "getrandom")]
const _: () = has_all::<sockless::SeedError>();

#[cfg(feature = "deflate")]
const _: () = {
    has_all::<sockless::Codecs>();
    has_all::<sockless::Deflate>();
};

#[cfg(feature = "alloc")]
const _: () = {
    has_all::<sockless::handshake::ClientHandshake>();
    has_all::<sockless::handshake::ClientOptions<'_>>();
    has_all::<sockless::handshake::Header<'_>>();
    has_all::<sockless::handshake::InputError>();
    has_all::<sockless::handshake::Origins<'_>>();
    has_all::<sockless::handshake::Request<'_>>();
    has_all::<sockless::handshake::RequestError>();
    has_all::<sockless::handshake::Response<'_>>();
    has_all::<sockless::handshake::ResponseError>();
    has_all::<sockless::handshake::ServerHandshake>();
    has_all::<sockless::handshake::ServerOptions<'_>>();
    has_all::<sockless::handshake::Uri>();
};

#[cfg(feature = "test-util")]
const _: () = {
    has_all::<sockless::test_util::Change>();
    has_all::<sockless::test_util::Cuts>();
    has_all::<sockless::test_util::Frame>();
    has_all::<sockless::test_util::Frames>();
    has_all::<sockless::test_util::Item>();
    has_all::<sockless::test_util::Length>();
    has_all::<sockless::test_util::NonBlockingTransport>();
    has_all::<sockless::test_util::Outcome>();
    has_all::<sockless::test_util::OwnedCloseEvent>();
    has_all::<sockless::test_util::Pair>();
    has_all::<sockless::test_util::Peer>();
    has_all::<sockless::test_util::PeerReads>();
    has_all::<sockless::test_util::Rules>();
    has_all::<sockless::test_util::Split>();
    has_all::<sockless::test_util::Transport>();
    has_all::<sockless::test_util::Trigger>();
    has_all::<sockless::test_util::Verdict>();
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
