//! The implementations, one file each.

use std::any::Any;
use std::io::{self, Read, Write};
use std::sync::Arc;

use tokio::io::{Join, Sink, join, sink};

use crate::job::{self, Receive, Send};
use crate::sum::Sum;
use crate::wire::{Wire, Written};

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

/// Does a job once, and adds what it has done to the sum.
pub type Pass = Box<dyn FnMut(&mut Sum)>;

/// One implementation, used as its documentation advises for speed.
pub trait Peer {
    /// The name of its crate. The way of use follows in parentheses if there are several.
    fn name(&self) -> &'static str;

    /// Receives the messages of the job from [`Receive::wire`], and adds each to the sum.
    fn receive(&self, job: &Receive) -> Pass;

    /// Writes the messages of the job to a [`Wire`], one by one, and adds their bytes on the wire to the sum.
    ///
    /// With [`Sum::thorough`] it checks the frames with [`Send::check`].
    fn send(&self, job: &Send) -> Pass;

    /// Sends each message of the job back, as a server, before it receives the next one. It adds the number of
    /// messages and their bytes on the wire to the sum.
    ///
    /// With [`Sum::thorough`] it checks the frames with [`Send::check`] of [`Receive::echoed`].
    fn echo(&self, job: &Receive) -> Pass;

    /// Responds to the opening handshake [`job::REQUEST`] once, as a server, and makes a connection. It adds the
    /// response to the sum as one message. Returns `None` if the implementation has no opening handshake.
    ///
    /// With [`Sum::thorough`] it checks the response with [`job::check_response`].
    fn handshake(&self) -> Option<Pass> {
        None
    }

    /// A server's connection after the opening handshake. If `used`, it has echoed one short message.
    fn idle(&self, used: bool) -> Box<dyn Any>;
}

/// A short message as a client sends it, with the key 0.
const MESSAGE: &[u8] = b"\x82\x81\0\0\0\0x";

/// The transport of an idle connection. Reads return [`MESSAGE`] if `used`. It discards what is written.
fn idle_transport(used: bool) -> Join<&'static [u8], Sink> {
    join(Idle::new(used).0, sink())
}

/// The same for implementations that block.
struct Idle(&'static [u8]);

impl Idle {
    fn new(used: bool) -> Self {
        Self(if used { MESSAGE } else { b"" })
    }
}

impl Read for Idle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Idle {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pass that receives. `make` returns the function that receives at least one part of a message.
pub(crate) fn receiving<F>(job: &Receive, make: impl FnOnce(Wire) -> F) -> Pass
where
    F: FnMut(&mut Sum) + 'static,
{
    let mut receive = make(job.wire());
    let count = job.count as u64;
    Box::new(move |sum| {
        while sum.messages < count {
            receive(sum);
        }
    })
}

/// A pass that sends. `make` returns the function that sends one message.
pub(crate) fn sending<F>(job: &Send, make: impl FnOnce(Wire) -> F) -> Pass
where
    F: FnMut() + 'static,
{
    let wire = Wire::sink();
    let written = wire.written();
    let mut send = make(wire);
    let job = job.clone();
    let count = job.count;
    let act = move |_: &mut Sum| (0..count).for_each(|_| send());
    writing(written, act, move |written| job.check(written))
}

/// A pass that echoes. `make` returns the function that echoes messages, if it has received any, and counts them.
pub(crate) fn echoing<F>(job: &Receive, make: impl FnOnce(Wire) -> F) -> Pass
where
    F: FnMut(&mut Sum) + 'static,
{
    let wire = job.wire();
    let written = wire.written();
    let mut echo = make(wire);
    let job = job.echoed();
    let count = job.count as u64;
    let act = move |sum: &mut Sum| {
        while sum.messages < count {
            echo(sum);
        }
    };
    writing(written, act, move |written| job.check(written))
}

/// A pass in which `respond` reads [`job::REQUEST`] from a wire and writes a response.
fn answering(mut respond: impl FnMut(&mut Wire) + 'static) -> Pass {
    let mut wire = Wire::new(job::REQUEST.into(), job::REQUEST.len());
    responding(wire.written(), move || respond(&mut wire))
}

/// A pass in which `respond` writes a response to [`job::REQUEST`].
pub(crate) fn responding(written: Arc<Written>, mut respond: impl FnMut() + 'static) -> Pass {
    let act = move |sum: &mut Sum| {
        respond();
        sum.messages += 1;
    };
    writing(written, act, |response| {
        job::check_response(response, job::ACCEPT)
    })
}

/// A pass that writes. It adds the number of bytes. If the sum is thorough, it panics with the error of `check`.
fn writing(
    written: Arc<Written>,
    mut act: impl FnMut(&mut Sum) + 'static,
    check: impl Fn(&[u8]) -> Result<(), String> + 'static,
) -> Pass {
    Box::new(move |sum| {
        written.begin(sum);
        act(sum);
        let (size, copy) = written.end();
        sum.wrote(size);
        if let Some(copy) = copy {
            check(&copy).unwrap();
        }
    })
}

/// All of them, sockless first.
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
