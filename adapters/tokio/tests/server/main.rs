//! Servers: the opening handshake, the graceful end, and messages to many clients.

mod accept;
mod broadcast;
mod listener;
mod shutdown;
mod support;
