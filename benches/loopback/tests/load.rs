//! The load finds what a server does wrong.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use sockless_loopback::frame;
use sockless_loopback::load::{Job, Load};

const RESPONSE: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Two bursts of the job are in flight at most.
const JOB: Job = Job {
    size: 200,
    in_flight: 3,
};

/// What a server sends back. It gets the number of the message on its connection and the right answer.
type Answer = fn(usize, Vec<u8>) -> Vec<u8>;

/// A server for messages of up to 65,535 bytes.
fn serve(response: &'static [u8], answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for transport in listener.incoming() {
            let transport = transport.unwrap();
            // An error means that the load has left.
            thread::spawn(move || talk(transport, response, answer));
        }
    });
    address
}

fn talk(mut transport: TcpStream, response: &[u8], answer: Answer) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        transport.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    transport.write_all(response)?;
    for number in 0.. {
        let mut header = [0; 2];
        transport.read_exact(&mut header)?;
        let mut length = usize::from(header[1] & 0x7f);
        if length == 126 {
            let mut bytes = [0; 2];
            transport.read_exact(&mut bytes)?;
            length = u16::from_be_bytes(bytes).into();
        }
        let mut key = [0; 4];
        transport.read_exact(&mut key)?;
        let mut payload = vec![0; length];
        transport.read_exact(&mut payload)?;
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        let echo = answer(number, frame::echo(&payload));
        if echo.is_empty() {
            return Ok(());
        }
        transport.write_all(&echo)?;
    }
    Ok(())
}

fn run(address: SocketAddr) -> Result<f64, String> {
    let mut load = Load::open(address, 2)?;
    let interval = Duration::from_millis(1);
    let run = |load: &mut Load| load.run(JOB, Duration::ZERO, interval, || Ok(Duration::ZERO));
    run(&mut load)?;
    // Everything is back, so a second run is possible.
    Ok(run(&mut load)?.messages)
}

#[test]
fn an_echo_is_right() {
    let messages = run(serve(RESPONSE, |_, echo| echo)).unwrap();
    assert!(messages > 0.0);
}

#[test]
fn everything_else_is_wrong() {
    let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let changed = |number, mut echo: Vec<u8>| {
        *echo.last_mut().unwrap() ^= u8::from(number == 3);
        echo
    };
    let late = |number, echo: Vec<u8>| {
        if number == 3 {
            frame::echo(&echo[4..][..199])
        } else {
            echo
        }
    };
    let cases: [(&'static [u8], Answer, &str); 6] = [
        (refusal, |_, echo| echo, "a wrong response"),
        (
            RESPONSE,
            |_, mut echo| {
                echo[2] ^= 1;
                echo
            },
            "the echo is",
        ),
        (RESPONSE, changed, "a wrong echo"),
        (RESPONSE, late, "a wrong echo"),
        (
            RESPONSE,
            |number, echo| {
                if number == 3 {
                    [&echo[..], b"x"].concat()
                } else {
                    echo
                }
            },
            "more came back",
        ),
        (
            RESPONSE,
            |number, echo| if number == 3 { Vec::new() } else { echo },
            "the server ended",
        ),
    ];
    for (response, answer, expected) in cases {
        let error = run(serve(response, answer)).unwrap_err();
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
}
