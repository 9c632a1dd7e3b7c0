//! Headers in the types of the crate `http`. The opening handshake in these types is in `handshake/http.rs`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests stop at the first surprise"
)]

use sockless::handshake::Header;

/// `to_map` leaves out what a map cannot hold. It does not panic.
#[test]
fn a_map_holds_valid_headers_only() {
    let headers = [
        ("good", &b"1"[..]),
        ("", b"1"),
        ("two words", b"1"),
        (":path", b"1"),
        ("a", b"1\r\nb: 2"),
        ("Good", b"2"),
        ("x-name", b"caf\xe9"),
    ];
    let map = Header::to_map(&headers.map(|(name, value)| Header { name, value }));
    let all = map
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let expected = [("good", &b"1"[..]), ("good", b"2"), ("x-name", b"caf\xe9")];
    assert_eq!(all.collect::<Vec<_>>(), expected);
    assert_eq!(Header::from_map(&map).len(), expected.len());
}
