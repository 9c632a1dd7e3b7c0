//! What a large message costs a program that keeps it: a copy of the message, or its memory.
//!
//! The program keeps the newest messages, one or 16 of them, and drops the oldest. So the times contain the memory of the
//! next message: to allocate it, to clear it, and to free it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sockless::{Config, Connection, Event, ReadBuffer, TakenEvent};

use crate::job::{Kind, Receive, Role};

const READ: usize = 16 << 10;
const TURNS: usize = 15;
/// Bytes of messages in a turn.
const AMOUNT: usize = 24 << 20;

#[derive(Clone, Copy)]
enum Way {
    Copy,
    Take,
}

/// Prints a Markdown table.
pub fn report() {
    println!("| message | kept | copied | taken | taken / copied |\n|---|--:|--:|--:|--:|");
    for kind in [Kind::Binary, Kind::Ascii] {
        for size in [32, 48, 64, 256, 1024, 4096].map(|size| size << 10) {
            let count = (AMOUNT / size).clamp(3, 300);
            let stream = Receive::new(Role::Server, kind, size, count).stream();
            for kept in [1, 16] {
                let mut best = [Duration::MAX; 2];
                for _ in 0..TURNS {
                    for (best, way) in best.iter_mut().zip([Way::Copy, Way::Take]) {
                        *best = turn(&stream, count, kept, way).min(*best);
                    }
                }
                let [copied, taken] = best.map(|time| time.as_secs_f64() * 1e6 / count as f64);
                println!(
                    "| {kind:?}, {} KiB | {kept} | {copied:.1} µs | {taken:.1} µs | {:.2} |",
                    size >> 10,
                    taken / copied
                );
            }
        }
    }
}

/// The time for all messages of a stream.
fn turn(stream: &[u8], count: usize, kept: usize, way: Way) -> Duration {
    let mut connection = Connection::server(&Config::default());
    let mut buffer = ReadBuffer::with_capacity(READ + 4096);
    let mut messages = VecDeque::new();
    let mut received = 0;
    let start = Instant::now();
    for piece in stream.chunks(READ) {
        buffer.spare_mut(READ)[..piece.len()].copy_from_slice(piece);
        buffer.advance_filled(piece.len());
        while let Some(message) = next(&mut connection, &mut buffer, way) {
            received += 1;
            messages.push_back(message);
            if messages.len() > kept {
                messages.pop_front();
            }
        }
    }
    let time = start.elapsed();
    assert_eq!(received, count, "messages");
    time
}

fn next(connection: &mut Connection, buffer: &mut ReadBuffer, way: Way) -> Option<Bytes> {
    let event = match way {
        Way::Copy => connection
            .next_event(buffer)
            .map(|event| event.map(TakenEvent::Borrowed)),
        Way::Take => connection.take_event(buffer),
    };
    Some(match event.expect("legal")? {
        TakenEvent::Borrowed(Event::Binary { data, .. }) => Bytes::copy_from_slice(data),
        TakenEvent::Borrowed(Event::Text { text, .. }) => Bytes::copy_from_slice(text.as_bytes()),
        TakenEvent::Borrowed(event) => panic!("{event:?}"),
        TakenEvent::Text(text) => text.into(),
        TakenEvent::Binary { memory, payload } => Bytes::from(memory).slice(payload),
    })
}
