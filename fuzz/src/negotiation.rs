//! Negotiation over header lists: a client and a server with any wishes understand each other, and any header
//! values are at worst refused (RFC 6455 section 4, RFC 7692 section 7.1).

use arbitrary::Arbitrary;
use sockless::Deflate;
use sockless::handshake::{
    ClientOptions, Header, Opening, Request, Response, ResponseError, ServerOptions, accept_key,
};

use crate::input::structured;
use crate::opening;

/// What both sides want, and what somebody else has put into their headers.
#[derive(Debug, Arbitrary)]
struct Input<'a> {
    client: Option<Deflate>,
    server: Option<Deflate>,
    offered: Vec<&'a str>,
    known: Vec<&'a str>,
    require_subprotocol: bool,
    extensions: Vec<&'a [u8]>,
    subprotocols: Vec<&'a [u8]>,
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = structured::<Input<'_>>(data) else {
        return;
    };
    own_offer(&input);
    any_offer(&input);
    any_answer(&input);
}

/// What a server answers to our client is accepted by it.
fn own_offer(input: &Input<'_>) {
    let mut asks = ClientOptions::default();
    asks.config.deflate = input.client;
    asks.subprotocols = &input.offered;
    let Some(mut client) = opening::client(&asks) else {
        // A subprotocol that is no token, or stands there twice.
        return;
    };
    let (server, client) = match opening::open(&mut client, &options(input)) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(input.require_subprotocol, "{error}");
            return;
        }
    };
    let client = client.expect("an answer to its own offer");
    assert_eq!(client.is_deflate_agreed(), server.is_deflate_agreed());
    assert!(!client.is_deflate_agreed() || input.client.is_some() && input.server.is_some());
}

/// A server that is offered any header values answers with what stands in them, or refuses.
fn any_offer(input: &Input<'_>) {
    let mut headers = vec![
        header("Host", b"localhost"),
        header("Upgrade", b"websocket"),
        header("Connection", b"Upgrade"),
        header("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        header("Sec-WebSocket-Version", b"13"),
    ];
    headers.extend(foreign(input));
    let request = Request::new("GET", "/", headers);
    let Ok(agreed) = request.negotiate(&options(input)) else {
        return;
    };
    if let Some(chosen) = agreed.subprotocol() {
        assert!(input.known.contains(&chosen));
        assert!(request.subprotocols().any(|offer| offer == chosen));
    }
    let answer = agreed.headers();
    let extensions = answer
        .iter()
        .filter(|header| header.is("Sec-WebSocket-Extensions"));
    for extension in extensions {
        let text = str::from_utf8(extension.value).expect("ASCII");
        assert!(text.starts_with("permessage-deflate"), "{text}");
        for parameter in text.split("; ").skip(1) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "server_no_context_takeover" | "client_no_context_takeover" => {
                    assert_eq!(value, "")
                }
                "server_max_window_bits" | "client_max_window_bits" => {
                    // What cannot be kept to is never answered.
                    let bits: u8 = value.parse().expect("a number");
                    assert!((9..=15).contains(&bits), "{text}");
                }
                _ => panic!("{text}"),
            }
        }
    }
    drop(agreed.accept());
}

/// A client that is answered with any header values opens a connection or fails, for good.
fn any_answer(input: &Input<'_>) {
    let mut asks = ClientOptions::default();
    asks.config.deflate = input.client;
    let mut client = opening::client(&asks).expect("nothing is wrong with the options");
    let accept = accept_key(&crate::key());
    let mut headers = vec![
        header("Upgrade", b"websocket"),
        header("Connection", b"Upgrade"),
        header("Sec-WebSocket-Accept", &accept),
    ];
    headers.extend(foreign(input));
    let opened =
        client
            .establish(Response::new(101, headers.clone()))
            .map(|opening| match opening {
                Opening::Established { connection, .. } => connection.is_deflate_agreed(),
                Opening::Refused(_) => panic!("a 101 refuses nothing"),
            });
    match opened {
        Ok(deflate) => assert!(!deflate || input.client.is_some()),
        Err(error) => {
            assert!(
                matches!(
                    error,
                    ResponseError::Extensions | ResponseError::Subprotocol
                ),
                "{error}"
            );
            let again = client.establish(Response::new(101, headers)).err();
            assert_eq!(again, Some(error), "an error is final");
        }
    }
}

fn foreign<'a>(input: &'a Input<'_>) -> impl Iterator<Item = Header<'a>> {
    let extensions = input
        .extensions
        .iter()
        .map(|value| header("Sec-WebSocket-Extensions", value));
    let subprotocols = input
        .subprotocols
        .iter()
        .map(|value| header("Sec-WebSocket-Protocol", value));
    extensions.chain(subprotocols)
}

fn options<'a>(input: &'a Input<'_>) -> ServerOptions<'a> {
    let mut options = ServerOptions::default();
    options.config.deflate = input.server;
    options.subprotocols = &input.known;
    options.require_subprotocol = input.require_subprotocol;
    options
}

const fn header<'a>(name: &'a str, value: &'a [u8]) -> Header<'a> {
    Header { name, value }
}
