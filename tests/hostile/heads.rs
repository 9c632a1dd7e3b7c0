//! Incidents of the opening handshake: the cost of a head, and requests that must be refused.

use std::fmt::Debug;

use sockless::handshake::{Origins, RequestError, ServerHandshake, ServerOptions};
use sockless::{Config, ReadBuffer};

use super::heap::{Heap, NOTHING, measure};
use super::{accept, client, request, response};

/// CVE-2023-43669: another library parsed the whole head again after every read. sockless parses it once, at its end.
/// Here the allocations prove that.
#[test]
fn a_head_in_single_bytes_is_parsed_once() {
    let limit = Config::default().max_head_size;
    let fill = |head: &dyn Fn(&str) -> String| {
        // With 91 more lines, the head has exactly the largest size.
        let lines = "X: y\r\n".repeat(90);
        let rest = limit - head(&format!("{lines}Y: \r\n")).len();
        let filled = head(&format!("{lines}Y: {}\r\n", "z".repeat(rest)));
        assert_eq!(filled.len(), limit);
        filled
    };

    let mut handshake = ServerHandshake::new(&Config::default());
    let (found, cost) = last_byte(&fill(&request), |buffer| {
        let request = handshake.read_request(buffer).unwrap();
        request.map(|request| request.headers().len())
    });
    assert_eq!(found, Some(5 + 91));
    // The headers of the parser, and the headers of the request.
    assert_eq!(cost.allocations, 2);

    let mut client = client(1);
    let head = fill(&|lines| response(&client, lines));
    let (found, _) = last_byte(&head, |buffer| {
        let opened = client.read_response(buffer).unwrap();
        opened.map(|(_, connection)| connection.is_some())
    });
    assert_eq!(found, Some(true));
}

/// Gives the head in single bytes. Returns what `read` finds at the last byte, and its cost. Before that byte it finds
/// and allocates nothing.
fn last_byte<T: Debug + PartialEq>(
    head: &str,
    mut read: impl FnMut(&mut ReadBuffer) -> Option<T>,
) -> (Option<T>, Heap) {
    let (last, before) = head.as_bytes().split_last().unwrap();
    let mut buffer = ReadBuffer::with_capacity(head.len());
    let ((), cost) = measure(|| {
        for byte in before {
            buffer.extend_from_slice(&[*byte]);
            assert_eq!(read(&mut buffer), None);
        }
    });
    assert_eq!(cost, NOTHING);
    buffer.extend_from_slice(&[*last]);
    measure(|| read(&mut buffer))
}

/// CVE-2024-37890: too many header lines crashed another server. sockless refuses the first line over the limit at its
/// end, before or after the headers of the upgrade, and allocates nothing.
#[test]
fn a_flood_of_headers_is_refused_at_the_line_too_many() {
    let flood = "X-Flood: y\r\n".repeat(1000);
    let at_the_end = request("").replace("Host:", &format!("{flood}Host:"));
    for bytes in [request(&flood), at_the_end] {
        let bytes = bytes.as_bytes();
        let mut buffer = ReadBuffer::with_capacity(16 << 10);
        let (refused, heap) = measure(|| {
            let mut handshake = ServerHandshake::new(&Config::default());
            (1..=bytes.len()).find_map(|n| {
                buffer.extend_from_slice(&bytes[n - 1..n]);
                let read = handshake.read_request(&mut buffer);
                read.err().map(|error| (n, error))
            })
        });
        // The start line and 100 headers pass.
        let mut ends = (1..=bytes.len()).filter(|n| bytes[..*n].ends_with(b"\n"));
        let at = ends.nth(101).unwrap();
        let error = RequestError::TooManyHeaders;
        assert_eq!(refused, Some((at, error)));
        assert_eq!(heap, NOTHING);
        assert_eq!(error.status(), 431);
        assert!(error.response().starts_with(b"HTTP/1.1 431 "));
    }
}

/// A peer may send any number of empty lines before a request, and of interim responses before the final one.
#[test]
fn what_is_skipped_takes_no_memory() {
    let mut handshake = ServerHandshake::new(&Config::default());
    let mut buffer = ReadBuffer::with_capacity(4096);
    let ((), heap) = measure(|| {
        for _ in 0..100_000 {
            buffer.extend_from_slice(b"\r\n\r\n\r");
            assert_eq!(handshake.read_request(&mut buffer), Ok(None));
            buffer.extend_from_slice(b"\n");
            assert_eq!(handshake.read_request(&mut buffer), Ok(None));
        }
    });
    assert_eq!(heap, NOTHING);
    assert!(buffer.is_empty());

    let mut client = client(1);
    let mut buffer = ReadBuffer::with_capacity(4096);
    let ((), heap) = measure(|| {
        for _ in 0..10_000 {
            buffer.extend_from_slice(b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n");
            assert!(matches!(client.read_response(&mut buffer), Ok(None)));
            assert!(buffer.is_empty());
        }
    });
    assert_eq!(heap.kept, 0);
    assert_eq!(buffer.capacity(), 4096);
}

/// CVE-2025-30360, CVE-2026-27977: other servers allowed any IP address or `null` as `Origin`, and foreign pages could
/// act for their visitors. By default, sockless allows only pages of the requested host.
#[test]
fn a_page_from_elsewhere_is_refused_unless_it_is_allowed() {
    let serve = |origin: &str, options: &ServerOptions<'_>| {
        let head = request(&format!("Cookie: session=1\r\nOrigin: {origin}\r\n"));
        let head = head.replace("Host: a", "Host: app.example");
        accept(head.as_bytes(), options)
    };
    // The last one is empty.
    let elsewhere = "https://evil.example http://192.0.2.1 http://127.0.0.1 http://[::1]:8080 http://localhost \
        https://example https://sub.app.example https://app.example.evil.example https://evil-app.example \
        https://app.example@evil.example https://evil.example/app.example https://evil.example#app.example \
        https://app.example:8443 ws://app.example file://app.example app.example null * ";
    for origin in elsewhere.split(' ') {
        let refused = serve(origin, &ServerOptions::default()).unwrap_err();
        assert_eq!(refused, RequestError::Origin, "{origin}");
        let response = refused.response();
        assert!(response.starts_with(b"HTTP/1.1 403 Forbidden\r\n"));
        let mut options =
            ServerOptions::new().with_origins(Origins::Only(&["https://app.example"]));
        assert_eq!(serve(origin, &options), Err(RequestError::Origin));
        options.origins = Origins::Any;
        assert_eq!(serve(origin, &options), Ok(()), "{origin}");
    }
    let default = ServerOptions::default();
    assert_eq!(serve("https://app.example", &default), Ok(()));
    let options =
        ServerOptions::new().with_origins(Origins::Only(&["https://evil.example", "null"]));
    for (origin, expected) in [
        ("https://evil.example", Ok(())),
        ("null", Ok(())),
        ("https://app.example", Err(RequestError::Origin)),
    ] {
        assert_eq!(serve(origin, &options), expected, "only these");
    }
}

/// CVE-2026-14631: a malformed `Host` or `Origin` threw an exception and stopped another server. sockless answers every
/// value.
#[test]
fn malformed_values_have_an_answer() {
    let mut odd: Vec<Vec<u8>> = (1..=u8::MAX).map(|byte| vec![byte]).collect();
    let more: [&[u8]; 9] = [
        b"", b"[", b"[]", b"[::1", b"]:80", b"a:-1", b"%", b"%zz", b"http://",
    ];
    let long: [&[u8]; 3] = [b"a:99999999999999999999", b"http://[", b"\xff\xfe://\xff"];
    odd.extend(more.into_iter().chain(long).map(<[u8]>::to_vec));
    for value in odd {
        for name in ["Host", "Origin", "Sec-WebSocket-Protocol"] {
            let head = match name {
                "Host" => request("").replace("Host: a\r\n", ""),
                _ => request(""),
            };
            let (start, rest) = head.split_once("\r\n").unwrap();
            let line = [name.as_bytes(), b": ", &value, b"\r\n"].concat();
            let bytes = [start.as_bytes(), b"\r\n", &line, rest.as_bytes()].concat();
            let options = ServerOptions::new().with_subprotocols(&["a"]);
            let what = format!("{name}: {value:x?}");
            if let Err(error) = accept(&bytes, &options) {
                assert!([400, 403].contains(&error.status()), "{what}: {error}");
            } else {
                // The value is a host, a subprotocol, or an empty list of subprotocols.
                let ascii = value.iter().all(u8::is_ascii_graphic);
                let none = name.ends_with("Protocol") && value.trim_ascii().is_empty();
                assert!((ascii && name != "Origin") || none, "{what}");
            }
        }
    }
}
