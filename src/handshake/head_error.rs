//! What is wrong with the head of a request or response.

/// The head breaks HTTP/1.1 (RFC 9112) or a limit. It becomes a `RequestError` or a `ResponseError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    Malformed,
    StartLineTooLong,
    TooLarge,
    TooManyHeaders,
    UnsupportedVersion,
}
