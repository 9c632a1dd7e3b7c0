//! The bodies of the fuzz targets. Each takes any bytes and panics when sockless breaks a promise.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::panic,
    reason = "a target reports a finding by a panic"
)]

pub mod close_frame;
pub mod deflate_round_trip;
pub mod frame_header;
mod head;
pub mod inflate_limit;
mod input;
pub mod mask;
mod memory;
pub mod negotiation;
mod offers;
mod opening;
mod operations;
mod receive;
pub mod receive_client;
pub mod receive_server;
pub mod request_head;
pub mod response_head;
#[cfg(test)]
mod tests;
pub mod two_peers;
pub mod utf8;

/// The name of a target and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, sorted by name.
pub const TARGETS: &[Target] = &[
    ("close_frame", close_frame::run),
    ("deflate_round_trip", deflate_round_trip::run),
    ("frame_header", frame_header::run),
    ("inflate_limit", inflate_limit::run),
    ("mask", mask::run),
    ("negotiation", negotiation::run),
    ("receive_client", receive_client::run),
    ("receive_server", receive_server::run),
    ("request_head", request_head::run),
    ("response_head", response_head::run),
    ("two_peers", two_peers::run),
    ("utf8", utf8::run),
];
