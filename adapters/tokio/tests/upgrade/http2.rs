//! Over HTTP/2: each WebSocket is a stream.

use http::HeaderValue;

use crate::support::{Client, SERVERS, Version, connect, frame};

/// The client sends frames before it knows the response.
#[tokio::test(start_paused = true)]
async fn several_websockets_on_one_connection() {
    for server in SERVERS {
        let mut client = Client::new(server.start(Version::Http2)).await;
        let mut streams = Vec::new();
        for number in 0..10 {
            let first = frame(0x81, &[b'0' + number]);
            let (response, stream) = client.ask(connect("/", "websocket"), &first).await;
            assert_eq!(response.status, 200);
            streams.push((number, stream));
        }
        for (number, stream) in &mut streams {
            assert_eq!(stream.read(3).await, [0x81, 1, b'0' + *number]);
            // More than a window.
            stream.send(&frame(0x82, &vec![*number; 70_000]));
            assert_eq!(stream.read(70_010).await[10..], vec![*number; 70_000]);
            stream.send(&frame(0x88, b"\x03\xe8"));
        }
        for (_, stream) in &mut streams {
            // The Close frame, and the end of the stream.
            assert_eq!(stream.read(5).await, b"\x88\x02\x03\xe8");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn responses() {
    for server in SERVERS {
        let mut client = Client::new(server.start(Version::Http2)).await;
        let get = |path| http::Request::get(format!("https://a{path}"));
        let websocket = |path| connect(path, "websocket");
        let mut old = websocket("/");
        let headers = old.headers_mut().unwrap();
        headers.insert("sec-websocket-version", HeaderValue::from_static("8"));
        for (request, status, header) in [
            (get("/"), 200, None),
            (get("/strict"), 405, Some(("allow", "CONNECT"))),
            (connect("/", "connect-udp"), 200, None),
            (connect("/strict", "connect-udp"), 501, None),
            (old, 400, Some(("sec-websocket-version", "13"))),
            (websocket("/").header("origin", "https://b"), 403, None),
            (websocket("/").header("origin", "https://a"), 200, None),
            (
                websocket("/strict").header("sec-websocket-protocol", "v3, v2, v1"),
                200,
                Some(("sec-websocket-protocol", "v2")),
            ),
        ] {
            let asked = format!("{server:?}: {request:?}");
            let (response, _) = client.ask(request, b"").await;
            assert_eq!(response.status, status, "{asked}");
            if let Some((name, value)) = header {
                assert_eq!(response.headers[name], value, "{asked}");
            }
            assert!(!response.headers.contains_key("upgrade"), "{asked}");
        }
    }
}
