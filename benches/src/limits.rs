//! What the machine can do: the work of a job that nobody can leave out, and nothing else, in safe code for the
//! processors that the target takes for granted. Whoever asks the processor for more at run time may unmask faster.
//!
//! All of it is done on pieces of 16 KiB, which stay in the nearest cache, whatever the size of the messages: so
//! messages that are larger show what delivery in chunks could reach. The layout of the stream is known beforehand.

use std::io::{Read, Write};

use sockless::{FrameHeader, Opcode};

use crate::job::{Receive, Role, Send};
use crate::peers::Pass;
use crate::sum::Sum;
use crate::wire::Wire;
use crate::xor::{rotated, xor, xor_into};

/// Bytes that are worked on at a time.
const PIECE: usize = 16 << 10;

/// A limit of the machine, and what makes it.
pub struct Limit {
    pub name: &'static str,
    pub pass: Pass,
}

impl Limit {
    fn new(name: &'static str, pass: impl FnMut(&mut Sum) + 'static) -> Self {
        Self {
            name,
            pass: Box::new(pass),
        }
    }
}

/// The limits of receiving, the one with all the work last.
pub fn receive(job: &Receive) -> Vec<Limit> {
    let mut limits = vec![memcpy(job)];
    if job.role == Role::Server && job.size >= 1 << 10 {
        limits.push(xor_alone(job));
    }
    let masked = job.role == Role::Server;
    let text = job.kind.is_text();
    let name = match (masked, text) {
        (true, true) => "copy+xor+utf8",
        (true, false) => "copy+xor",
        (false, true) => "copy+utf8",
        (false, false) => "copy+frames",
    };
    let mut frames = Frames::new(job);
    limits.push(Limit::new(name, move |sum| {
        frames.pass(|part| {
            if masked {
                xor(part.data, part.key);
            }
            assert!(!text || is_utf8(&part));
            sum.add(part.data, part.fin);
        });
    }));
    limits
}

/// The limit of sending: all that a server does to a payload is to pass it on, a client masks it on the way.
pub fn send(job: &Send) -> Vec<Limit> {
    let job = job.clone();
    let payload = job.payload();
    let mut wire = Wire::sink();
    if job.role == Role::Server {
        let mut frame = header(&job, None);
        frame.extend_from_slice(payload);
        return vec![Limit::new("memcpy", move |sum| {
            into_sink(&mut wire, &job, sum, |wire| wire.write_all(&frame).unwrap());
        })];
    }
    let mut buffer = vec![0; FrameHeader::MAX_SIZE + PIECE];
    let start = header(&job, Some([0; 4]));
    buffer[..start.len()].copy_from_slice(&start);
    let mut key = 1_u32;
    vec![Limit::new("copy+xor+memcpy", move |sum| {
        into_sink(&mut wire, &job, sum, |wire| {
            key = key.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            buffer[start.len() - 4..start.len()].copy_from_slice(&key.to_le_bytes());
            let first = payload.len().min(PIECE);
            let end = start.len() + first;
            xor_into(&mut buffer[start.len()..end], &payload[..first], key);
            wire.write_all(&buffer[..end]).unwrap();
            // A piece is a multiple of the key.
            for piece in payload[first..].chunks(PIECE) {
                let place = &mut buffer[FrameHeader::MAX_SIZE..][..piece.len()];
                xor_into(place, piece, key);
                wire.write_all(place).unwrap();
            }
        });
    })]
}

/// The limit of echoing: what a server receives, passed on.
pub fn echo(job: &Receive) -> Vec<Limit> {
    let header = header(&job.echoed(), None);
    let mut frames = Frames::new(job);
    let mut wire = Wire::sink();
    vec![Limit::new("copy+xor+memcpy", move |sum| {
        frames.pass(|part| {
            xor(part.data, part.key);
            if part.first {
                wire.write_all(&header).unwrap();
            }
            wire.write_all(part.data).unwrap();
            sum.messages += u64::from(part.fin);
        });
        sum.wrote(wire.take_written());
    })]
}

/// The bytes of a pass, read.
fn memcpy(job: &Receive) -> Limit {
    let stream = job.stream();
    let length = stream.len();
    let mut wire = Wire::new(stream, job.read_size);
    let mut buffer = vec![0; PIECE];
    let finish = as_expected(job);
    Limit::new("memcpy", move |sum| {
        let mut left = length;
        while left > 0 {
            left -= wire.read(&mut buffer).unwrap();
        }
        finish(sum);
    })
}

/// As many bytes as the payloads have, unmasked where they lie.
fn xor_alone(job: &Receive) -> Limit {
    let finish = as_expected(job);
    let mut buffer = vec![0; job.size.min(PIECE)];
    let rounds = job.count * job.size / buffer.len();
    Limit::new("xor", move |sum| {
        for round in 0..rounds {
            xor(std::hint::black_box(&mut buffer), round as u32);
        }
        finish(sum);
    })
}

/// Makes a sum what it has to be, for a limit that leaves out too much to find it.
fn as_expected(job: &Receive) -> impl Fn(&mut Sum) + 'static {
    let job = job.clone();
    let expected = job.expected(Sum::default());
    move |sum| {
        if sum.is_thorough() {
            *sum = job.expected(sum.clone());
        } else {
            sum.clone_from(&expected);
        }
    }
}

fn header(job: &Send, masking_key: Option<[u8; 4]>) -> Vec<u8> {
    let header = FrameHeader {
        fin: true,
        rsv: 0,
        opcode: if job.kind.is_text() {
            Opcode::Text
        } else {
            Opcode::Binary
        },
        masking_key,
        payload_length: job.size as u64,
    };
    header.write(&mut [0; FrameHeader::MAX_SIZE]).to_vec()
}

/// Writes the messages of a pass and looks at them if the sum is thorough.
#[inline]
fn into_sink(wire: &mut Wire, job: &Send, sum: &mut Sum, mut write: impl FnMut(&mut Wire)) {
    if sum.is_thorough() {
        wire.record();
    }
    for _ in 0..job.count {
        write(wire);
    }
    sum.wrote(wire.take_written());
    if let Some(written) = wire.recorded() {
        job.check(&written).unwrap();
    }
}

/// Payload of one frame, or as much of it as lies in the buffer.
struct Part<'a> {
    data: &'a mut [u8],
    /// As it stands at the first byte.
    key: u32,
    /// Whether a message starts here.
    first: bool,
    /// Whether a message ends here.
    fin: bool,
}

/// A stream of frames that are all alike.
struct Frames {
    wire: Wire,
    buffer: Vec<u8>,
    messages: usize,
    /// Frames in a message.
    per_message: usize,
    header: usize,
    payload: usize,
}

impl Frames {
    fn new(job: &Receive) -> Self {
        let stream = job.stream();
        let frames = (job.size / job.fragment.max(1)).max(1);
        assert_eq!(frames * job.fragment, job.size, "all frames are alike");
        let header = stream.len() / job.count / frames - job.fragment;
        Self {
            wire: Wire::new(stream, job.read_size.min(PIECE)),
            buffer: vec![0; FrameHeader::MAX_SIZE + PIECE],
            messages: job.count,
            per_message: frames,
            header,
            payload: job.fragment,
        }
    }

    /// All the messages of a pass. Only a header that is cut is moved; a payload is taken as it lies.
    #[inline]
    fn pass(&mut self, mut part: impl FnMut(Part)) {
        let buffer = &mut *self.buffer;
        let (mut start, mut end) = (0, 0);
        for _ in 0..self.messages {
            for frame in 1..=self.per_message {
                if end - start < self.header {
                    buffer.copy_within(start..end, 0);
                    end -= start;
                    while end < self.header {
                        end += self.wire.read(&mut buffer[end..]).unwrap();
                    }
                    start = 0;
                }
                start += self.header;
                // Of no meaning where nothing is masked.
                let key = buffer[..start].last_chunk().copied().unwrap_or_default();
                let key = u32::from_le_bytes(key);
                let mut done = 0;
                loop {
                    if start == end && done < self.payload {
                        start = 0;
                        end = self.wire.read(buffer).unwrap();
                    }
                    let n = (self.payload - done).min(end - start);
                    part(Part {
                        data: &mut buffer[start..start + n],
                        key: rotated(key, done),
                        first: frame == 1 && done == 0,
                        fin: frame == self.per_message && done + n == self.payload,
                    });
                    start += n;
                    done += n;
                    if done == self.payload {
                        break;
                    }
                }
            }
        }
        assert_eq!(start, end, "a pass reads its stream to the end");
    }
}

/// Whether text is valid, but for characters that are cut by the ends of the part.
#[inline]
fn is_utf8(part: &Part) -> bool {
    let mut data = &*part.data;
    if !part.first {
        let cut = data.iter().take(3).take_while(|byte| is_inner(**byte));
        data = &data[cut.count()..];
    }
    if !part.fin {
        let inner = data
            .iter()
            .rev()
            .take(3)
            .take_while(|byte| is_inner(**byte));
        let inner = inner.count();
        if let Some(place) = data.len().checked_sub(inner + 1)
            && (data[place].leading_ones() as usize) > inner + 1
        {
            data = &data[..place];
        }
    }
    simdutf8::basic::from_utf8(data).is_ok()
}

/// Whether a character does not begin with this byte.
fn is_inner(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Kind;

    /// Reads that cut headers, keys, frames and characters.
    #[test]
    fn the_limit_of_receiving_does_all_the_work() {
        for role in [Role::Server, Role::Client] {
            for kind in [Kind::Binary, Kind::Ascii, Kind::Chinese] {
                for (size, fragment) in [(0, 0), (16, 16), (126, 9), (50_000, 50_000)] {
                    for read_size in [7, 1 << 14, 1 << 16] {
                        let job = Receive {
                            role,
                            kind,
                            size,
                            fragment,
                            count: 3,
                            read_size,
                            chunks: false,
                        };
                        let mut limit = receive(&job).pop().unwrap();
                        for _ in 0..2 {
                            let mut sum = Sum::thorough();
                            (limit.pass)(&mut sum);
                            assert_eq!(sum, job.expected(Sum::thorough()), "{job:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn invalid_text_is_no_limit() {
        for (data, first, fin, expected) in [
            (&b"a\xe5\xa4\xa9"[..], true, true, true),
            (b"a\xe5\xa4", true, true, false),
            (b"a\xe5\xa4", true, false, true),
            (b"\xa4\xa9a", false, true, true),
            (b"\xa4\xa9a", true, true, false),
            (b"a\xffa", false, false, false),
        ] {
            let part = Part {
                data: &mut data.to_vec(),
                key: 0,
                first,
                fin,
            };
            assert_eq!(is_utf8(&part), expected, "{data:x?}");
        }
    }

    #[test]
    fn the_limit_of_echoing_sends_back() {
        for (size, read_size) in [(0, 5), (16, 6), (16, 7), (50_000, 1 << 14)] {
            let job = Receive {
                role: Role::Server,
                kind: Kind::Binary,
                size,
                fragment: size,
                count: 3,
                read_size,
                chunks: false,
            };
            for mut limit in echo(&job) {
                let mut sum = Sum::default();
                (limit.pass)(&mut sum);
                assert_eq!(sum.messages, 3);
                assert_eq!(sum.bytes, 3 * job.echoed().wire_size() as u64, "{job:?}");
            }
        }
    }

    #[test]
    fn the_limit_of_sending_sends() {
        for role in [Role::Server, Role::Client] {
            for size in [0, 16, 126, PIECE, 100_000] {
                let job = Send {
                    role,
                    kind: Kind::Binary,
                    size,
                    count: 3,
                };
                for mut limit in send(&job) {
                    let mut sum = Sum::thorough();
                    (limit.pass)(&mut sum);
                    assert_eq!(sum.bytes, 3 * job.wire_size() as u64);
                }
            }
        }
    }
}
