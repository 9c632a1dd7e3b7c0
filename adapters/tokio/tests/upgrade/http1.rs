//! Over HTTP/1.1.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::support::{SERVERS, Version, frame, head, read};

pub(crate) const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

pub(crate) fn request_with(header: &str) -> String {
    REQUEST.replacen("\r\n", &format!("\r\n{header}\r\n"), 1)
}

/// hyper reads the first frames together with the request.
#[tokio::test(start_paused = true)]
async fn frames_in_the_packet_of_the_request() {
    for server in SERVERS {
        let mut client = server.start(Version::Http1);
        let all = [REQUEST.as_bytes(), &frame(0x81, b"Hi")].concat();
        client.write_all(&all).await.unwrap();
        let head = head(&mut client).await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        let accept = "\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n";
        assert!(head.contains(accept), "{head}");
        assert_eq!(read(&mut client, 4).await, b"\x81\x02Hi");
        client.write_all(&frame(0x82, &[7; 300])).await.unwrap();
        assert_eq!(read(&mut client, 304).await[4..], [7; 300]);
        client.write_all(&frame(0x88, b"\x03\xe8")).await.unwrap();
        client.shutdown().await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"\x88\x02\x03\xe8");
    }
}

#[tokio::test(start_paused = true)]
async fn responses() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let strict = REQUEST.replace("GET /", "GET /strict");
    for (request, status, header) in [
        (get, 200, "content-type: text/plain"),
        (
            &get.replace("GET /", "GET /strict"),
            426,
            "upgrade: websocket",
        ),
        (&strict.replace("GET", "POST"), 405, "allow: get"),
        (&strict.replace("1.1", "1.0"), 505, ""),
        (
            &REQUEST.replace("13", "8"),
            426,
            "sec-websocket-version: 13",
        ),
        (&REQUEST.replace("ZQ==", ""), 400, ""),
        (&request_with("Origin: https://b"), 403, ""),
        (&request_with("Origin: https://a"), 101, ""),
        (&request_with("Sec-WebSocket-Protocol: v3"), 101, ""),
        (
            &request_with("Sec-WebSocket-Protocol: v3, v2, v1"),
            101,
            "sec-websocket-protocol: v2\r\n",
        ),
    ] {
        for server in SERVERS {
            let mut client = server.start(Version::Http1);
            client.write_all(request.as_bytes()).await.unwrap();
            let head = head(&mut client).await;
            let version = if status == 505 { "1.0" } else { "1.1" };
            let start = format!("http/{version} {status} ");
            assert!(head.starts_with(&start), "{server:?}: {request}{head}");
            assert!(head.contains(header), "{server:?}: {request}{head}");
        }
    }
}

/// Without deadlines in the options, the default deadlines apply.
#[tokio::test(start_paused = true)]
async fn deadlines_are_on_by_default() {
    for server in SERVERS {
        let mut client = server.start(Version::Http1);
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        head(&mut client).await;
        let start = Instant::now();
        let ping = read(&mut client, 2).await;
        assert_eq!((ping[0], start.elapsed().as_secs()), (0x89, 20));
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert!((40..60).contains(&start.elapsed().as_secs()));
    }
}
