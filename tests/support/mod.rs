//! Helpers of several test programs that `sockless::test_util` does not have.

/// Bytes from their hexadecimal notation, such as `"81 05 48"`.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
        .collect()
}
