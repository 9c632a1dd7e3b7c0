//! fastwebsockets, with the loop of its example `echo_server`. It has no way to queue a message without a write.

use std::convert::Infallible;

use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::with_tokio::{Threads, run};

pub(super) fn serve(threads: Threads) -> Result<(), String> {
    run(threads, open)
}

async fn open(transport: TcpStream) {
    let transport = TokioIo::new(transport);
    let serving = http1::Builder::new()
        .serve_connection(transport, service_fn(answer))
        .with_upgrades();
    // An error means that the client has left.
    _ = serving.await;
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let Ok((response, upgraded)) = upgrade(&mut request) else {
        let mut refusal = Response::new(Empty::new());
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(refusal);
    };
    tokio::spawn(tokio::task::unconstrained(async {
        // An error means that the client has left.
        _ = echo(upgraded).await;
    }));
    Ok(response)
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut stream = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = stream.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => stream.write_frame(frame).await?,
            _ => {}
        }
    }
}
