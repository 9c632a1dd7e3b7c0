//! The functions of the wire layer, without std and without an allocator.
//!
//! The program has no allocator. So if anything in it used the alloc crate, the compiler would refuse it (`no global
//! memory allocator found`).

// Without std a program cannot unwind. If the profile unwinds, as in a build of the whole workspace, this is a program
// with std that compiles and refuses to run.
#![cfg_attr(panic = "abort", no_std, no_main)]

#[cfg(panic = "abort")]
mod runtime;

#[cfg(not(panic = "abort"))]
fn main() {
    check();
    panic!("this program has std in it: use tests/freestanding/run");
}

use core::hint::black_box;

use sockless::accept_key;
use sockless::{
    CloseCode, CloseFrame, FrameHeader, Opcode, ProtocolError, Utf8Validator, apply_mask,
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

// Every input passes through `black_box`, so the compiler cannot compute the results.
fn check() {
    headers();
    masking();
    utf8();
    close();
    handshake_key();
}

/// The headers of the examples in RFC 6455, section 5.7.
fn headers() {
    let table: [(&[u8], _); 8] = [
        (b"\x81\x05", header(true, Opcode::Text, None, 5)),
        (
            b"\x81\x85\x37\xfa\x21\x3d",
            header(true, Opcode::Text, Some(KEY), 5),
        ),
        (b"\x01\x03", header(false, Opcode::Text, None, 3)),
        (b"\x80\x02", header(true, Opcode::Continuation, None, 2)),
        (b"\x89\x05", header(true, Opcode::Ping, None, 5)),
        (
            b"\x8a\x85\x37\xfa\x21\x3d",
            header(true, Opcode::Pong, Some(KEY), 5),
        ),
        (
            b"\x82\x7e\x01\x00",
            header(true, Opcode::Binary, None, 0x100),
        ),
        (
            b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
            header(true, Opcode::Binary, None, 0x1_0000),
        ),
    ];
    for (bytes, header) in black_box(table) {
        for cut in 0..bytes.len() {
            assert_eq!(FrameHeader::parse(&bytes[..cut]), Ok(None));
        }
        assert_eq!(FrameHeader::parse(bytes), Ok(Some((header, bytes.len()))));
        assert_eq!(header.write(&mut [0; FrameHeader::MAX_SIZE]), bytes);
    }
    assert_eq!(
        FrameHeader::parse(black_box(b"\x83\x00")),
        Err(ProtocolError::ReservedOpcode(3))
    );
}

const fn header(
    fin: bool,
    opcode: Opcode,
    masking_key: Option<[u8; 4]>,
    payload_length: u64,
) -> FrameHeader {
    FrameHeader {
        fin,
        rsv: 0,
        opcode,
        masking_key,
        payload_length,
    }
}

/// The masked "Hello" of RFC 6455, section 5.7, in two pieces, with every cut.
fn masking() {
    for cut in 0..=5 {
        let mut payload = black_box(*b"\x7f\x9f\x4d\x51\x58");
        let (first, rest) = payload.split_at_mut(cut);
        apply_mask(first, KEY, 0);
        apply_mask(rest, KEY, cut);
        assert_eq!(&payload, b"Hello");
    }
}

fn utf8() {
    let mut validator = Utf8Validator::new();
    for character in black_box("h\u{e9}\u{20ac}\u{1f600}").chars() {
        let mut bytes = [0; 4];
        for (i, byte) in character.encode_utf8(&mut bytes).bytes().enumerate() {
            assert_eq!(validator.validate(&[byte]), Ok(()));
            assert_eq!(validator.is_complete(), i + 1 == character.len_utf8());
        }
    }
    // The second byte shows that this is half of a surrogate pair.
    assert_eq!(validator.validate(black_box(b"\xed")), Ok(()));
    assert_eq!(
        validator.validate(black_box(b"\xa0")),
        Err(ProtocolError::InvalidUtf8)
    );
}

fn close() {
    let close = CloseFrame {
        code: CloseCode::GOING_AWAY,
        reason: black_box("bye"),
    };
    let mut buffer = [0; CloseFrame::MAX_SIZE];
    assert_eq!(close.write(&mut buffer), Some(&b"\x03\xe9bye"[..]));
    assert_eq!(CloseFrame::parse(&buffer[..5]), Ok(close));
    assert_eq!(
        CloseFrame::parse(black_box(b"\x03\xee")),
        Err(ProtocolError::InvalidCloseCode(CloseCode::ABNORMAL_CLOSURE))
    );
}

/// The example in RFC 6455, section 1.3.
fn handshake_key() {
    assert_eq!(
        &accept_key(black_box(b"dGhlIHNhbXBsZSBub25jZQ==")),
        b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}
