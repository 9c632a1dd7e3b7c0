//! Compares [`apply_mask`], in pieces and at any offset, with the formula of RFC 6455, section 5.3.

use sockless::apply_mask;
use sockless::test_util::cuts_at;

use crate::input::Input;

/// See the module.
pub fn run(data: &[u8]) {
    let Some((key, rest)) = data.split_first_chunk::<4>() else {
        return;
    };
    let Some((offset, rest)) = rest.split_first_chunk::<8>() else {
        return;
    };
    // Half of the value leaves room to add the length.
    let offset = usize::from_le_bytes(*offset) >> 1;
    let Some(input) = Input::parse(rest) else {
        return;
    };
    let expected: Vec<u8> = input
        .bytes
        .iter()
        .enumerate()
        .map(|(i, byte)| byte ^ key[(offset + i) % 4])
        .collect();
    let places = input.places(input.bytes.len());
    let mut masked = Vec::new();
    for piece in cuts_at(input.bytes, &places) {
        let mut bytes = piece.to_vec();
        apply_mask(&mut bytes, *key, offset + masked.len());
        masked.extend(bytes);
    }
    assert_eq!(masked, expected);
    // Masking twice gives the original bytes.
    apply_mask(&mut masked, *key, offset);
    assert_eq!(masked, input.bytes);
}
