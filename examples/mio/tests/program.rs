//! The program as it is started: its argument, and too few files.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use sockless::test_util::{Frame, Role};

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-mio");

fn run(arguments: &[&OsStr]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

#[test]
fn says_what_is_wrong_with_its_argument() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (arguments, complaint) in [
        (
            &[OsStr::new("--port")][..],
            "invalid option '--port'\nusage: mio [ADDRESS]",
        ),
        (
            &[OsStr::new("127.0.0.1:0"), OsStr::new("more")],
            "unexpected argument \"more\"\nusage: ",
        ),
        (&[OsStr::new("nowhere")], "\"nowhere\" is no address: "),
        (
            &[OsStr::from_bytes(b"\xff")],
            "argument is invalid unicode: \"\\xFF\"\nusage: ",
        ),
        (
            &[OsStr::new(&taken)],
            &format!("cannot listen on {taken}: "),
        ),
    ] {
        let output = run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with(&format!("mio: {complaint}")), "{stderr}");
        assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]));
    }
    let output = run(&[OsStr::new("--help")]);
    assert!(output.stdout.starts_with(b"usage: mio [ADDRESS] "));
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn who_finds_no_file_left_is_accepted_later() {
    let mut server = Server(
        Command::new("sh")
            .args(["-c", "ulimit -n 24 && exec \"$0\" 127.0.0.1:0", PROGRAM])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut first = String::new();
    let stdout = server.0.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut first).unwrap();
    let address = first.strip_prefix("listening on http://").unwrap();
    let address = address.strip_suffix("/\n").unwrap();

    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let message = Frame::new(0x82, "hello").encode(Role::Server);
    let clients: Vec<_> = (0..60)
        .map(|_| {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(request.as_bytes()).unwrap();
            client.write_all(&message).unwrap();
            client
        })
        .collect();
    for mut client in clients {
        client
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\x82\x05hello") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            answer.extend_from_slice(&byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        // It leaves its file to another.
    }
    assert_eq!(server.0.try_wait().unwrap(), None);
    _ = server.0.kill();
    let mut complaints = String::new();
    let mut stderr = server.0.stderr.take().unwrap();
    stderr.read_to_string(&mut complaints).unwrap();
    assert!(complaints.starts_with("cannot accept: "));
}
