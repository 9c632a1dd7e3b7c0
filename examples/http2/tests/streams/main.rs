//! A WebSocket in a stream of HTTP/2 (RFC 8441), frame by frame: small windows, windows that shrink, padding, empty frames, and
//! ends in the middle of a message. Also TLS that ends without `close_notify`.

mod client;
mod ending;
mod flow_control;
mod frames;
mod peer;
mod program;
mod truncation;

/// A frame of a client with this first byte. Its key is not zero, so a server that does not unmask is found.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = header(first, payload.len());
    frame[1] |= 0x80;
    frame.extend(KEY);
    frame.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// A frame of a server.
fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len());
    frame.extend(payload);
    frame
}

/// The header with the length in its shortest form (RFC 6455 section 5.2).
fn header(first: u8, length: usize) -> Vec<u8> {
    match length {
        0..=125 => vec![first, u8::try_from(length).unwrap()],
        126..=0xffff => {
            let length = u16::try_from(length).unwrap();
            [&[first, 126][..], &length.to_be_bytes()].concat()
        }
        _ => [&[first, 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

/// Bytes that differ from place to place and from seed to seed, so that a swap or a loss shows.
fn pattern(seed: usize, length: usize) -> Vec<u8> {
    let byte = |i: usize| u8::try_from((seed * 31 + i * 7 + i / 251) % 251).unwrap();
    (0..length).map(byte).collect()
}
