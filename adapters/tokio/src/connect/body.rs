//! The start of a body over HTTP/1.1, which tells the user why a server refuses.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use httparse::{Status, parse_chunk_size};
use sockless::ReadBuffer;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use crate::connect::response::{BODY, Response};

/// How long to wait for the body. The response is useful without it.
pub(crate) const WAIT: Duration = Duration::from_secs(1);

/// How many bytes to read for a body in chunks, with the lines between them.
const RAW: usize = 2 * BODY;

/// Reads the start of the body into `response`. `buffer` contains the bytes that follow the head.
pub(crate) async fn read(
    transport: &mut (impl AsyncRead + Unpin),
    mut buffer: ReadBuffer,
    response: &mut Response,
) {
    let framing = Framing::of(response);
    let reading = async {
        while !framing.is_complete(buffer.unread()) {
            match transport.read(buffer.spare_mut(BODY)).await {
                Ok(n) if n > 0 => buffer.advance_filled(n),
                _ => return,
            }
        }
    };
    _ = timeout(WAIT, reading).await;
    response.body = framing.decode(buffer.unread());
}

/// Where a body ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilEof,
}

impl Framing {
    fn of(response: &Response) -> Self {
        // A 204 and a 304 have no body.
        if matches!(response.status.as_u16(), 204 | 304) {
            return Self::Length(0);
        }
        if response.headers.contains_key(TRANSFER_ENCODING) {
            return Self::Chunked;
        }
        let length = response.headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        length.map_or(Self::UntilEof, Self::Length)
    }

    /// Whether `received` contains the whole body, or as much of it as is kept.
    fn is_complete(self, received: &[u8]) -> bool {
        match self {
            Self::Length(length) => received.len() >= length.min(BODY),
            Self::UntilEof => received.len() >= BODY,
            Self::Chunked => {
                let (body, ended) = join_chunks(received);
                ended || body.len() >= BODY || received.len() >= RAW
            }
        }
    }

    fn decode(self, received: &[u8]) -> Bytes {
        let mut body = match self {
            Self::Length(length) => received[..length.min(received.len())].to_vec(),
            Self::UntilEof => received.to_vec(),
            Self::Chunked => join_chunks(received).0,
        };
        body.truncate(BODY);
        body.into()
    }
}

/// The data of the chunks, and whether the last chunk has arrived or a chunk is invalid (RFC 9112, section 7.1).
fn join_chunks(mut received: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let size = match parse_chunk_size(received) {
            Ok(Status::Complete((_, 0))) | Err(_) => return (body, true),
            Ok(Status::Partial) => return (body, false),
            Ok(Status::Complete((start, size))) => {
                received = &received[start..];
                usize::try_from(size).unwrap_or(usize::MAX)
            }
        };
        let (data, rest) = received.split_at(size.min(received.len()));
        body.extend_from_slice(data);
        // CR and LF follow the data.
        received = rest.get(2..).unwrap_or_default();
        if rest.len() < 2 {
            return (body, false);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
    use tokio::io::{AsyncWriteExt as _, simplex};

    use super::*;

    /// What is kept of `sent`, if the buffer contains the first `read` bytes of it.
    async fn kept(status: u16, header: &'static str, sent: &[u8], read: usize, eof: bool) -> Bytes {
        let (name, value) = header.split_once(": ").unwrap();
        let header = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        let mut response = Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::from_iter([header]),
            body: Bytes::new(),
        };
        let (first, rest) = sent.split_at(read.min(sent.len()));
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(first);
        let (mut transport, mut server) = simplex(1 << 20);
        server.write_all(rest).await.unwrap();
        let _open = (!eof).then_some(server);
        super::read(&mut transport, buffer, &mut response).await;
        response.body
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_the_start_of_every_kind_of_body() {
        let chunked = "transfer-encoding: chunked";
        let long = "x".repeat(BODY + 1);
        let bytes = "1\r\ny\r\n".repeat(BODY);
        let table: &[(u16, &'static str, &str, &str)] = &[
            (404, "content-length: 3", "abcd", "abc"),
            (404, "content-length: 9", "abc", "abc"),
            (404, "content-length: 0", "abc", ""),
            (404, "content-length: x", "abc", "abc"),
            (404, "content-length: 9999", &long, &long[..BODY]),
            (404, "x: y", "abc", "abc"),
            (404, "x: y", &long, &long[..BODY]),
            (204, "x: y", "abc", ""),
            (304, "content-length: 3", "abc", ""),
            (404, chunked, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nf", "abcde"),
            (404, chunked, "3;x=y\r\nabc\r\n2\r\nd", "abcd"),
            (404, chunked, "3\r\nabc\r\n2\r", "abc"),
            (404, chunked, "3\r\nabc\r", "abc"),
            (404, chunked, "ffffffffffffffff\r\nabc", "abc"),
            (404, chunked, "no chunk", ""),
        ];
        for (status, header, sent, expected) in table {
            for eof in [false, true] {
                for read in [0, 1, 7, usize::MAX] {
                    let kept = kept(*status, header, sent.as_bytes(), read, eof).await;
                    assert_eq!(kept, expected, "{status} {header} {sent:.20} {eof} {read}");
                }
            }
        }
        // A read may take more than the limit for the chunks.
        let kept = kept(404, chunked, bytes.as_bytes(), 0, false).await;
        assert!((RAW / 6..=BODY).contains(&kept.len()), "{}", kept.len());
    }
}
