//! ws-framer.
//!
//! Its receive buffer must hold a whole message. It moves the rest of the last read after each message, so a buffer of
//! 4 KiB more than the message is faster than one of 16 KiB more: twice as fast at 16 bytes. It asks the operating
//! system for every masking key. It has no function that reads the request of an opening handshake.

use std::any::Any;
use std::io::{Read, Write};

use ws_framer::{WsFrame, WsRxFramer, WsTxFramer};

use crate::job::{Payload, Receive, Role, Send};
use crate::peers::{Pass, Peer, echoing, receiving, sending};
use crate::wire::Wire;

pub(super) struct WsFramer;

const SLACK: usize = 4 << 10;

/// A buffer to borrow. It is never freed.
fn buffer(size: usize) -> &'static mut [u8] {
    vec![0; size].leak()
}

#[inline]
fn read(framer: &mut WsRxFramer<'_>, wire: &mut Wire) {
    let n = wire.read(framer.read_buf()).unwrap();
    framer.advance(n);
}

impl Peer for WsFramer {
    fn name(&self) -> &'static str {
        "ws-framer"
    }

    fn receive(&self, job: &Receive) -> Pass {
        receiving(job, |mut wire| {
            let mut framer = WsRxFramer::new(buffer(job.size + SLACK));
            move |sum| match framer.next_frame() {
                Some(Ok(WsFrame::Text(text))) => sum.add(text.as_bytes(), true),
                Some(Ok(WsFrame::Binary(data))) => sum.add(data, true),
                Some(other) => panic!("{other:?}"),
                None => read(&mut framer, &mut wire),
            }
        })
    }

    fn send(&self, job: &Send) -> Pass {
        sending(job, |mut wire| {
            let mut framer = WsTxFramer::new(job.role == Role::Client, buffer(job.wire_size()));
            let payload = job.payload();
            move || {
                let frame = match payload {
                    Payload::Text(text) => framer.text(text),
                    Payload::Binary(data) => framer.binary(data),
                };
                wire.write_all(frame.unwrap()).unwrap();
            }
        })
    }

    fn echo(&self, job: &Receive) -> Pass {
        echoing(job, |mut wire| {
            let mut receiver = WsRxFramer::new(buffer(job.size + SLACK));
            let mut sender = WsTxFramer::new(false, buffer(job.size + SLACK));
            move |sum| match receiver.next_frame() {
                Some(frame) => {
                    let frame = sender.frame(frame.unwrap()).unwrap();
                    wire.write_all(frame).unwrap();
                    sum.messages += 1;
                }
                None => read(&mut receiver, &mut wire),
            }
        })
    }

    /// It has a receive buffer of the size in its examples. All connections can share one send buffer.
    fn idle(&self, _: bool) -> Box<dyn Any> {
        Box::new((
            WsRxFramer::new(buffer(10240)),
            WsTxFramer::new(false, &mut []),
        ))
    }
}
