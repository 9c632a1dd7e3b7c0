//! The lines and the limits of the head of a request (RFC 9112 sections 2 to 5).

use super::{REQUEST, head, opened, serve, serve_cut, split_message};
use sockless::handshake::{RequestError, ServerHandshake, ServerOptions};
use sockless::test_util::cuts_at;
use sockless::{Config, ReadBuffer};

/// Returns after how many bytes the server refuses the request, if it gets single bytes.
fn refused_at(bytes: &[u8], config: &Config) -> Option<(usize, RequestError)> {
    let mut handshake = ServerHandshake::new(config);
    let mut buffer = ReadBuffer::new();
    (1..).zip(bytes).find_map(|(n, byte)| {
        buffer.extend_from_slice(&[*byte]);
        handshake.read_request(&mut buffer).err().map(|e| (n, e))
    })
}
#[test]
fn a_bad_head_is_refused_at_the_byte() {
    let table = [
        ("GET / HTTP/1.1\n", 15),
        ("\n", 1),
        ("GET / HTTP/1.1\r\nA: b\n", 21),
        // A CR is bare if a byte other than LF follows.
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
        let bytes = [request.as_bytes(), b"never read\r\n\r\n"].concat();
        let refused = refused_at(&bytes, &Config::default());
        let error = RequestError::MalformedHead;
        assert_eq!(refused, Some((at, error)), "{request:?}");
        serve_cut(&bytes, &ServerOptions::default()).unwrap_err();
    }
    // A TLS client connects to the wrong port.
    let hello = [0x16, 0x03, 0x01, 0x00];
    assert_eq!(refused_at(&hello, &Config::default()).unwrap().0, 4);
}

#[test]
fn the_head_is_limited() {
    let request = head(REQUEST, &[]);
    let size = request.len();
    let mut options = ServerOptions::default();
    options.config.max_head_size = size;
    // The head just fits. Bytes after it do not count.
    let bytes = [request.as_bytes(), &[0x81; 100]].concat();
    assert_eq!(refused_at(&bytes[..size], &options.config), None);
    assert!(matches!(
        serve(request.as_bytes(), &[], &options),
        Ok(Some(_))
    ));

    // The server refuses the head at the limit if the end is not in the bytes so far.
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

    // The limit of the number of headers is exact.
    let mut options = ServerOptions::default();
    for (count, passes) in [(94, true), (95, true), (96, false), (500, false)] {
        let more: Vec<String> = (0..count).map(|i| format!("X-{i}: y")).collect();
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let request = head(REQUEST, &more);
        let served = serve_cut(request.as_bytes(), &options);
        let expected = passes.then_some(()).ok_or(RequestError::TooManyHeaders);
        assert_eq!(served.map(drop), expected, "{count}");
    }
    options.config.max_headers = 5;
    assert!(serve(request.as_bytes(), &[], &options).is_ok());
    options.config.max_headers = 4;
    assert!(serve(request.as_bytes(), &[], &options).is_err());
}

/// If each read searched the head again, a million reads would take 5 * 10^11 steps.
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

/// The server remembers how far it has searched the first head. It must forget that for the second head.
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
                // A byte follows the whole head, so the server searches it like a head in pieces.
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
    // Empty lines do not count for the limits.
    let mut options = ServerOptions::default();
    let request = head(REQUEST, &[]);
    options.config.max_headers = REQUEST.len() - 1;
    options.config.max_head_size = request.len();
    let request = format!("\r\n{request}");
    opened(
        &serve_cut(request.as_bytes(), &options),
        "empty line, at the limits",
    );
    // A CR alone is not an empty line.
    let config = Config::default();
    let malformed = RequestError::MalformedHead;
    assert_eq!(
        refused_at(b"\rGET / HTTP/1.1\r\n\r\n", &config),
        Some((2, malformed))
    );
}

/// Returns the parts of the request or the error, and the number of unread bytes.
fn result(
    bytes: &[u8],
    cuts: &[usize],
    config: &Config,
) -> (Result<Option<String>, RequestError>, usize) {
    let mut handshake = ServerHandshake::new(config);
    let mut buffer = ReadBuffer::new();
    let mut result = Ok(None);
    for piece in cuts_at(bytes, cuts) {
        buffer.extend_from_slice(piece);
        if result == Ok(None) {
            let request = handshake.read_request(&mut buffer);
            result = request.map(|request| {
                request.map(|request| {
                    let mut values = request.headers().iter().map(|header| header.value);
                    assert!(values.all(|it| it.trim_ascii() == it), "{request:?}");
                    format!("{request:?}")
                })
            });
        }
    }
    (result, buffer.unread().len())
}
/// The code for a whole head differs from the code for a head in pieces. Both must agree if any byte is
/// changed, removed or inserted.
#[test]
fn a_whole_head_gets_the_same_result_as_a_head_in_pieces() {
    let head = b"GET /a HTTP/1.1\r\nHost: a.b:1\r\nX:\t y z \r\nOrigin:\r\n\r\n";
    let mut config = Config::default();
    let (mut accepted, mut refused) = (0, 0);
    let mut compare = |bytes: &[u8], all_cuts: bool, config: &Config| {
        let whole = result(bytes, &[], config);
        let single_bytes = (1..bytes.len()).collect();
        let mut cuts = vec![single_bytes];
        if all_cuts {
            cuts.extend([1, bytes.len() / 2, bytes.len() - 1].map(|cut| vec![cut]));
        }
        for cuts in cuts {
            let found = result(bytes, &cuts, config);
            assert_eq!(found, whole, "{} at {cuts:?}", bytes.escape_ascii());
        }
        accepted += usize::from(matches!(whole.0, Ok(Some(_))));
        refused += usize::from(whole.0.is_err());
    };
    for i in 0..head.len() {
        let (before, rest) = head.split_at(i);
        compare(&[before, &rest[1..]].concat(), true, &config);
        compare(&[before, head].concat(), true, &config);
        for byte in 0..=u8::MAX {
            // These bytes have a meaning in a head, or are next to such a byte.
            let special = b"\0\t\n\r !\",/0:;AHz\x7f\x80\xff".contains(&byte);
            compare(&[before, &[byte], &rest[1..]].concat(), special, &config);
            compare(&[before, &[byte], rest].concat(), special, &config);
            if special {
                compare(&[before, &[byte, byte], rest].concat(), true, &config);
            }
        }
        compare(&[before, b"\r\n", rest].concat(), true, &config);
        compare(&[before, b"\r\n\r\n", rest].concat(), true, &config);
    }
    // The results also agree at the limits.
    for headers in 1..5 {
        for size in head.len() - 2..head.len() + 2 {
            config.max_headers = headers;
            config.max_head_size = size;
            compare(head, true, &config);
            compare(&[head, &b"\x81\x80"[..]].concat(), true, &config);
        }
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} {refused}");
}
