//! The opening handshake on a transport.

use std::io::ErrorKind;
use std::time::Duration;

use sockless::Connection;
use sockless::handshake::{Header, RequestError};
use sockless_tokio::{
    AcceptError, Config, Deadlines, Error, Origins, ServerOptions, WebSocket, accept, accept_with,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, sleep};

use crate::support::{REQUEST, echo, head, open, request_with, rest};

/// Sends this to a server with these options. Returns the result of the server, and its response.
async fn ask(
    request: &str,
    options: &ServerOptions<'_>,
) -> (Result<Option<WebSocket<DuplexStream>>, AcceptError>, String) {
    let (ours, mut theirs) = duplex(100_000);
    let serving = accept_with(ours, options, async |request, options| {
        request.accept(options)
    });
    let client = async {
        theirs.write_all(request.as_bytes()).await.unwrap();
        let mut response = head(&mut theirs).await;
        if !response.starts_with("HTTP/1.1 101 ") {
            response += &rest(&mut theirs).await;
        }
        response
    };
    tokio::join!(serving, client)
}

#[tokio::test(start_paused = true)]
async fn frames_in_the_packet_of_the_request() {
    let (ours, mut theirs) = duplex(1000);
    let frames = b"\x81\x82\0\0\0\0Hi\x88\x80\0\0\0\0";
    let all = [REQUEST.as_bytes(), frames].concat();
    theirs.write_all(&all).await.unwrap();
    theirs.shutdown().await.unwrap();
    let mut server = accept(ours).await.unwrap();
    echo(&mut server).await.unwrap();
    drop(server);
    let mut response = Vec::new();
    theirs.read_to_end(&mut response).await.unwrap();
    assert!(response.ends_with(b"\r\n\r\n\x81\x02Hi\x88\x00"));
    let head = String::from_utf8_lossy(&response);
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
}

/// A wrong request gets a response with the right status. Then the server ends its side.
#[tokio::test(start_paused = true)]
async fn refusals() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let body = request_with("Content-Length: 1");
    let origin = request_with("Origin: https://b");
    let many = request_with(&"x: y\r\n".repeat(200));
    let large = request_with(&format!("x: {}", "y".repeat(20_000)));
    for (request, status, error) in [
        ("nonsense\r\n\r\n", 400, RequestError::MalformedHead),
        ("GET / HTTP/1.1\r\n\r\n", 400, RequestError::Host),
        (get, 426, RequestError::NotAnUpgrade),
        (&get.replace("GET", "POST"), 405, RequestError::Method),
        (&get.replace("1.1", "1.0"), 505, RequestError::Http10),
        (
            &REQUEST.replace("13", "8"),
            426,
            RequestError::UnsupportedVersion,
        ),
        (&REQUEST.replace("ZQ==", ""), 400, RequestError::Key),
        (&body, 400, RequestError::Body),
        (&origin, 403, RequestError::Origin),
        (&many, 431, RequestError::TooManyHeaders),
        (&large, 431, RequestError::HeadTooLarge),
    ] {
        let (result, response) = ask(request, &ServerOptions::new()).await;
        let start = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&start), "{error}: {response}");
        match result {
            Err(AcceptError::Refused(found)) => assert_eq!(found, error),
            other => panic!("{error}: {other:?}"),
        }
    }
}

/// By default, pages of the same host may connect.
#[tokio::test(start_paused = true)]
async fn origins() {
    let any = ServerOptions::new().with_origins(Origins::Any);
    for (origin, options, status) in [
        ("http://a", &ServerOptions::new(), 101),
        ("http://b", &ServerOptions::new(), 403),
        ("http://b", &any, 101),
    ] {
        let request = request_with(&format!("Origin: {origin}"));
        let (_, response) = ask(&request, options).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")));
    }
}

#[tokio::test(start_paused = true)]
async fn subprotocols() {
    let options = ServerOptions::new().with_subprotocols(&["v1", "v2"]);
    let request = request_with("Sec-WebSocket-Protocol: v3, v2, v1");
    let (accepted, response) = ask(&request, &options).await;
    assert!(accepted.unwrap().is_some());
    assert!(response.contains("\r\nSec-WebSocket-Protocol: v2\r\n"));
}

#[cfg(feature = "deflate")]
#[tokio::test(start_paused = true)]
async fn compression() {
    let offer = request_with("Sec-WebSocket-Extensions: permessage-deflate");
    let deflate = sockless::Deflate::new();
    let compressed = ServerOptions::new().with_config(Config::new().with_deflate(deflate));
    for (options, agreed) in [(&ServerOptions::new(), false), (&compressed, true)] {
        let (_, response) = ask(&offer, options).await;
        assert_eq!(response.contains("permessage-deflate"), agreed);
    }
}

/// The application answers with a page, and refuses with its own status and its own error.
#[tokio::test(start_paused = true)]
async fn answers_of_the_application() {
    for (target, status, last) in [
        ("/", 200, "<h1>Hello</h1>"),
        ("/private", 401, "log in first\n"),
        ("/closed", 403, ""),
    ] {
        let (ours, mut theirs) = duplex(1000);
        let request = REQUEST.replace("/chat", target);
        theirs.write_all(request.as_bytes()).await.unwrap();
        let html = Header {
            name: "Content-Type",
            value: b"text/html",
        };
        let options = ServerOptions::new();
        let serving = accept_with(ours, &options, async |request, options| {
            let page = match request.target() {
                "/" => request.respond(200, &[html], b"<h1>Hello</h1>")?,
                "/private" => request.respond(401, &[], b"log in first\n")?,
                _ => return Err(RequestError::Origin),
            };
            Ok(Connection::refused(page, &options.config))
        });
        let (result, response) = tokio::join!(serving, rest(&mut theirs));
        if status == 403 {
            assert!(matches!(
                result,
                Err(AcceptError::Refused(RequestError::Origin))
            ));
        } else {
            assert!(result.unwrap().is_none());
        }
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}"
        );
        assert!(response.ends_with(last), "{response}");
    }
}

/// The application asks a database. The client does not wait with its messages.
#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_time() {
    let (ours, mut theirs) = duplex(10_000);
    theirs.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut user = None;
    let options = ServerOptions::new();
    let serving = accept_with(ours, &options, async |request, options| {
        sleep(Duration::from_secs(100)).await;
        user = Some(request.target().to_owned());
        request.accept(options)
    });
    let client = async {
        sleep(Duration::from_secs(1)).await;
        theirs.write_all(b"\x81\x82\0\0\0\0Hi").await.unwrap();
        head(&mut theirs).await
    };
    let (accepted, response) = tokio::join!(serving, client);
    assert!(response.starts_with("HTTP/1.1 101 "));
    let mut server = accepted.unwrap().unwrap();
    assert_eq!(server.recv().await.unwrap().unwrap().as_text(), Some("Hi"));
    assert_eq!(user.as_deref(), Some("/chat"));
}

/// A client sends one byte of its request in each second, or nothing at all. The deadline is 10 s by default.
#[tokio::test(start_paused = true)]
async fn a_slow_request() {
    for sends in [true, false] {
        let (ours, mut theirs) = duplex(1000);
        let start = Instant::now();
        let client = async {
            for byte in REQUEST.bytes().take(if sends { 1000 } else { 0 }) {
                if theirs.write_all(&[byte]).await.is_err() || start.elapsed().as_secs() > 30 {
                    break;
                }
                sleep(Duration::from_secs(1)).await;
            }
            rest(&mut theirs).await
        };
        let serving = async {
            let result = accept(ours).await;
            (result, start.elapsed().as_secs())
        };
        let ((result, seconds), response) = tokio::join!(serving, client);
        assert!(matches!(
            result,
            Err(AcceptError::Refused(RequestError::Timeout))
        ));
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
        // After the response, the client has the deadline for closing: another 10 s.
        assert!((10..=33).contains(&seconds), "{seconds}");
    }
}

/// The server reads no more of a head than its limit and one read.
#[tokio::test(start_paused = true)]
async fn an_endless_head() {
    let config = Config::new().with_max_head_size(1000);
    let options = ServerOptions::new().with_config(config);
    // What is in the transport counts, too.
    let (ours, mut theirs) = duplex(1);
    let serving = accept_with(ours, &options, async |request, options| {
        request.accept(options)
    });
    let client = async {
        theirs.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
        let mut sent = 0;
        // The response comes while the client sends.
        let mut response = [0];
        loop {
            tokio::select! {
                biased;
                _ = theirs.read(&mut response) => break,
                () = sleep(Duration::from_millis(1)) => {}
            }
            theirs.write_all(b"y").await.unwrap();
            sent += 1;
        }
        rest(&mut theirs).await;
        sent
    };
    let (result, sent) = tokio::join!(serving, client);
    assert!(matches!(
        result,
        Err(AcceptError::Refused(RequestError::HeadTooLarge))
    ));
    assert!((900..1100).contains(&sent), "{sent}");
}

/// A client that does not read the response keeps the server for the deadline of closing, and no longer.
#[tokio::test(start_paused = true)]
async fn a_response_that_nobody_reads() {
    let (ours, mut theirs) = duplex(64);
    let start = Instant::now();
    let client = theirs.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (result, written) = tokio::join!(accept(ours), client);
    written.unwrap();
    assert!(matches!(result, Err(AcceptError::Refused(_))));
    let seconds = start.elapsed().as_secs();
    assert!((10..=21).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_its_request() {
    for size in [0, 1, REQUEST.len() - 1] {
        let (ours, mut theirs) = duplex(1000);
        theirs.write_all(&REQUEST.as_bytes()[..size]).await.unwrap();
        drop(theirs);
        assert!(matches!(accept(ours).await, Err(AcceptError::Eof)));
    }
    for kind in [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof] {
        let transport = tokio::io::join(Fails(kind), tokio::io::sink());
        match accept(transport).await.unwrap_err() {
            AcceptError::Transport(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            AcceptError::Eof => assert_eq!(kind, ErrorKind::UnexpectedEof),
            error => panic!("{error}"),
        }
    }
}

/// A client that leaves after its request still gets its messages received.
#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_after_its_request() {
    let (ours, mut theirs) = duplex(1000);
    theirs.write_all(REQUEST.as_bytes()).await.unwrap();
    theirs.write_all(b"\x81\x82\0\0\0\0Hi").await.unwrap();
    drop(theirs);
    let mut server = accept(ours).await.unwrap();
    assert_eq!(server.recv().await.unwrap().unwrap().as_text(), Some("Hi"));
    server.recv().await.unwrap_err();
}

/// Options without deadlines get the default ones. Options with deadlines keep theirs.
#[tokio::test(start_paused = true)]
async fn deadlines_are_on_by_default() {
    let (client, mut server) = open(1000).await;
    let start = Instant::now();
    assert!(matches!(server.recv().await, Err(Error::Timeout(_))));
    // A Ping after 20 s, 20 s for its Pong, and the extra second.
    assert!((40..=42).contains(&start.elapsed().as_secs()));
    drop(client);

    let hour = Duration::from_secs(3600);
    let deadlines = Deadlines::new().with_ping_interval(hour);
    let options = ServerOptions::new().with_config(Config::new().with_deadlines(deadlines));
    let (ours, mut theirs) = duplex(1000);
    theirs.write_all(REQUEST.as_bytes()).await.unwrap();
    let accepted = accept_with(ours, &options, async |request, options| {
        request.accept(options)
    });
    let mut server = accepted.await.unwrap().unwrap();
    let start = Instant::now();
    assert!(matches!(echo(&mut server).await, Err(Error::Timeout(_))));
    assert!(start.elapsed() > hour);
    drop(theirs);
}

/// A reader that always fails.
#[derive(Debug)]
struct Fails(ErrorKind);

impl tokio::io::AsyncRead for Fails {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(self.0.into()))
    }
}
