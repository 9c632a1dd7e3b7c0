//! Starts each example program and uses it. Another test, `tests/proxy`, uses `proxy` and `reconnect` with a real proxy and
//! a server of another implementation.

#![allow(clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sockless_tokio::{CloseCode, Message, accept, connect};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// Far longer than any step takes. It only bounds a failure.
const BOUND: Duration = Duration::from_secs(60);

/// The folder of the example programs, which are built first: `cargo test --test examples` does not build them.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = env::current_exe().expect("this program has a path");
        let profile = test.parent().and_then(|deps| deps.parent());
        let profile = profile.expect("the test is in deps");
        let mut build = Command::new(env!("CARGO"));
        build.args([
            "build",
            "--examples",
            "--all-features",
            "--package",
            "sockless-tokio",
        ]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        // Some dependencies are built again if cargo's variables for this test reach the build.
        for (name, _) in env::vars() {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                build.env_remove(name);
            }
        }
        assert!(build.status().expect("cargo runs").success());
        profile.join("examples")
    })
}

/// A running example. It is killed when it is dropped.
struct Example {
    process: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut process = tokio::process::Command::new(folder().join(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let output = process.stdout.take().expect("it is piped");
        Self {
            input: process.stdin.take(),
            lines: BufReader::new(output).lines(),
            process,
        }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(BOUND, self.lines.next_line());
        let line = line.await.expect("a line in time");
        line.expect("UTF-8").expect("another line")
    }

    /// Returns the URL in the first line of a server.
    async fn url(&mut self) -> String {
        let line = self.line().await;
        line.strip_prefix("listening on ").expect("a server").into()
    }

    async fn write(&mut self, text: &str) {
        let input = self.input.as_mut().expect("the input is open");
        input
            .write_all(text.as_bytes())
            .await
            .expect("the program reads");
    }

    /// Ends the input, and waits for the end of the program.
    async fn ends_well(mut self) {
        drop(self.input.take());
        let status = tokio::time::timeout(BOUND, self.process.wait());
        assert!(
            status
                .await
                .expect("an end in time")
                .expect("a status")
                .success()
        );
    }
}

#[tokio::test]
async fn the_echo_servers_answer() {
    for (name, path) in [("echo_server", ""), ("axum_route", "echo")] {
        let mut server = Example::start(name, &["127.0.0.1:0"]);
        let url = server.url().await.replace("http", "ws") + path;
        let mut websocket = connect(&url).await.expect(name);
        for message in [
            Message::from("Hello"),
            Message::from(""),
            Message::from(vec![7; 100_000]),
        ] {
            websocket.send(message.clone()).await.expect(name);
            assert_eq!(websocket.recv().await.expect(name), Some(message));
        }
        websocket.close(CloseCode::NORMAL, "").await.expect(name);
    }
}

#[tokio::test]
async fn the_axum_application_has_a_page() {
    let mut server = Example::start("axum_route", &["127.0.0.1:0"]);
    let url = server.url().await;
    let address = url
        .strip_prefix("http://")
        .and_then(|it| it.strip_suffix('/'));
    let mut transport = TcpStream::connect(address.expect("a URL"))
        .await
        .expect("it listens");
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    transport.write_all(request).await.expect("it reads");
    let mut response = String::new();
    transport
        .read_to_string(&mut response)
        .await
        .expect("it answers");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(
        response.ends_with("The WebSocket is at /echo.\n"),
        "{response}"
    );
}

#[tokio::test]
async fn all_clients_of_the_chat_receive_each_message() {
    let mut server = Example::start("chat", &["127.0.0.1:0"]);
    let url = server.url().await;
    let mut clients = Vec::new();
    for i in 0..3 {
        let mut client = connect(&url).await.expect("it listens");
        // It has subscribed when it receives its own message.
        client.send(format!("{i} joins")).await.expect("it is open");
        clients.push(client);
        for client in &mut clients {
            let message = client.recv().await.expect("a message");
            assert_eq!(message, Some(format!("{i} joins").into()));
        }
    }
    let mut leaving = clients.remove(0);
    leaving
        .close(CloseCode::NORMAL, "")
        .await
        .expect("it answers");
    clients[0].send(vec![0; 10]).await.expect("it is open");
    for client in &mut clients {
        let message = client.recv().await.expect("a message");
        assert_eq!(message, Some("binary data".into()));
    }
}

#[tokio::test]
async fn the_client_sends_and_prints_and_closes() {
    let mut server = Example::start("echo_server", &["127.0.0.1:0"]);
    let mut client = Example::start("client", &[&server.url().await]);
    assert_eq!(client.line().await, "connected");
    for line in ["Hello", "", "你好"] {
        client.write(&format!("{line}\n")).await;
        assert_eq!(client.line().await, line);
    }
    client.ends_well().await;
}

#[tokio::test]
async fn the_client_ends_with_its_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut client = Example::start("client", &[&format!("ws://{address}/")]);
    let (transport, _) = listener.accept().await.expect("the client");
    let mut websocket = accept(transport).await.expect("a request");
    assert_eq!(client.line().await, "connected");
    websocket.send(vec![0; 10]).await.expect("it is open");
    assert_eq!(client.line().await, "10 bytes");
    websocket
        .close(CloseCode::NORMAL, "")
        .await
        .expect("it answers");
    // Its input is still open.
    let status = tokio::time::timeout(BOUND, client.process.wait());
    assert!(
        status
            .await
            .expect("an end in time")
            .expect("a status")
            .success()
    );
}

#[tokio::test]
async fn a_file_arrives_as_it_was() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let [original, copy] = ["upload-original", "upload-copy"].map(|name| folder.join(name));
    let content: Vec<u8> = (0..5_000_000_u32)
        .map(|i| i.wrapping_mul(i).to_le_bytes()[1])
        .collect();
    std::fs::write(&original, &content).expect("a file");
    let copy = copy.to_str().expect("UTF-8");
    let mut server = Example::start("upload_server", &[copy, "127.0.0.1:0"]);
    let url = server.url().await;
    let mut client = Example::start("upload", &[original.to_str().expect("UTF-8"), &url]);
    assert_eq!(server.line().await, "received 5000000 bytes");
    assert_eq!(client.line().await, "sent 5000000 bytes");
    client.ends_well().await;
    server.ends_well().await;
    assert!(std::fs::read(copy).expect("the copy") == content);
}

#[tokio::test]
async fn a_lost_connection_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut client = Example::start("reconnect", &[&format!("ws://{address}/")]);
    for number in 0..3 {
        let (transport, _) = listener.accept().await.expect("the client");
        let mut websocket = accept(transport).await.expect("a request");
        assert_eq!(client.line().await, "connected");
        assert_eq!(
            websocket.recv().await.expect("a message"),
            Some("Hello".into())
        );
        websocket
            .send(format!("number {number}"))
            .await
            .expect("it is open");
        assert_eq!(client.line().await, format!("number {number}"));
        if number == 1 {
            websocket
                .close(CloseCode::SERVICE_RESTART, "later")
                .await
                .expect("it answers");
            let line = client.line().await;
            assert!(
                line.starts_with("closed: ") && line.contains("1012"),
                "{line}"
            );
        } else {
            drop(websocket);
            assert_eq!(
                client.line().await,
                "lost: the peer ended the transport without a Close frame"
            );
        }
    }
    let (transport, _) = listener.accept().await.expect("the client");
    drop(transport);
    assert!(client.line().await.starts_with("not connected: "));
    let (transport, _) = listener.accept().await.expect("the client");
    accept(transport).await.expect("a request");
    assert_eq!(client.line().await, "connected");
}

#[tokio::test]
async fn the_client_ends_if_no_later_attempt_can_succeed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut transport, _) = listener.accept().await.expect("the client");
        let response = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
        transport.write_all(response).await.expect("it reads");
        // Dropping the transport with an unread request would reset it.
        transport.read_to_end(&mut Vec::new()).await
    });
    for url in [&format!("ws://{address}/"), "http://example.com/"] {
        let mut client = Example::start("reconnect", &[url]);
        let status = tokio::time::timeout(BOUND, client.process.wait());
        let status = status.await.expect("an end in time").expect("a status");
        assert_eq!(status.code(), Some(1), "{url}");
    }
}

#[test]
fn the_route_in_the_readme_is_that_of_the_program() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```rust,ignore\n").expect("a route");
    let (route, rest) = rest.split_once("```").expect("the end of the route");
    assert!(include_str!("../../examples/axum_route.rs").contains(route));
    assert!(
        !rest.contains("```rust,ignore"),
        "this code is compiled nowhere"
    );
}
