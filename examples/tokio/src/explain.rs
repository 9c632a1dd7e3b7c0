//! What an error of connecting means for the user of a client.

use sockless::handshake::ResponseError;
use sockless_tokio::{ConnectError, Step};

use crate::advice;

/// Describes the error in one line, with advice.
#[must_use]
pub fn explain(error: &ConnectError) -> String {
    match error {
        ConnectError::Refused(response) => advice::refused(response.status.as_u16(), |name| {
            let value = response.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        }),
        ConnectError::Handshake(error) => advice::broken(*error, &[]),
        ConnectError::Timeout(Step::Handshake) => advice::broken(ResponseError::Timeout, &[]),
        ConnectError::Eof => String::from(advice::ENDED),
        ConnectError::Transport(error) => format!("{error}: {}", advice::OTHER),
        error => error.to_string(),
    }
}
