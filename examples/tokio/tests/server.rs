//! The server program as it is started, and as it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use example_tokio::server::{echo, serve};
use example_tokio::{AcceptError, ConnectError, Message, WebSocket};
use sockless::handshake::{ClientOptions, Request, ServerOptions};
use sockless::{CloseCode, Config, Connection, Deadlines, ReadBuffer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

const CLOSE: Duration = Duration::from_millis(500);

fn options() -> ServerOptions<'static> {
    let deadlines = Deadlines::new().with_close(CLOSE);
    ServerOptions::new().with_config(Config::new().with_deadlines(deadlines))
}

fn accept(request: &Request<'_>) -> Connection {
    request.accept(&options()).expect("a good request")
}

async fn connect(address: &str) -> Result<WebSocket<TcpStream>, ConnectError> {
    let transport = TcpStream::connect(address).await.expect("it listens");
    let uri = format!("ws://{address}/").parse();
    let uri = uri.expect("a valid address");
    WebSocket::connect(transport, &uri, &ClientOptions::new()).await
}

async fn exchange(client: &mut WebSocket<TcpStream>) {
    let hello = Message::Text("hello".into());
    client.send(&hello).await.expect("it is open");
    assert_eq!(client.recv().await, Some(hello));
}

#[tokio::test]
async fn it_ends_when_its_clients_have() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let end = async { _ = ended.await };
        serve(listener, end, async |transport, ending| {
            let accepted = WebSocket::accept(transport, &options().config, accept).await;
            if let Ok(websocket) = accepted {
                echo(websocket, ending).await;
            }
        })
        .await;
    });

    // Some that answer, one that does not, one that does not even read.
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(connect(&address).await.unwrap());
    }
    for client in &mut clients {
        exchange(client).await;
    }
    let silent = connect(&address).await.unwrap();
    let mut flooding = connect(&address).await.unwrap();
    let flood = Message::Binary(vec![0; 1 << 20]);
    while timeout(CLOSE, flooding.send(&flood)).await.is_ok() {}

    let start = Instant::now();
    end.send(()).unwrap();
    let clients = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            assert_eq!(client.recv().await, None);
            let ending = client.close_event().unwrap();
            assert_eq!(ending.code, CloseCode::GOING_AWAY);
            assert!(ending.was_clean);
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    assert!(!serving.is_finished(), "there are those that do not answer");
    TcpStream::connect(&address)
        .await
        .expect_err("it listens no more");
    timeout(CLOSE * 20, serving).await.unwrap().unwrap();
    assert!(start.elapsed() >= CLOSE);
    drop((silent, flooding));
}

#[tokio::test]
async fn a_connection_made_elsewhere() {
    // What was read behind the opening handshake is not lost.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _peer = TcpStream::connect(address).await.unwrap();
    let (transport, _) = listener.accept().await.unwrap();
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(b"\x81\x82\0\0\0\0Hi");
    let mut server = WebSocket::new(transport, Connection::server(&options().config), buffer);
    assert_eq!(server.recv().await, Some(Message::Text("Hi".into())));
}

#[tokio::test]
async fn a_client_that_leaves_during_its_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    drop(peer);
    let (transport, _) = listener.accept().await.unwrap();
    let accepted = WebSocket::accept(transport, &options().config, accept).await;
    assert!(matches!(accepted, Err(AcceptError::Io(_))));
}

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
        let child = Command::new(env!("CARGO_BIN_EXE_example-tokio"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.expect("it starts"))
    }

    /// Starts it and says where it listens.
    fn listening() -> (Self, String) {
        let mut program = Self::new(&["127.0.0.1:0"]);
        let mut line = String::new();
        let stdout = program.0.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on http://");
        let address = address.and_then(|it| it.strip_suffix("/\n"));
        let address = address.expect("it says where").to_owned();
        (program, address)
    }

    /// Its status, stdout and stderr.
    fn finish(mut self) -> (Option<i32>, String, String) {
        let status = self.0.wait().unwrap();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        if let Some(mut pipe) = self.0.stdout.take() {
            pipe.read_to_string(&mut stdout).unwrap();
        }
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_string(&mut stderr).unwrap();
        }
        (status.code(), stdout, stderr)
    }
}

#[tokio::test]
async fn signals_end_it() {
    for signal in ["TERM", "INT"] {
        let (program, address) = Program::listening();
        let mut client = connect(&address).await.unwrap();
        exchange(&mut client).await;
        // This one has not asked for anything yet.
        let waiting = TcpStream::connect(&address).await.unwrap();
        let killed = Command::new("kill")
            .args(["-s", signal, &program.0.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        assert_eq!(client.recv().await, None);
        assert_eq!(client.close_event().unwrap().code, CloseCode::GOING_AWAY);
        let (status, _, stderr) = program.finish();
        assert_eq!((status, stderr.as_str()), (Some(0), ""));
        drop(waiting);
    }
}

#[tokio::test]
async fn plain_http() {
    let (_program, address) = Program::listening();
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 "),
        ("nonsense\r\n\r\n", "HTTP/1.1 400 "),
    ] {
        let mut transport = TcpStream::connect(&address).await.unwrap();
        transport.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        transport.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(status), "{answer}");
    }
}

#[tokio::test]
async fn wrong_arguments() {
    let (_program, address) = Program::listening();
    for (arguments, says) in [
        (vec!["--nonsense"], "--nonsense"),
        (vec!["127.0.0.1:0", "more"], "more"),
        (vec!["nowhere"], "nowhere"),
        (vec![address.as_str()], address.as_str()),
    ] {
        let (status, stdout, stderr) = Program::new(&arguments).finish();
        assert_eq!((status, stdout.as_str()), (Some(2), ""));
        assert!(stderr.contains(says), "{stderr}");
    }
    let (status, stdout, stderr) = Program::new(&["--help"]).finish();
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("usage: "), "{stdout}");
}

/// Everything still works while hundreds are there at once.
#[tokio::test]
async fn many_clients() {
    let (_program, address) = Program::listening();
    let mut clients = Vec::new();
    for _ in 0..300 {
        clients.push(connect(&address).await.unwrap());
    }
    sleep(Duration::from_millis(10)).await;
    for client in &mut clients {
        exchange(client).await;
    }
}
