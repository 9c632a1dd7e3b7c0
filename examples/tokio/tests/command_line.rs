//! The command lines and the error texts that all examples share.

use std::time::Duration;

use example_tokio::advice;
use example_tokio::command_line::Listen;
use lexopt::Parser;
use sockless::Deadlines;
use sockless::handshake::ResponseError;

fn read(arguments: &[&str]) -> Result<Option<Listen>, String> {
    let mut parser = Parser::from_args(arguments);
    Listen::read(&mut parser).map_err(|error| error.to_string())
}

#[test]
fn an_address_and_a_timeout() {
    let listen = read(&[]).unwrap().unwrap();
    assert_eq!(listen.address, "127.0.0.1:8080");
    assert_eq!(listen.deadlines, None);
    for arguments in [
        &["[::1]:0", "--timeout", "0.25"][..],
        &["--timeout=0.25", "[::1]:0"],
        &["--timeout", "0.25", "--", "[::1]:0"],
    ] {
        let listen = read(arguments).unwrap().unwrap();
        assert_eq!(listen.address, "[::1]:0");
        let quarter = Duration::from_millis(250);
        let deadlines = Deadlines::new()
            .with_handshake(quarter)
            .with_ping_interval(quarter)
            .with_pong(quarter)
            .with_close(quarter);
        assert_eq!(listen.deadlines, Some(deadlines));
    }
    assert!(read(&["--timeout", "1000000"]).unwrap().is_some());
}

#[test]
fn help_at_any_place() {
    for arguments in [&["--help"][..], &["-h"], &["127.0.0.1:0", "--help", "more"]] {
        assert!(read(arguments).unwrap().is_none(), "{arguments:?}");
    }
}

#[test]
fn wrong_arguments_are_named() {
    for (arguments, named) in [
        (&["--nonsense"][..], "--nonsense"),
        (&["-x"], "-x"),
        (&["127.0.0.1:0", "more"], "\"more\""),
        (&["--timeout"], "--timeout"),
    ] {
        let error = read(arguments).unwrap_err();
        assert!(error.contains(named), "{arguments:?}: {error}");
    }
    for value in [
        "0", "-1", "soon", "", "nan", "inf", "1e-12", "1000001", "1e300",
    ] {
        let error = read(&["--timeout", value]).unwrap_err();
        assert!(error.contains(&format!("{value:?}")), "{error}");
        assert!(error.contains("--timeout needs seconds"), "{error}");
    }
}

#[test]
fn wrong_urls_are_corrected() {
    for (url, advice) in [
        ("http://a:1/b?c", "try ws://a:1/b?c"),
        ("HTTPS://a", "try wss://a"),
        ("127.0.0.1:8080/x", "try ws://127.0.0.1:8080/x"),
        ("localhost", "try ws://localhost"),
        ("ws.example.com", "try ws://ws.example.com"),
        ("ws:/a", "ws://HOST"),
        ("", "ws://HOST"),
        ("http://", "ws://HOST"),
        ("ftp://a", "ws://HOST"),
        ("ws://a b/", "ws://HOST"),
        ("ws://a/#b", "no fragment"),
        ("ws://a@b/", "no user"),
    ] {
        let error = advice::uri(url).unwrap_err();
        assert!(error.starts_with(&format!("{url:?}: ")), "{error}");
        assert!(error.contains(advice), "{url:?}: {error}");
    }
    assert!(advice::uri("wss://a/").is_ok());
    let error = advice::uri_without_tls("wss://a/").unwrap_err();
    assert!(error.contains("TLS"), "{error}");
    assert!(advice::uri_without_tls("ws://a/").is_ok());
}

#[test]
fn a_refusal_is_explained() {
    for (status, header, advice) in [
        (200, None, "this path is no WebSocket"),
        (404, None, "this path is no WebSocket"),
        (401, None, "--header 'Authorization: "),
        (407, None, "--header 'Proxy-Authorization: "),
        (403, None, "forbids"),
        (302, Some(("Location", "/else\u{1b}")), "\"/else\\u{1b}\""),
        (301, None, "elsewhere"),
        (400, None, "version"),
        (426, Some(("Sec-WebSocket-Version", "8, 7")), "\"8, 7\""),
        (503, None, "later"),
        (500, None, "failed"),
        (999, None, "does not want"),
    ] {
        let said = advice::refused(status, |name| {
            header
                .filter(|(known, _)| *known == name)
                .map(|(_, value)| String::from(value))
        });
        assert!(said.starts_with(&format!("refused {status}: ")), "{said}");
        assert!(said.contains(advice), "{said}");
    }
}

#[test]
fn a_wrong_response_is_explained() {
    let malformed = ResponseError::MalformedHead;
    for (error, start, advice) in [
        (malformed, &b"\x15\x03\x03\0\x02"[..], "wss:"),
        (malformed, b"SSH-2", "another protocol"),
        (malformed, b"", "another protocol"),
        (malformed, b"HTTP/1.1 200", "has a fault"),
        (ResponseError::HeadTooLarge, b"", "has a fault"),
        (ResponseError::Accept, b"HTTP/1.1 101", "has a fault"),
        (ResponseError::Timeout, b"", "another protocol"),
    ] {
        let said = advice::broken(error, start);
        assert!(said.contains(advice), "{said}");
        assert!(said.contains(&error.to_string()), "{said}");
    }
}
