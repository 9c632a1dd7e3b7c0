//! A chat at `/socket` of a server of hyper, and a page at every other path.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::{env, io};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sockless::handshake::Header;
use sockless_tokio::ServerOptions;
use sockless_tokio::hyper::{is_upgrade_request, upgrade};
use tokio::net::TcpListener;

use chat::Chat;

mod chat;

const HEADERS: &[Header<'_>] = &[
    Header {
        name: "MyCustomHeader",
        value: b":)",
    },
    Header {
        name: "SOME_TUNGSTENITE_HEADER",
        value: b"header_value",
    },
];

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    let chat = Chat::new();
    loop {
        let (transport, peer) = listener.accept().await?;
        let chat = chat.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| async {
                Ok::<_, Infallible>(answer(request, peer, chat.clone()))
            });
            let http = http1::Builder::new();
            let serving = http.serve_connection(TokioIo::new(transport), service);
            if let Err(error) = serving.with_upgrades().await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn answer(mut request: Request<Incoming>, peer: SocketAddr, chat: Chat) -> Response<Full<Bytes>> {
    println!("Received a new, potentially ws handshake");
    println!("The request's path is: {}", request.uri().path());
    println!("The request's headers are:");
    for name in request.headers().keys() {
        println!("* {name}");
    }
    if request.uri() != "/socket" || !is_upgrade_request(&request) {
        return Response::new("Hello World!".into());
    }
    let options = ServerOptions::new().with_headers(HEADERS);
    let (response, on_upgrade) = match upgrade(&mut request, &options) {
        Ok(accepted) => accepted,
        Err(error) => return error.to_http().map(Into::into),
    };
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(websocket) => {
                if let Err(error) = chat.join(websocket, peer).await {
                    eprintln!("{peer}: {error}");
                }
                println!("{peer} disconnected");
            }
            Err(error) => println!("upgrade error: {error}"),
        }
    });
    response.map(|()| Full::default())
}
