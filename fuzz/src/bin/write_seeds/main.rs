//! Writes the seeds of the fuzz targets: `cargo run -p sockless-fuzz --bin write_seeds`.
//!
//! Inputs that a fuzzer has found lie beside them under names of their own, and are left alone.

#![allow(
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "a tool that stops at the first surprise, and makes up bytes from numbers"
)]

mod deflate_round_trip;
mod negotiation;
mod two_peers;

use std::path::Path;
use std::{fs, io};

use sockless::FrameHeader;
use sockless::test_util::{Frame, Role, encode};

fn main() -> io::Result<()> {
    for (target, name, bytes) in seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("seeds")
            .join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

type Seed = (&'static str, String, Vec<u8>);

fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, bytes: Vec<u8>| seeds.push((target, name.to_owned(), bytes));
    heads(&mut add);
    negotiation::seeds(&mut add);
    frames(&mut add);
    compressed(&mut add);
    small(&mut add);
    two_peers::seeds(&mut add);
    deflate_round_trip::seeds(&mut add);
    for (i, length) in [40, 160, 600, 1500].into_iter().enumerate() {
        let name = format!("noise_{i}");
        add("frame_header", &name, noise(length, i as u32 + 1));
    }
    seeds
}

/// Choices, no cuts or two, then the bytes.
fn input(choices: u8, cuts: &[u16], bytes: &[u8]) -> Vec<u8> {
    let mut input = vec![choices, cuts.len() as u8];
    input.extend(cuts.iter().flat_map(|cut| cut.to_le_bytes()));
    input.extend_from_slice(bytes);
    input
}

fn heads(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    let request = |extra: &str| {
        format!(
            "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n"
        )
    };
    for (name, text) in [
        ("plain", request("")),
        (
            "subprotocols",
            request("Sec-WebSocket-Protocol: a, chat\r\n"),
        ),
        (
            "extensions",
            request("Sec-WebSocket-Extensions: x, permessage-deflate; client_max_window_bits\r\n"),
        ),
        ("origin", request("Origin: http://localhost\r\n")),
        (
            "absolute_target",
            request("").replace(" /chat", " http://a:81?x=1"),
        ),
        ("frames_behind", request("") + "\u{1}\u{2}frames"),
        ("body", request("Content-Length: 5\r\n") + "12345"),
        ("page", "GET / HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        ("old", "GET / HTTP/1.0\r\n\r\n".into()),
        ("folded", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n".into()),
        ("bare_line_feed", "GET / HTTP/1.1\nHost: a\n\n".into()),
        ("empty_lines_first", format!("\r\n\r\n{}", request(""))),
        ("other_version", request("").replace(": 13", ": 12")),
    ] {
        for choices in [0x00, 0x0f] {
            let bytes = input(choices, &[0x4000, 0xc000], text.as_bytes());
            add("request_head", &format!("{name}_{choices:02x}"), bytes);
        }
    }
    // The answer to the key that `opening::client` sends.
    let accept = accept();
    let response = |extra: &str| {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{extra}\r\n"
        )
    };
    for (name, text) in [
        ("accepted", response("")),
        ("subprotocol", response("Sec-WebSocket-Protocol: chat\r\n")),
        (
            "compressed",
            response("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n"),
        ),
        ("no_subprotocol", response("Sec-WebSocket-Protocol:\r\n")),
        ("frames_behind", response("") + "\u{1}\u{2}Hi"),
        (
            "interim",
            format!(
                "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n{}",
                response("")
            ),
        ),
        (
            "refused",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone".into(),
        ),
        ("over_599", "HTTP/1.1 600 What\r\n\r\n".into()),
        (
            "redirect",
            "HTTP/1.1 301 Moved\r\nLocation: /there\r\n\r\n".into(),
        ),
        ("wrong_accept", response("").replace(&accept[..4], "AAAA")),
        ("not_http", "SSH-2.0-x\r\n".into()),
    ] {
        for choices in [0x00, 0x03] {
            let bytes = input(choices, &[0x2000], text.as_bytes());
            add("response_head", &format!("{name}_{choices:02x}"), bytes);
        }
    }
}

fn accept() -> String {
    let key = sockless_fuzz::key();
    String::from_utf8(sockless::accept_key(&key).to_vec()).expect("ASCII")
}

fn frames(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    let text = Frame::new(0x81, "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}");
    let streams = [
        (
            "hello",
            vec![Frame::new(0x81, "Hello"), Frame::new(0x82, [0xff; 130])],
        ),
        (
            "fragments",
            vec![
                Frame::new(0x01, "Hel"),
                Frame::new(0x89, "ping"),
                Frame::new(0x80, "lo"),
            ],
        ),
        (
            "close",
            vec![
                text.clone(),
                Frame::close(1000, "bye"),
                Frame::new(0x81, "late"),
            ],
        ),
        (
            "pongs",
            vec![
                Frame::new(0x8a, ""),
                Frame::new(0x89, [7; 125]),
                Frame::new(0x89, ""),
            ],
        ),
        (
            "cut_character",
            vec![
                Frame::new(0x01, b"\xce"),
                Frame::new(0x00, ""),
                Frame::new(0x80, b"\xba"),
            ],
        ),
        (
            "half_a_character",
            vec![Frame::new(0x01, b"\xce"), Frame::new(0x80, "")],
        ),
        ("wrong_text", vec![Frame::new(0x81, b"ok\xf4\x90\x80\x80")]),
        ("reserved_bit", vec![Frame::new(0xc1, "x")]),
        ("reserved_opcode", vec![Frame::new(0x83, "")]),
        ("fragmented_ping", vec![Frame::new(0x09, "")]),
        (
            "new_message_inside",
            vec![Frame::new(0x01, "a"), Frame::new(0x81, "b")],
        ),
        ("stray_continuation", vec![Frame::new(0x80, "a")]),
        (
            "wrongly_masked",
            vec![Frame::new(0x81, "a").wrongly_masked()],
        ),
        ("bad_close_code", vec![Frame::close(1005, "")]),
        ("close_of_one_byte", vec![Frame::new(0x88, "a")]),
        (
            "over_the_limit",
            vec![Frame::new(0x02, [1; 250]), Frame::new(0x80, [2; 250])],
        ),
        ("bytewise", vec![Frame::new(0x02, ""); 40]),
    ];
    for (target, role) in [
        ("receive_server", Role::Server),
        ("receive_client", Role::Client),
    ] {
        for (name, frames) in &streams {
            for choices in [0x00, 0x03] {
                let bytes = input(choices, &[0x3000, 0x8000, 0xa000], &encode(frames, role));
                add(target, &format!("{name}_{choices:02x}"), bytes);
            }
        }
        for i in 1..5 {
            let bytes = input(0x10 | i as u8 & 3, &[0x5555], &noise(500, i));
            add(target, &format!("frames_{i}"), bytes);
        }
    }
    for (name, bytes) in [
        ("short", &[0x81, 0x05][..]),
        ("masked", &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]),
        ("bits_16", &[0x82, 0x7e, 0x01, 0x00]),
        ("bits_64", &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]),
        ("not_minimal", &[0x82, 0x7e, 0x00, 0x7d]),
        ("top_bit", &[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("long_ping", &[0x89, 0x7e, 0x01, 0x00]),
    ] {
        add("frame_header", name, bytes.to_vec());
    }
}

fn compressed(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    for (name, bytes) in [
        ("hello", &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..]),
        (
            "stored",
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
        ),
        ("bfinal", &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]),
        (
            "two_blocks",
            &[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ],
        ),
        ("empty", &[0x00]),
        ("no_bytes", &[]),
        ("growing", &deflated(&[0; 200_000])),
        ("just_over", &deflated(&[b'a'; 101])),
        ("just_within", &deflated(&[b'a'; 100])),
        (
            "text",
            &deflated("\u{20ac}uro, \u{20ac}uro and text".repeat(9).as_bytes()),
        ),
        ("wrong_block", &[0x07]),
    ] {
        for choices in [0x00, 0x09, 0x16, 0x3b, 0x62, 0x87] {
            add(
                "inflate_limit",
                &format!("{name}_{choices:02x}"),
                input(choices, &[0x4000, 0x9000], bytes),
            );
        }
    }
}

/// The payload of a message that sockless compresses.
fn deflated(data: &[u8]) -> Vec<u8> {
    let mut server = sockless_fuzz::compressing_server();
    server.send_binary(data).expect("an open connection");
    let header = FrameHeader::parse(server.output()).expect("legal");
    let (header, size) = header.expect("whole");
    assert_eq!(header.rsv, 0b100, "compressed");
    server.output()[size..].to_vec()
}

fn small(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    for (name, text) in [
        ("ascii", &b"Hello"[..]),
        ("kosme", "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}".as_bytes()),
        (
            "bounds",
            "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}".as_bytes(),
        ),
        ("too_large", b"\xf4\x90\x80\x80"),
        ("surrogate", b"a\xed\xa0\x80"),
        ("overlong", b"\xe0\x80\xaf"),
        ("cut", b"\xf0\x9f\x98"),
    ] {
        add("utf8", name, input(0, &[0x2000, 0x6000, 0xb000], text));
    }
    for (name, offset, length) in [("start", 0_u64, 80), ("odd", 3, 33), ("far", u64::MAX, 9)] {
        let mut bytes = Frame::MASKING_KEY.to_vec();
        bytes.extend(offset.to_le_bytes());
        bytes.extend(input(0, &[0x1111, 0x7777], &noise(length, 9)));
        add("mask", name, bytes);
    }
    for (name, payload) in [
        ("normal", b"\x03\xe8bye".to_vec()),
        ("empty", vec![]),
        ("one_byte", vec![3]),
        ("reserved", b"\x03\xed".to_vec()),
        ("not_text", b"\x03\xe8\xff".to_vec()),
        (
            "long",
            [&b"\x0f\xa0"[..], "\u{1f600}".repeat(40).as_bytes()].concat(),
        ),
    ] {
        add("close_frame", name, payload);
    }
}

/// Bytes that decode to values of all kinds, the same every time.
fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 11) as u8
        })
        .collect()
}
