// The README links to files beside it, which the docs do not have. Of several definitions of a link the first one counts,
// so these take the place of those at its end.
#![cfg_attr(
    feature = "alloc",
    doc = "
[guide]: guide::event_loop
[chart]: <data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='600' height='20'%3E%3Ctext y='15' \
font-family='sans-serif' font-size='14' fill='gray'%3Ebenches/results.svg draws the figures of this table, \
among others.%3C/text%3E%3C/svg%3E>
[benches]: #files-beside-these-docs
[results]: #files-beside-these-docs
[differential]: #files-beside-these-docs
[fuzz]: #files-beside-these-docs
[tests]: #files-beside-these-docs
"
)]
#![cfg_attr(feature = "alloc", doc = include_str!("../README.md"))]
#![cfg_attr(
    feature = "alloc",
    doc = "
# Where to begin

- [`guide::event_loop`]: drive it from your own loop, step by step; [`guide::from_tungstenite`] for those who come from there.
- [`handshake`]: the opening handshake, from [`ServerHandshake`](handshake::ServerHandshake) on a server, from
  [`ClientHandshake`](handshake::ClientHandshake) on a client.
- [`Connection`] and its [`ReadBuffer`], the [`Event`]s that come out, the [`Config`] that bounds them.
- [`Connection::close_event`] and [`Connection::transport_action`]: how it ended, and what to do then.
- [`FrameHeader`], [`apply_mask`], [`Utf8Validator`], [`CloseFrame`]: the parts, for a parser of your own.

# Files beside these docs

Some links above name files of the repository, which the docs do not contain:

- `benches/README.md`: how the speed is measured; `benches/results.md`: every series and implementation.
- `tests/README.md`: which test holds which rule; `tests/differential/README.md`: where other implementations differ.
- `fuzz/README.md`: the fuzz targets."
)]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "The pure layer of the WebSocket protocol (RFC 6455), without an allocator."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
// Nothing a peer sends reaches a panic. Each exception states the proof that it cannot.
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented
    )
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::cast_possible_truncation,
        clippy::large_stack_arrays,
        reason = "tests stop at the first surprise, and make up bytes from numbers"
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
// For the traits of std::io, for what derives Arbitrary, and for what threads compress together.
#[cfg(feature = "std")]
extern crate std;

// Methods `with_...` for the public fields of options. `Some(...)` marks a field that is an `Option`.
#[cfg(feature = "alloc")]
macro_rules! setters {
    () => {};
    ($name:ident(Some($field:ident): $type:ty); $($rest:tt)*) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
        #[must_use]
        pub const fn $name(mut self, $field: $type) -> Self {
            self.$field = Some($field);
            self
        }

        setters! { $($rest)* }
    };
    ($name:ident($field:ident: $type:ty); $($rest:tt)*) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
        #[must_use]
        pub const fn $name(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        }

        setters! { $($rest)* }
    };
}

#[cfg(feature = "alloc")]
mod connection;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(all(feature = "alloc", not(feature = "deflate")))]
#[path = "deflate/disabled.rs"]
mod deflate;
#[cfg(feature = "alloc")]
pub mod guide;
#[cfg(feature = "alloc")]
pub mod handshake;
mod wire;

#[cfg(feature = "test-util")]
pub mod test_util;

pub use wire::{
    CloseCode, CloseFrame, FrameHeader, Opcode, ProtocolError, Utf8Validator, accept_key,
    apply_mask,
};

#[cfg(feature = "alloc")]
pub use connection::{
    CloseEvent, Config, Connection, Deadlines, Delivery, Event, Initiator, Outgoing, OwnedEvent,
    ReadBuffer, Reply, Role, Seed, SendError, Timeout, TransportAction,
};

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use connection::SharedMessage;

#[cfg(feature = "getrandom")]
pub use connection::SeedError;
#[cfg(feature = "deflate")]
pub use deflate::{Codecs, Deflate};
