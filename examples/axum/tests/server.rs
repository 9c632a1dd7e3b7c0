//! The program as it is started, and as it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use example_tokio::{ConnectError, Message, WebSocket};
use sockless::CloseCode;
use sockless::handshake::ClientOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The program, ended when the test is.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Program {
    fn new(arguments: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_example-axum"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.expect("it starts"))
    }

    /// Starts it and says where it listens.
    fn listening() -> (Self, String) {
        Self::listening_with(&[])
    }

    fn listening_with(arguments: &[&str]) -> (Self, String) {
        let mut program = Self::new(&[&["127.0.0.1:0"], arguments].concat());
        let mut line = String::new();
        let stdout = program.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on http://");
        let address = address.and_then(|it| it.strip_suffix("/\n"));
        let address = address.expect("it says where").to_owned();
        (program, address)
    }

    /// Its status and stderr.
    fn finish(mut self) -> (Option<i32>, String) {
        let status = self.0.wait().unwrap();
        let mut stderr = String::new();
        let mut pipe = self.0.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        (status.code(), stderr)
    }
}

async fn connect(address: &str, path: &str) -> Result<WebSocket<TcpStream>, ConnectError> {
    let transport = TcpStream::connect(address).await.expect("it listens");
    let uri = format!("ws://{address}{path}").parse();
    let uri = uri.expect("a valid address");
    WebSocket::connect(transport, &uri, &ClientOptions::new()).await
}

/// What the server says until it closes, which it does when asked to.
async fn ask(address: &str, request: &str) -> String {
    let mut transport = TcpStream::connect(address).await.unwrap();
    transport.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    transport.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn echoes() {
    let (_program, address) = Program::listening();
    let mut client = connect(&address, "/").await.unwrap();
    for length in [0, 1, 125, 126, 70_000] {
        for message in [
            Message::Text("x".repeat(length)),
            Message::Binary(vec![7; length]),
        ] {
            client.send(&message).await.unwrap();
            assert!(client.recv().await == Some(message), "{length}");
        }
    }
    client.close(CloseCode::NORMAL, "enough").await.unwrap();
    assert!(client.close_event().unwrap().was_clean);
}

/// What comes in the same packet as the request has been read by hyper.
#[tokio::test]
async fn frames_right_behind_the_request() {
    let (_program, address) = Program::listening();
    let mut all = UPGRADE.as_bytes().to_vec();
    all.extend(b"\x81\x82\0\0\0\0Hi\x88\x80\0\0\0\0");
    let mut transport = TcpStream::connect(&address).await.unwrap();
    transport.write_all(&all).await.unwrap();
    let mut answer = Vec::new();
    transport.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    assert!(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{text}");
    assert!(answer.ends_with(b"\r\n\r\n\x81\x02Hi\x88\x00"), "{text}");
}

#[tokio::test]
async fn other_routes_and_refusals() {
    let (_program, address) = Program::listening();
    let plain = "Host: a\r\nConnection: close\r\n\r\n";
    let answer = ask(&address, &format!("GET / HTTP/1.1\r\n{plain}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = ask(&address, &format!("GET /about HTTP/1.1\r\n{plain}")).await;
    assert!(answer.ends_with("axum application\n"), "{answer}");
    let answer = ask(&address, &format!("GET /nowhere HTTP/1.1\r\n{plain}")).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");

    let old = UPGRADE.replace("Version: 13", "Version: 8");
    let old = old.replace("Connection: Upgrade", "Connection: Upgrade, close");
    let answer = ask(&address, &old).await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    let answer = answer.to_ascii_lowercase();
    assert!(
        answer.contains("\r\nsec-websocket-version: 13\r\n"),
        "{answer}"
    );

    let refused = connect(&address, "/nowhere").await;
    assert!(matches!(refused, Err(ConnectError::Refused(404))));
}

/// It has as long as `--timeout` says, and not the 10 seconds that hyper would get otherwise.
#[tokio::test]
async fn a_request_that_never_ends() {
    let (_program, address) = Program::listening_with(&["--timeout", "0.5"]);
    let start = Instant::now();
    ask(&address, "GET / HTTP/1.1\r\nHo").await;
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[tokio::test]
async fn a_signal_ends_it() {
    let (program, address) = Program::listening();
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(connect(&address, "/").await.unwrap());
    }
    let idle = TcpStream::connect(&address).await.unwrap();
    let killed = Command::new("kill")
        .arg(program.0.id().to_string())
        .status();
    assert!(killed.unwrap().success());
    for client in &mut clients {
        assert_eq!(client.recv().await, None);
        let ending = client.close_event().unwrap();
        assert_eq!(ending.code, CloseCode::GOING_AWAY);
        assert!(ending.was_clean);
    }
    assert_eq!(program.finish(), (Some(0), String::new()));
    drop(idle);
}

#[tokio::test]
async fn wrong_arguments() {
    let (_program, address) = Program::listening();
    for (arguments, says) in [
        (vec!["--nonsense"], "--nonsense"),
        (vec!["127.0.0.1:0", "more"], "more"),
        (vec![address.as_str()], address.as_str()),
    ] {
        let (status, stderr) = Program::new(&arguments).finish();
        assert_eq!(status, Some(2));
        assert!(stderr.contains(says), "{stderr}");
    }
    assert_eq!(Program::new(&["--help"]).finish().0, Some(0));
}
