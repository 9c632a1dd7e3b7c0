//! Messages compressed and decompressed (RFC 7692): with `zlib-rs` alone, and by connections that use it.
//!
//! All of them have the level 6, windows of 32 KiB and context takeover, and compress every message.

use std::fmt::Write;

use crate::deflate::broadcast::Way;
use crate::job::Role;
use crate::peers::Pass;
use crate::sum::Sum;

mod alone;
mod broadcast;
mod frames;
mod sockless;
mod sockudo;
mod yawc;

const LEVEL: u8 = 6;
const WINDOW_BITS: u8 = 15;

/// What is sent or received in every pass.
#[derive(Clone, Debug)]
pub struct Job {
    /// The side that an implementation is.
    pub role: Role,
    pub messages: Vec<String>,
    /// How often it can be received.
    pub passes: usize,
}

impl Job {
    /// Messages of `size` bytes, alike as those of one application are.
    pub fn new(role: Role, size: usize, passes: usize) -> Self {
        let count = ((256 << 10) / size).clamp(16, 256);
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: u32| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % u64::from(below)) as usize
        };
        let mut message = || {
            let mut text = String::from("[");
            while text.len() < size {
                write!(
                    text,
                    r#"{{"id":{},"symbol":"{}","price":{}.{:02},"side":"{}","user":"user-{}"}},"#,
                    random(u32::MAX),
                    ["AAPL", "MSFT", "GOOG", "AMZN", "NVDA"][random(5)],
                    random(5000),
                    random(100),
                    ["buy", "sell"][random(2)],
                    random(10_000),
                )
                .unwrap();
            }
            text.truncate(size);
            text
        };
        Self {
            role,
            messages: (0..count).map(|_| message()).collect(),
            passes,
        }
    }

    /// What a pass that receives has to find.
    pub fn expected(&self, mut sum: Sum) -> Sum {
        for message in &self.messages {
            sum.add(message.as_bytes(), true);
        }
        sum
    }
}

/// One who takes part.
pub struct Contestant {
    pub name: &'static str,
    pub pass: Pass,
}

/// Those that compress and send the messages in every pass, `zlib-rs` alone first.
///
/// With [`Sum::thorough`] what was written is decompressed and compared, and its bytes without headers are added. This
/// has to be so from the first pass on, for as long as it is wanted: compressed data refers to what was sent before.
pub fn senders(job: &Job) -> Vec<Contestant> {
    contestants([
        ("zlib-rs", alone::send(job)),
        ("sockless", sockless::send(job)),
        ("yawc", yawc::send(job)),
        ("sockudo-ws", sockudo::send(job)),
        ("sockudo-ws (Protocol)", sockudo::send_protocol(job)),
    ])
}

/// Those that receive and decompress the messages in every pass, `zlib-rs` alone first; all from the same data.
pub fn receivers(job: &Job) -> Vec<Contestant> {
    let frames = frames::compressed(job);
    contestants([
        ("zlib-rs", alone::receive(job)),
        ("sockless", sockless::receive(job, frames.clone())),
        ("yawc", yawc::receive(job, frames.clone())),
        ("sockudo-ws", sockudo::receive(job, frames.clone())),
        (
            "sockudo-ws (Protocol)",
            sockudo::receive_protocol(job, frames),
        ),
    ])
}

/// Those that compress the next two messages in every pass and send them on `count` connections, once for all first.
///
/// The sum has the bytes with their headers.
pub fn broadcasters(job: &Job, count: usize) -> Vec<Contestant> {
    [
        ("once for all", Way::Shared),
        ("by each", Way::Each),
        ("in turns", Way::Mixed),
    ]
    .into_iter()
    .map(|(name, way)| Contestant {
        name,
        pass: broadcast::broadcast(job, count, way),
    })
    .collect()
}

fn contestants<const N: usize>(contestants: [(&'static str, Pass); N]) -> Vec<Contestant> {
    contestants
        .into_iter()
        .map(|(name, pass)| Contestant { name, pass })
        .collect()
}
