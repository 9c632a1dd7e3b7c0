//! The implementations, one file each.

use std::any::Any;

use crate::job::{self, Receive, Send};
use crate::sum::Sum;
use crate::wire::Wire;

mod fastwebsockets;
mod sans_io;
mod sockless;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
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

    /// As a server, sends each message of the job back before it takes the next, and adds how many and how many bytes.
    ///
    /// With [`Sum::thorough`] the frames are looked at, by [`Send::check`] of [`Receive::echoed`].
    fn echo(&self, job: &Receive) -> Option<Pass>;

    /// As a server, answers the opening handshake [`REQUEST`](crate::job::REQUEST) once, from bytes to a connection and
    /// bytes, and adds the answer as one message.
    ///
    /// With [`Sum::thorough`] the answer is looked at, by [`check_answer`](crate::job::check_answer).
    fn handshake(&self) -> Option<Pass>;

    /// A server's connection after the opening handshake, that has sent and received nothing yet or, if `used`,
    /// one short message each way.
    fn idle(&self, used: bool) -> Option<Box<dyn Any>>;
}

/// Before a pass that writes: keeps what is written, if it is to be looked at.
pub(crate) fn watch(wire: &mut Wire, sum: &Sum) {
    if sum.is_thorough() {
        wire.record();
    }
}

/// After a pass that wrote: adds how much, and looks at it if it was kept.
fn settle(wire: &mut Wire, sum: &mut Sum, job: &Send) {
    sum.wrote(wire.take_written());
    if let Some(written) = wire.recorded() {
        job.check(&written).unwrap();
    }
}

/// After a pass that wrote an answer to a handshake: adds it, and looks at it if it was kept.
fn answered(wire: &mut Wire, sum: &mut Sum) {
    let size = wire.take_written();
    if let Some(answer) = wire.recorded() {
        add_answer(&answer, sum);
    } else {
        sum.messages += 1;
        sum.wrote(size);
    }
}

/// Adds an answer to a handshake, and looks at it if the sum does.
fn add_answer(answer: &[u8], sum: &mut Sum) {
    if sum.is_thorough() {
        job::check_answer(answer).unwrap();
    }
    sum.add(answer, true);
}

/// All of them, this crate first.
pub fn all() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(sockless::Sockless),
        Box::new(tungstenite::Tungstenite),
        Box::new(fastwebsockets::Fastwebsockets),
        Box::new(tokio_websockets::TokioWebsockets),
        Box::new(soketto::Soketto),
        Box::new(sockudo::Sockudo),
        Box::new(sockudo::SockudoProtocol),
        Box::new(web_socket::WebSocketCrate),
        Box::new(sans_io::WebsocketSansIo),
        Box::new(ws_framer::WsFramer),
        Box::new(yawc::Yawc),
    ]
}
