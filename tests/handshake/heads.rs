//! The head of a request: its lines, its limits (RFC 9112 sections 2 to 5).

use super::{REQUEST, head, opened, serve, serve_cut, split_message};
use sockless::handshake::{RequestError, ServerHandshake, ServerOptions};
use sockless::{Config, ReadBuffer};

/// After how many bytes, given one at a time, the request is refused.
fn refused_at(bytes: &[u8], config: &Config) -> Option<(usize, RequestError)> {
    let mut handshake = ServerHandshake::new(config);
    let mut buffer = ReadBuffer::new();
    (1..=bytes.len()).find_map(|n| {
        buffer.extend_from_slice(&bytes[n - 1..n]);
        handshake.read_request(&mut buffer).err().map(|e| (n, e))
    })
}

#[test]
fn a_bad_head_is_refused_at_the_byte() {
    let table = [
        ("GET / HTTP/1.1\n", 15),
        ("\n", 1),
        ("GET / HTTP/1.1\r\nA: b\n", 21),
        // A CR is bare once something else than LF follows.
        ("GET / HTTP/1.1\r\nA: b\rc", 22),
        ("GET / HTTP/1.1\r\r", 16),
        ("GET / HTTP/1.1\r\nA: b\r\n\rX", 24),
        ("GET / HTTP/1.1\r\nA: \0", 20),
        ("GET\0", 4),
        ("GET / HTTP/1.1\r\nA: b\r\n ", 23),
        ("GET / HTTP/1.1\r\nA: b\r\n\t", 23),
        ("GET / HTTP/1.1\r\n ", 17),
        (" ", 1),
    ];
    for (request, at) in table {
        let bytes = [request.as_bytes(), b"never looked at\r\n\r\n"].concat();
        let refused = refused_at(&bytes, &Config::default());
        let error = RequestError::MalformedHead;
        assert_eq!(refused, Some((at, error)), "{request:?}");
        serve_cut(&bytes, &ServerOptions::default()).unwrap_err();
    }
    // A TLS client that mistook the port.
    let hello = [0x16, 0x03, 0x01, 0x00];
    assert_eq!(refused_at(&hello, &Config::default()).unwrap().0, 4);
}

/// Whole, a head goes another way than in pieces: both know the same bytes, in every place.
#[test]
fn every_byte_in_every_place_is_judged_alike_at_once_and_in_single_bytes() {
    let config = Config::default();
    // What came of it, for as long as the buffer can be borrowed.
    let read = |handshake: &mut ServerHandshake, buffer: &mut ReadBuffer| match handshake
        .read_request(buffer)
    {
        Ok(None) => None,
        Ok(Some(request)) => {
            let headers = request.headers();
            let trimmed = headers.iter().all(|h| h.value.trim_ascii() == h.value);
            assert!(trimmed, "{request:?}");
            Some(Ok(format!("{request:?}")))
        }
        Err(error) => Some(Err(error)),
    };
    let head = b"GET /a HTTP/1.1\r\nHost: a\r\nA:\t b c \r\nD:\r\n\r\n";
    let mut verdicts = [0, 0];
    for place in 0..head.len() {
        for byte in 0..=u8::MAX {
            for behind in [place, place + 1] {
                let bytes = [&head[..place], &[byte], &head[behind..]].concat();
                let mut singly = ReadBuffer::new();
                let mut handshake = ServerHandshake::new(&config);
                let expected = bytes.iter().find_map(|byte| {
                    singly.extend_from_slice(&[*byte]);
                    read(&mut handshake, &mut singly)
                });
                let mut at_once = ReadBuffer::new();
                at_once.extend_from_slice(&bytes);
                let found = read(&mut ServerHandshake::new(&config), &mut at_once);
                assert_eq!(found, expected, "{}", bytes.escape_ascii());
                verdicts[usize::from(found.is_some_and(|found| found.is_ok()))] += 1;
            }
        }
    }
    assert!(verdicts.iter().all(|n| *n > 1000), "{verdicts:?}");
}

#[test]
fn the_head_is_limited() {
    let request = head(REQUEST, &[]);
    let size = request.len();
    let mut options = ServerOptions::default();
    options.config.max_head_size = size;
    // Just fits, whatever follows.
    let bytes = [request.as_bytes(), &[0x81; 100]].concat();
    assert_eq!(refused_at(&bytes[..size], &options.config), None);
    assert!(matches!(
        serve(request.as_bytes(), &[], &options),
        Ok(Some(_))
    ));

    // Refused when the limit is reached without an end in sight.
    let too_large = RequestError::HeadTooLarge;
    let start_line = RequestError::StartLineTooLong;
    let long_target = head(REQUEST, &[&format!("=GET /{} HTTP/1.1", "x".repeat(500))]);
    let long_header = head(REQUEST, &[&format!("Cookie: {}", "x".repeat(500))]);
    for (request, limit, error, status) in [
        (&request, size - 1, too_large, 431),
        (&long_header, 200, too_large, 431),
        (&long_target, 200, start_line, 414),
    ] {
        options.config.max_head_size = limit;
        let refused = refused_at(request.as_bytes(), &options.config);
        assert_eq!(refused, Some((limit, error)));
        assert_eq!(serve_cut(request.as_bytes(), &options), Err(error));
        assert_eq!(error.status(), status);
        assert_eq!(split_message(&error.response()).0, status);
    }

    // The number of headers, exactly.
    let mut options = ServerOptions::default();
    for (count, passes) in [(94, true), (95, true), (96, false), (500, false)] {
        let more: Vec<String> = (0..count).map(|i| format!("X-{i}: y")).collect();
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let request = head(REQUEST, &more);
        let served = serve_cut(request.as_bytes(), &options);
        let error = RequestError::TooManyHeaders;
        assert_eq!(served.is_ok(), passes, "{count}");
        if !passes {
            assert_eq!(served, Err(error));
            assert_eq!(error.status(), 431);
        }
    }
    options.config.max_headers = 5;
    assert!(serve(request.as_bytes(), &[], &options).is_ok());
    options.config.max_headers = 4;
    assert!(serve(request.as_bytes(), &[], &options).is_err());
}

/// Were it searched anew with every read, a million reads would take half a million million steps.
#[test]
fn a_head_is_found_in_linear_time() {
    let config = Config::new().with_max_head_size(1 << 20);
    let cookie = format!("Cookie: {}", "x".repeat(1_000_000));
    let request = head(REQUEST, &[&cookie]);
    let mut handshake = ServerHandshake::new(&config);
    let mut buffer = ReadBuffer::new();
    let (last, bytes) = request.as_bytes().split_last().unwrap();
    for byte in bytes {
        buffer.extend_from_slice(&[*byte]);
        assert_eq!(handshake.read_request(&mut buffer), Ok(None));
    }
    buffer.extend_from_slice(&[*last]);
    let request = handshake.read_request(&mut buffer).unwrap().unwrap();
    assert_eq!(request.single_header("cookie").unwrap().len(), 1_000_000);
}

/// How far one head was searched says nothing about the next, however the two came.
#[test]
fn a_second_request_is_searched_from_its_beginning() {
    let config = Config::default();
    let first = head(REQUEST, &[]);
    let second = first.replacen("\r\n", "\n", 1);
    for cut in 0..=first.len() {
        for (second, good) in [(&first, true), (&second, false)] {
            for same in [true, false] {
                let mut handshake = ServerHandshake::new(&config);
                let mut buffer = ReadBuffer::new();
                buffer.extend_from_slice(&first.as_bytes()[..cut]);
                let early = handshake.read_request(&mut buffer).unwrap().is_some();
                assert_eq!(early, cut == first.len());
                buffer.extend_from_slice(&first.as_bytes()[cut..]);
                if !early {
                    assert!(handshake.read_request(&mut buffer).unwrap().is_some());
                }
                assert!(buffer.is_empty());
                if !same {
                    handshake = ServerHandshake::new(&config);
                }
                // The head is whole and a byte follows it, so it is searched as a head in pieces is.
                buffer.extend_from_slice(&[second.as_bytes(), b"\x81"].concat());
                let read = handshake.read_request(&mut buffer);
                assert_eq!(read.is_ok_and(|request| request.is_some()), good, "{cut}");
            }
        }
    }
}

/// RFC 9112 section 2.2: a server should skip an empty line before the request.
#[test]
fn an_empty_line_before_the_request_is_skipped() {
    for lines in ["\r\n", "\r\n\r\n"] {
        let request = format!("{lines}{}", head(REQUEST, &[]));
        let served = serve_cut(request.as_bytes(), &ServerOptions::default());
        opened(&served, "empty line");
    }
    // They count for nothing.
    let mut options = ServerOptions::default();
    let request = head(REQUEST, &[]);
    options.config.max_headers = REQUEST.len() - 1;
    options.config.max_head_size = request.len();
    let request = format!("\r\n{request}");
    opened(
        &serve_cut(request.as_bytes(), &options),
        "empty line, at the limits",
    );
    // Half of one is none.
    let config = Config::default();
    let malformed = RequestError::MalformedHead;
    assert_eq!(
        refused_at(b"\rGET / HTTP/1.1\r\n\r\n", &config),
        Some((2, malformed))
    );
}

/// What is made of a head: the parts of the request, or the error; and whether anything is left.
fn verdict(
    bytes: &[u8],
    cuts: &[usize],
    config: &Config,
) -> (Result<Option<String>, RequestError>, usize) {
    let mut handshake = ServerHandshake::new(config);
    let mut buffer = ReadBuffer::new();
    let mut verdict = Ok(None);
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let mut start = 0;
    for end in ends {
        buffer.extend_from_slice(&bytes[start..end]);
        start = end;
        if verdict == Ok(None) {
            verdict = handshake
                .read_request(&mut buffer)
                .map(|request| request.map(|request| format!("{request:?}")));
        }
    }
    (verdict, buffer.unread().len())
}

/// A head that comes whole is judged by other means than one that comes in pieces. They agree, whatever byte is
/// changed, left out or put in.
#[test]
fn a_head_that_comes_whole_is_judged_as_one_in_pieces() {
    const BYTES: &[u8] = b"\0\t\n\r !\",/0:;AHz\x7f\x80\xff";
    let head = "GET /a HTTP/1.1\r\nHost: a.b:1\r\nX:  y z \r\nOrigin:\r\n\r\n".as_bytes();
    let mut config = Config::default();
    let mut accepted = 0;
    let mut judge = |bytes: &[u8], config: &Config| {
        let whole = verdict(bytes, &[], config);
        for cut in [1, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(
                verdict(bytes, &[cut], config),
                whole,
                "{:?} at {cut}",
                bytes.escape_ascii().to_string()
            );
        }
        let every: Vec<_> = (1..bytes.len()).collect();
        assert_eq!(
            verdict(bytes, &every, config),
            whole,
            "{:?}",
            bytes.escape_ascii().to_string()
        );
        accepted += usize::from(matches!(whole.0, Ok(Some(_))));
    };
    for i in 0..head.len() {
        let (before, rest) = head.split_at(i);
        judge(&[before, &rest[1..]].concat(), &config);
        judge(&[before, &head[..i], rest].concat(), &config);
        for byte in BYTES {
            judge(&[before, &[*byte], &rest[1..]].concat(), &config);
            judge(&[before, &[*byte], rest].concat(), &config);
            judge(&[before, &[*byte, *byte], rest].concat(), &config);
        }
        judge(&[before, b"\r\n", rest].concat(), &config);
        judge(&[before, b"\r\n\r\n", rest].concat(), &config);
    }
    // At the limits, too.
    for headers in 1..5 {
        for size in head.len() - 2..head.len() + 2 {
            config.max_headers = headers;
            config.max_head_size = size;
            judge(head, &config);
            judge(&[head, b"\x81\x80"].concat(), &config);
        }
    }
    assert!(accepted > 200, "{accepted}");
}
