//! `ws-framer`.
//!
//! It receives into a buffer that has to hold a whole message, and moves the rest of what was read after each one: with
//! 4 KiB more than the message it is faster than with 16 KiB, twice as fast at 16 bytes. It asks the operating system
//! for every masking key. To read the request of the opening handshake is left to whoever uses it.

use std::any::Any;
use std::io::{Read, Write};

use ws_framer::{WsFrame, WsRxFramer, WsTxFramer};

use crate::job::{Receive, Role, Send};
use crate::peers::{Pass, Peer, settle, watch};
use crate::sum::Sum;
use crate::wire::Wire;

pub(super) struct WsFramer;

const SLACK: usize = 4 << 10;

/// Hands out messages until `each` says that there are enough.
#[inline]
fn receive(
    framer: &mut WsRxFramer<'_>,
    wire: &mut Wire,
    mut each: impl FnMut(&mut Wire, WsFrame<'_>) -> bool,
) {
    loop {
        while let Some(frame) = framer.next_frame() {
            if each(wire, frame.unwrap()) {
                return;
            }
        }
        let n = wire.read(framer.read_buf()).unwrap();
        framer.advance(n);
    }
}

impl Peer for WsFramer {
    fn name(&self) -> &'static str {
        "ws-framer"
    }

    fn receive(&self, job: &Receive) -> Option<Pass> {
        let mut buffer = vec![0; job.size + SLACK];
        let mut wire = Wire::new(job.stream(), job.read_size);
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            // It borrows its buffer, so it is made anew; nothing is left in it after a pass.
            let mut framer = WsRxFramer::new(&mut buffer);
            receive(&mut framer, &mut wire, |_, frame| {
                match frame {
                    WsFrame::Text(text) => sum.add(text.as_bytes(), true),
                    WsFrame::Binary(data) => sum.add(data, true),
                    other => panic!("{other:?}"),
                }
                sum.messages == count
            });
        }))
    }

    fn send(&self, job: &Send) -> Option<Pass> {
        let mut buffer = vec![0; job.wire_size()];
        let payload = job.payload();
        let text = job.kind.text(job.size);
        let mut wire = Wire::sink();
        let job = job.clone();
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            let mut framer = WsTxFramer::new(job.role == Role::Client, &mut buffer);
            for _ in 0..job.count {
                let frame = match &text {
                    Some(text) => framer.text(text),
                    None => framer.binary(payload),
                };
                wire.write_all(frame.unwrap()).unwrap();
            }
            settle(&mut wire, sum, &job);
        }))
    }

    fn echo(&self, job: &Receive) -> Option<Pass> {
        let mut input = vec![0; job.size + SLACK];
        let mut output = vec![0; job.size + SLACK];
        let mut wire = Wire::new(job.stream(), job.read_size);
        let job = job.echoed();
        let count = job.count as u64;
        Some(Box::new(move |sum: &mut Sum| {
            watch(&mut wire, sum);
            let mut receiver = WsRxFramer::new(&mut input);
            let mut sender = WsTxFramer::new(false, &mut output);
            receive(&mut receiver, &mut wire, |wire, frame| {
                wire.write_all(sender.frame(frame).unwrap()).unwrap();
                sum.messages += 1;
                sum.messages == count
            });
            settle(&mut wire, sum, &job);
        }))
    }

    fn handshake(&self) -> Option<Pass> {
        None
    }

    /// Used or not, it takes a buffer to receive into, of the size that its examples have; one to send from can be
    /// shared by all connections. It borrows that buffer, which is therefore given up.
    fn idle(&self, _: bool) -> Option<Box<dyn Any>> {
        Some(Box::new((
            WsRxFramer::new(vec![0; 10240].leak()),
            WsTxFramer::new(false, &mut []),
        )))
    }
}
