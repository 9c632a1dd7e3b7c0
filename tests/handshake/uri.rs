//! WebSocket URIs (RFC 6455 section 3).

use sockless::handshake::{InputError, Uri};
use std::collections::HashSet;

#[test]
fn uris_are_parsed_or_refused() {
    let table = [
        ("ws://example.com", "example.com", 80, "/", None),
        ("wss://example.com", "example.com", 443, "/", None),
        ("WSS://example.com:1/a/b", "example.com", 1, "/a/b", None),
        ("ws://[::1]:65535/?%20", "::1", 65535, "/", Some("%20")),
        ("ws://127.0.0.1?q?r", "127.0.0.1", 80, "/", Some("q?r")),
    ];
    for (text, host, port, path, query) in table {
        let uri = Uri::parse(text).unwrap();
        let secure = text.to_lowercase().starts_with("wss:");
        assert_eq!((uri.is_secure(), uri.host()), (secure, host));
        assert_eq!((uri.port(), uri.path(), uri.query()), (port, path, query));
    }
    for text in [
        "http://example.com",
        "example.com",
        "//example.com",
        "ws:///path",
        "ws://user@example.com/",
        "ws://user:password@example.com/",
        "ws://user:1@example.com/",
        "ws://example.com/#fragment",
        "ws://example.com/path#",
        "ws://example.com:0x50/",
        "ws://example.com:65536/",
        "ws://example.com:-1/",
        "ws://[::1/",
        "ws://::1/",
        "ws://a b/",
        "ws://a/b c",
        "ws://a/%",
        "ws://a/\u{e9}",
        "ws://\u{e9}/",
        "ws://a\\b/",
        "ws://a/\"",
    ] {
        assert_eq!(Uri::parse(text), Err(InputError::Uri), "{text}");
    }
}

/// A `Uri` owns its text.
#[test]
fn a_uri_is_written_as_it_was_read() {
    let mut all = HashSet::new();
    for text in [
        "ws://example.com",
        "ws://example.com/",
        "wss://example.com",
        "wss://Example.com:443/a/b",
        "ws://example.com:80",
        "ws://[2001:db8::1]:9000/?q=%20",
        "ws://[::1]",
        "ws://127.0.0.1?",
        "wss://a%20b/c?d?e/f",
    ] {
        let uri: Uri = text.to_owned().parse().unwrap();
        assert_eq!(uri.to_string(), text);
        assert_eq!(Uri::parse(text), Ok(uri.clone()));
        assert!(all.insert(uri), "{text}");
    }
    // The case of the scheme, an empty port and leading zeros change.
    for (text, written) in [
        ("WSS://example.com", "wss://example.com"),
        ("Ws://example.com:/a", "ws://example.com/a"),
        ("ws://[::1]:", "ws://[::1]"),
        ("ws://a:0080", "ws://a:80"),
    ] {
        let uri: Uri = text.parse().unwrap();
        assert_eq!(uri.to_string(), written);
        assert_eq!(Uri::parse(written), Ok(uri));
    }
    assert_eq!("http://a".parse::<Uri>(), Err(InputError::Uri));
}
