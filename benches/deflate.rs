//! What a connection adds to the time of compressing and decompressing: messages through `Connection`
//! beside the same messages through `zlib-rs` alone.
//!
//! ```text
//! cargo bench --features deflate --bench deflate
//! ```
//!
//! Both use the same input and the same settings, with context takeover, and take turns, so that what
//! disturbs one disturbs the other, too. The figure is the median of the quietest third of the turns.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use sockless::handshake::{ClientHandshake, ClientOptions, Opening, Request, ServerOptions, Uri};
use sockless::{Config, Connection, Deflate, Event, ReadBuffer, Seed};
use zlib_rs::{DeflateConfig, DeflateFlush, Inflate, InflateFlush};

const TURNS: usize = 300;
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Messages of `size` bytes, alike as those of one application are.
fn messages(size: usize) -> Vec<String> {
    let count = ((256 << 10) / size).clamp(16, 256);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut message = || {
        let mut text = String::from("[");
        while text.len() < size {
            write!(
                text,
                r#"{{"id":{},"symbol":"{}","price":{}.{:02},"side":"{}","user":"user-{}"}},"#,
                random(1 << 32),
                ["AAPL", "MSFT", "GOOG", "AMZN", "NVDA"][random(5) as usize],
                random(5000),
                random(100),
                ["buy", "sell"][random(2) as usize],
                random(10_000),
            )
            .unwrap();
        }
        text.truncate(size);
        text
    };
    (0..count).map(|_| message()).collect()
}

fn pair() -> (Connection, Connection) {
    let mut wishes = Deflate::default();
    wishes.min_size = 0;
    let mut config = Config::default();
    config.max_output = usize::MAX;
    config.deflate = Some(wishes);
    let mut server_options = ServerOptions::default();
    server_options.config = config;
    let mut client_options = ClientOptions::default();
    client_options.config = config;
    let uri = Uri::parse("ws://localhost/").unwrap();
    let mut handshake = ClientHandshake::new(&uri, &client_options, Seed::new([3; 32])).unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(handshake.request());
    let request = Request::read(&mut buffer, &config).unwrap().unwrap();
    let mut server = request.accept(&server_options).unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(server.output());
    server.advance_output(server.output().len());
    let Some(Opening::Established { connection, .. }) =
        handshake.read_response(&mut buffer).unwrap()
    else {
        panic!("refused")
    };
    (server, connection)
}

fn compressor() -> zlib_rs::Deflate {
    zlib_rs::Deflate::new_with_config(DeflateConfig {
        level: 6,
        window_bits: -15,
        ..DeflateConfig::default()
    })
}

/// The nanoseconds for each message of `ours` and of `theirs`, which take turns.
fn compare(count: usize, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (f64, f64) {
    let time = |act: &mut dyn FnMut()| {
        let start = Instant::now();
        act();
        start.elapsed().as_nanos() as f64 / count as f64
    };
    // Once to fill the windows and to make all memory.
    ours();
    theirs();
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..TURNS {
        if turn % 2 == 0 {
            times[0].push(time(&mut ours));
            times[1].push(time(&mut theirs));
        } else {
            times[1].push(time(&mut theirs));
            times[0].push(time(&mut ours));
        }
    }
    let [ours, theirs] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[TURNS / 6]
    });
    (ours, theirs)
}

fn report(what: &str, size: usize, (ours, theirs): (f64, f64)) {
    println!(
        "{size:6} B  {what:15}  connection {ours:8.0} ns  zlib-rs {theirs:8.0} ns  ratio {:.3}",
        ours / theirs
    );
}

fn send(what: &str, messages: &[String], mut connection: Connection) {
    let mut direct = compressor();
    let mut output = vec![0; messages[0].len() * 2 + 64];
    let times = compare(
        messages.len(),
        || {
            for message in messages {
                connection.send_text(black_box(message)).unwrap();
                connection.advance_output(black_box(connection.output()).len());
            }
        },
        || {
            for message in messages {
                let before = direct.total_out();
                direct
                    .compress(
                        black_box(message).as_bytes(),
                        &mut output,
                        DeflateFlush::SyncFlush,
                    )
                    .unwrap();
                black_box(&output[..(direct.total_out() - before) as usize]);
            }
        },
    );
    report(what, messages[0].len(), times);
}

fn receive(what: &str, messages: &[String], mut from: Connection, mut to: Connection) {
    // The messages over and over are one stream; the second time around it refers to the first.
    let mut frames = Vec::new();
    for message in messages.iter().cycle().take(messages.len() * (TURNS + 1)) {
        from.send_text(message).unwrap();
        let mut frame = Vec::new();
        from.swap_output(&mut frame);
        frames.push(frame);
    }
    let mut direct = compressor();
    let mut payloads = Vec::new();
    for message in messages.iter().cycle().take(messages.len() * (TURNS + 1)) {
        let mut output = vec![0; message.len() * 2 + 64];
        let before = direct.total_out();
        direct
            .compress(message.as_bytes(), &mut output, DeflateFlush::SyncFlush)
            .unwrap();
        output.truncate((direct.total_out() - before) as usize);
        assert!(output.ends_with(&TAIL));
        payloads.push(output);
    }

    let mut buffer = ReadBuffer::new();
    let mut inflate = Inflate::new(false, 15);
    let mut output = vec![0; messages[0].len() + 1];
    let (mut frames, mut payloads) = (frames.iter(), payloads.iter());
    let times = compare(
        messages.len(),
        || {
            for (message, frame) in messages.iter().zip(frames.by_ref()) {
                buffer.extend_from_slice(black_box(frame));
                let Some(Event::Text { text, .. }) = to.next_event(&mut buffer).unwrap() else {
                    panic!("no text")
                };
                assert_eq!(black_box(text), message);
            }
        },
        || {
            for (message, payload) in messages.iter().zip(payloads.by_ref()) {
                let before = inflate.total_out();
                inflate
                    .decompress(black_box(payload), &mut output, InflateFlush::SyncFlush)
                    .unwrap();
                let length = (inflate.total_out() - before) as usize;
                assert_eq!(black_box(&output[..length]), message.as_bytes());
            }
        },
    );
    report(what, messages[0].len(), times);
}

fn main() {
    for size in [100, 1 << 10, 16 << 10] {
        let messages = messages(size);
        send("server sends", &messages, pair().0);
        send("client sends", &messages, pair().1);
        let (server, client) = pair();
        receive("client receives", &messages, server, client);
        let (server, client) = pair();
        receive("server receives", &messages, client, server);
    }
}
