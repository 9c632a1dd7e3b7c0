// The README links to files of the repository. Here the same names link to items: the first definition of a link
// counts.
#![cfg_attr(
    feature = "alloc",
    doc = "
[blocking]: guide::blocking
[event_loop]: guide::event_loop
[from_tungstenite]: guide::from_tungstenite
[speed]: guide::speed
[states]: guide::states
[`apply_mask`]: apply_mask
[`ClientHandshake`]: handshake::ClientHandshake
[`CloseFrame`]: CloseFrame
[`Config`]: Config
[`Connection`]: Connection
[`Event`]: Event
[`FrameHeader`]: FrameHeader
[`ReadBuffer`]: ReadBuffer
[`ServerHandshake`]: handshake::ServerHandshake
[`Utf8Validator`]: Utf8Validator
"
)]
#![cfg_attr(feature = "getrandom", doc = "[`Seed::from_os`]: Seed::from_os")]
#![cfg_attr(feature = "http", doc = "[http_libraries]: guide::http_libraries")]
#![cfg_attr(feature = "test-util", doc = "[test_util]: test_util")]
#![cfg_attr(
    all(feature = "alloc", target_has_atomic = "ptr"),
    doc = "[`SharedMessage`]: SharedMessage\n"
)]
#![cfg_attr(feature = "alloc", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "The pure layer of the WebSocket protocol (RFC 6455), without an allocator."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
// No bytes from the peer may cause a panic. Each exception to these lints states its proof.
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
        reason = "a failed test may panic, and tests make bytes from numbers"
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// Defines a `with_...` method for each public field of an options type. `Some(...)` marks a field that is an `Option`.
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
#[doc(alias = "proxy")]
pub mod handshake;
mod wire;

#[cfg(feature = "test-util")]
#[doc(alias = "fuzz")]
#[doc(alias = "testing")]
pub mod test_util;

pub use wire::{
    CloseCode, CloseFrame, FrameHeader, Opcode, ProtocolError, Utf8Validator, accept_key,
    apply_mask,
};

#[cfg(feature = "alloc")]
pub use connection::{
    CloseEvent, Config, Connection, Deadlines, Delivery, Event, Initiator, Outgoing, OwnedEvent,
    ReadBuffer, Reply, Role, Seed, SendError, TakenEvent, Timeout, TransportAction,
};

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use connection::SharedMessage;

#[cfg(feature = "getrandom")]
pub use connection::SeedError;
#[cfg(feature = "deflate")]
pub use deflate::{Codecs, Deflate};
