//! The implementations, one file each.

use std::any::Any;

use crate::job::{Receive, Send};
use crate::sum::Sum;

mod sans_io;
mod sockless;
mod sockudo;
mod web_socket;
mod ws_framer;
mod yawc;

/// Does a job once, and says what it has done.
pub type Pass = Box<dyn FnMut(&mut Sum)>;

/// One implementation, used as its documentation advises for speed.
///
/// What it cannot do, or not without breaking the rules of the job, it answers with `None`.
pub trait Peer {
    /// The name of its crate, and how it is used if there is more than one way.
    fn name(&self) -> &'static str;

    /// Takes `count` messages from a [`Wire`](crate::wire::Wire) with `job.stream()`, and adds each to the sum.
    fn receive(&self, job: &Receive) -> Option<Pass>;

    /// Writes `count` messages into a [`Wire`](crate::wire::Wire), one by one, and adds what arrived there to the sum.
    ///
    /// With [`Sum::thorough`] the frames are looked at, by [`Send::check`].
    fn send(&self, job: &Send) -> Option<Pass>;

    /// As a server, sends each message of the job back before it takes the next.
    fn echo(&self, job: &Receive) -> Option<Pass>;

    /// As a server, answers the opening handshake [`REQUEST`](crate::job::REQUEST) once, from bytes to a connection and bytes.
    fn handshake(&self) -> Option<Pass>;

    /// A server's connection after the opening handshake, that has sent and received nothing yet or, if `used`,
    /// one short message each way.
    fn idle(&self, used: bool) -> Option<Box<dyn Any>>;
}

/// All of them, this crate first.
pub fn all() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(sockless::Sockless),
        Box::new(sockudo::Sockudo),
        Box::new(sockudo::SockudoProtocol),
        Box::new(web_socket::WebSocketCrate),
        Box::new(sans_io::WebsocketSansIo),
        Box::new(ws_framer::WsFramer),
        Box::new(yawc::Yawc),
    ]
}
