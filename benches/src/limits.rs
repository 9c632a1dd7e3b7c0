//! The limits of the machine: the work of a job that everyone must do, and nothing else.
//!
//! It is safe code, compiled for the vector instructions that every processor of the target has. An implementation that
//! detects wider vector instructions at run time may unmask faster.
//!
//! All work is done on pieces of 16 KiB, which stay in the fastest cache, even if messages are larger. For large
//! messages it shows what delivery in parts can reach. The code knows the layout of the stream in advance.

use std::hint::black_box;
use std::io::{Read, Write};

use sockless::FrameHeader;

use crate::job::{self, Receive, Role, Send};
use crate::peers::{Pass, echoing, receiving, sending};
use crate::sum::Sum;
use crate::wire::Wire;
use crate::xor::{rotated, xor, xor_into};

/// Bytes that are processed at a time.
const PIECE: usize = 16 << 10;

/// A name and a pass.
pub type Limit = (&'static str, Pass);

/// The limits of receiving. The last one does all the work.
pub fn receive(job: &Receive) -> Vec<Limit> {
    let masked = job.role == Role::Server;
    let text = job.kind.is_text();
    let mut limits = vec![("memcpy", memcpy(job))];
    if masked && job.size >= 1 << 10 {
        limits.push(("xor", xor_alone(job)));
    }
    let name = match (masked, text) {
        (true, true) => "copy+xor+utf8",
        (true, false) => "copy+xor",
        (false, true) => "copy+utf8",
        (false, false) => "copy+frames",
    };
    let pass = receiving(job, |wire| {
        let mut frames = Frames::new(job);
        let mut wire = wire;
        move |sum| {
            frames.pass(&mut wire, |_, part| {
                if masked {
                    xor(part.data, part.key);
                }
                assert!(!text || is_utf8(&part));
                sum.add(part.data, part.fin);
            });
        }
    });
    limits.push((name, pass));
    limits
}

/// The limit of sending. A server only copies a payload, and a client also masks it.
pub fn send(job: &Send) -> Limit {
    let payload = job.payload().bytes();
    if job.role == Role::Server {
        let mut frame = Vec::new();
        job::push_frame(&mut frame, job::header(job.kind.opcode(), None), payload);
        let pass = sending(job, |mut wire| move || wire.write_all(&frame).unwrap());
        return ("memcpy", pass);
    }
    let pass = sending(job, |mut wire| {
        let mut buffer = vec![0; FrameHeader::MAX_SIZE + PIECE];
        let header = header(job, Some([0; 4]));
        buffer[..header.len()].copy_from_slice(&header);
        let mut key = 1_u32;
        move || {
            key = key.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            buffer[header.len() - 4..header.len()].copy_from_slice(&key.to_le_bytes());
            let first = payload.len().min(PIECE);
            let end = header.len() + first;
            xor_into(&mut buffer[header.len()..end], &payload[..first], key);
            wire.write_all(&buffer[..end]).unwrap();
            // The size of a piece is a multiple of the size of a key.
            for piece in payload[first..].chunks(PIECE) {
                let place = &mut buffer[FrameHeader::MAX_SIZE..][..piece.len()];
                xor_into(place, piece, key);
                wire.write_all(place).unwrap();
            }
        }
    });
    ("copy+xor+memcpy", pass)
}

/// The limit of echoing. A server unmasks and copies.
pub fn echo(job: &Receive) -> Limit {
    let pass = echoing(job, |mut wire| {
        let mut frames = Frames::new(job);
        let header = header(&job.echoed(), None);
        move |sum| {
            frames.pass(&mut wire, |wire, part| {
                xor(part.data, part.key);
                if part.first {
                    wire.write_all(&header).unwrap();
                }
                wire.write_all(part.data).unwrap();
                sum.messages += u64::from(part.fin);
            });
        }
    });
    ("copy+xor+memcpy", pass)
}

/// Reads the bytes of a pass.
fn memcpy(job: &Receive) -> Pass {
    let length = job.stream().len();
    let finish = as_expected(job);
    receiving(job, |mut wire| {
        let mut buffer = vec![0; PIECE];
        move |sum| {
            let mut left = length;
            while left > 0 {
                left -= wire.read(&mut buffer).unwrap();
            }
            finish(sum);
        }
    })
}

/// Unmasks as many bytes as the payloads of a pass have, in place.
fn xor_alone(job: &Receive) -> Pass {
    let finish = as_expected(job);
    let mut buffer = vec![0; job.size.min(PIECE)];
    let rounds = job.count * job.size / buffer.len();
    Box::new(move |sum| {
        for round in 0..rounds {
            xor(black_box(&mut buffer), round as u32);
        }
        finish(sum);
    })
}

/// Sets a sum to the expected one, for a limit that does not look at the messages.
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
        payload_length: job.size as u64,
        ..job::header(job.kind.opcode(), masking_key)
    };
    header.write(&mut [0; FrameHeader::MAX_SIZE]).to_vec()
}

/// The payload of one frame, or the part of it that is in the buffer.
struct Part<'a> {
    data: &'a mut [u8],
    /// The masking key, rotated to the first byte of `data`.
    key: u32,
    /// Whether a message begins here.
    first: bool,
    /// Whether a message ends here.
    fin: bool,
}

/// A stream of frames that all have the same size.
struct Frames {
    buffer: Vec<u8>,
    messages: usize,
    /// Frames in a message.
    per_message: usize,
    header: usize,
    payload: usize,
}

impl Frames {
    fn new(job: &Receive) -> Self {
        let frames = (job.size / job.fragment.max(1)).max(1);
        assert_eq!(
            frames * job.fragment,
            job.size,
            "all frames have the same size"
        );
        let header = job.stream().len() / job.count / frames - job.fragment;
        Self {
            buffer: vec![0; FrameHeader::MAX_SIZE + PIECE],
            messages: job.count,
            per_message: frames,
            header,
            payload: job.fragment,
        }
    }

    /// Receives the messages of a pass. It moves only a header that is cut.
    #[inline]
    fn pass(&mut self, wire: &mut Wire, mut each: impl FnMut(&mut Wire, Part)) {
        let buffer = &mut *self.buffer;
        let (mut start, mut end) = (0, 0);
        for _ in 0..self.messages {
            for frame in 1..=self.per_message {
                if end - start < self.header {
                    buffer.copy_within(start..end, 0);
                    end -= start;
                    while end < self.header {
                        end += wire.read(&mut buffer[end..][..PIECE]).unwrap();
                    }
                    start = 0;
                }
                start += self.header;
                // Without masking the key has no meaning.
                let key = buffer[..start].last_chunk().copied().unwrap_or_default();
                let key = u32::from_le_bytes(key);
                let mut done = 0;
                loop {
                    if start == end && done < self.payload {
                        start = 0;
                        end = wire.read(&mut buffer[..PIECE]).unwrap();
                    }
                    let n = (self.payload - done).min(end - start);
                    let part = Part {
                        data: &mut buffer[start..start + n],
                        key: rotated(key, done),
                        first: frame == 1 && done == 0,
                        fin: frame == self.per_message && done + n == self.payload,
                    };
                    each(wire, part);
                    start += n;
                    done += n;
                    if done == self.payload {
                        break;
                    }
                }
            }
        }
        assert_eq!(start, end, "a pass reads its whole stream");
    }
}

/// Whether text is valid UTF-8. The first and the last character of a part may be cut.
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

/// Whether this is not the first byte of a character.
fn is_inner(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Kind;

    /// Some reads cut headers, keys, payloads and characters.
    #[test]
    fn the_limit_of_receiving_does_all_the_work() {
        for role in [Role::Server, Role::Client] {
            for kind in [Kind::Binary, Kind::Ascii, Kind::Chinese] {
                for (size, fragment) in [(0, 0), (16, 16), (126, 9), (50_000, 50_000)] {
                    for read_size in [7, 1 << 14, 1 << 16] {
                        let job = Receive {
                            fragment,
                            read_size,
                            ..Receive::new(role, kind, size, 3)
                        };
                        let (_, mut pass) = receive(&job).pop().unwrap();
                        for _ in 0..2 {
                            let mut sum = Sum::thorough();
                            pass(&mut sum);
                            assert_eq!(sum, job.expected(Sum::thorough()), "{job:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn invalid_text_is_found() {
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

    /// The passes themselves check the frames.
    #[test]
    fn the_limits_of_sending_and_echoing_write_the_messages() {
        for size in [0, 16, 126, PIECE, 50_000, 100_000] {
            for read_size in [5, 6, 7, 1 << 14] {
                let job = Receive {
                    read_size,
                    ..Receive::new(Role::Server, Kind::Binary, size, 3)
                };
                let mut sum = Sum::thorough();
                echo(&job).1(&mut sum);
                assert_eq!(sum.messages, 3);
                assert_eq!(sum.bytes, 3 * job.echoed().wire_size() as u64, "{job:?}");
            }
            for role in [Role::Server, Role::Client] {
                let job = Send {
                    role,
                    kind: Kind::Binary,
                    size,
                    count: 3,
                };
                let mut sum = Sum::thorough();
                send(&job).1(&mut sum);
                assert_eq!(sum.bytes, 3 * job.wire_size() as u64, "{job:?}");
            }
        }
    }
}
