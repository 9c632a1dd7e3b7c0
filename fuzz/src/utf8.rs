//! Compares [`Utf8Validator`], which gets pieces, with the standard library, which gets the whole.

use sockless::test_util::cuts_at;
use sockless::{ProtocolError, Utf8Validator};

use crate::input::Input;

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    let places = input.places(input.bytes.len());
    let mut validator = Utf8Validator::new();
    let mut fed = 0;
    for piece in cuts_at(input.bytes, &places) {
        fed += piece.len();
        let reference = str::from_utf8(&input.bytes[..fed]);
        // Only an error that later bytes cannot repair is an error here.
        let wrong = reference.is_err_and(|error| error.error_len().is_some());
        let expected = if wrong {
            Err(ProtocolError::InvalidUtf8)
        } else {
            Ok(())
        };
        assert_eq!(validator.validate(piece), expected);
        assert_eq!(validator.is_complete(), reference.is_ok());
    }
}
