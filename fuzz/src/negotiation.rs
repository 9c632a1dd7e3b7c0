//! Negotiation over header lists: a client and a server with any wishes understand each other, and any header
//! values are at worst refused (RFC 6455 section 4, RFC 7692 section 7.1). Over HTTP/2 they are judged as over HTTP/1.1
//! (RFC 8441 section 5).

use sockless::handshake::{
    ClientOptions, Header, Request, RequestError, Response, ResponseError, ServerOptions,
};
use sockless::{Deflate, accept_key};

use crate::offers::{Parameters, Wishes, are_subprotocols, elements, is_token, plainly_legal};
use crate::opening;

/// What both sides want, and what somebody else has put into their headers.
#[derive(Debug)]
struct Input<'a> {
    client: Option<Deflate>,
    server: Option<Deflate>,
    offered: Vec<&'a str>,
    known: Vec<&'a str>,
    require_subprotocol: bool,
    extensions: Vec<&'a [u8]>,
    subprotocols: Vec<&'a [u8]>,
}

impl<'a> Input<'a> {
    /// A byte of choices and two bytes of wishes for each side; then header values and names, each behind a byte that
    /// says what it is and one for its length, so that they stand in the input as in a head.
    fn parse(data: &'a [u8]) -> Option<Self> {
        let (&[choices, client, client_takeover, server, server_takeover], mut rest) =
            data.split_first_chunk()?;
        let chooses = |number: u8| choices >> number & 1 != 0;
        let mut input = Self {
            client: chooses(0).then(|| deflate(client, client_takeover)),
            server: chooses(1).then(|| deflate(server, server_takeover)),
            require_subprotocol: chooses(2),
            // Some that both know, since two of a kind are rarely hit upon.
            offered: (0..3)
                .filter(|i| chooses(3 + i))
                .map(|i| COMMON[usize::from(i)])
                .collect(),
            known: COMMON.into_iter().rev().filter(|_| chooses(6)).collect(),
            extensions: Vec::new(),
            subprotocols: Vec::new(),
        };
        while let Some((&[kind, length], tail)) = rest.split_first_chunk() {
            let value;
            (value, rest) = tail.split_at(tail.len().min(length.into()));
            match (kind % 4, str::from_utf8(value)) {
                (0, _) => input.extensions.push(value),
                (1, _) => input.subprotocols.push(value),
                (2, Ok(name)) => input.offered.push(name),
                (_, Ok(name)) => input.known.push(name),
                (_, Err(_)) => {}
            }
        }
        Some(input)
    }
}

const COMMON: [&str; 3] = ["chat", "superchat", "v1.mqtt"];

/// Half a byte for each window, in its range and around it; a bit for each takeover, and one for what is offered.
fn deflate(windows: u8, takeover: u8) -> Deflate {
    Deflate::new()
        .with_max_window_bits(16 - windows % 16 % 10)
        .with_peer_max_window_bits(16 - windows / 16 % 10)
        .with_context_takeover(takeover & 1 == 0)
        .with_peer_context_takeover(takeover & 2 == 0)
        .with_offer_client_max_window_bits(takeover & 4 == 0)
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    own_offer(&input);
    any_offer(&input);
    any_answer(&input);
}

/// What a server answers to our client is accepted by it.
fn own_offer(input: &Input<'_>) {
    let mut asks = asks(input);
    asks.subprotocols = &input.offered;
    let offered = &input.offered;
    let different = (1..offered.len()).all(|i| !offered[..i].contains(&offered[i]));
    let legal = different && offered.iter().all(|name| is_token(name.as_bytes()));
    let mut client = opening::client(&asks);
    let mut over_http2 = opening::http2_client(&asks);
    assert_eq!((client.is_some(), over_http2.is_some()), (legal, legal));
    let (Some(client), Some(over_http2)) = (&mut client, &mut over_http2) else {
        return;
    };
    let common = offered.iter().any(|name| input.known.contains(name));
    let http2 = opening::open(over_http2, &options(input));
    let (server, client) = match opening::open(client, &options(input)) {
        Ok(opened) => opened,
        Err(error) => {
            assert_eq!(http2.err(), Some(error));
            assert_eq!(error, RequestError::NoCommonSubprotocol);
            assert!(input.require_subprotocol && !common);
            return;
        }
    };
    assert!(common || !input.require_subprotocol);
    let client = client.expect("an answer to its own offer");
    let (server_http2, client_http2) = http2.expect("as over HTTP/1.1");
    let client_http2 = client_http2.expect("an answer to its own offer");
    let both = match (&input.client, &input.server) {
        // A server can limit only a client that offers it (RFC 7692 section 7.1.2.2).
        (Some(client), Some(server)) => {
            client.offer_client_max_window_bits || server.peer_max_window_bits >= 15
        }
        _ => false,
    };
    for connection in [client, server, client_http2, server_http2] {
        assert_eq!(connection.uses_deflate(), both);
    }
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
    judged_alike(input, &request);
    let legal = are_subprotocols(&input.subprotocols);
    // The order of the client counts (RFC 6455 section 4.1, item 10).
    let known = |name: &&[u8]| input.known.iter().any(|known| known.as_bytes() == *name);
    let names = elements(&input.subprotocols);
    let common = names.into_iter().filter(|name| is_token(name)).find(known);
    let (answer, connection) = match request.negotiate(&options(input)) {
        Ok(agreed) => agreed,
        Err(RequestError::Subprotocols) => return assert!(!legal),
        Err(RequestError::NoCommonSubprotocol) => {
            return assert!(legal && common.is_none() && input.require_subprotocol);
        }
        Err(error) => {
            assert_eq!(error, RequestError::Extensions);
            return assert!(legal && !plainly_legal(&input.extensions));
        }
    };
    assert!(legal);
    assert_eq!(answer.subprotocol().map(str::as_bytes), common);

    let wishes = input.server.as_ref().map(wishes);
    let first = wishes.and_then(|wishes| {
        let offers = elements(&input.extensions).into_iter();
        let mut offers = offers.filter_map(|offer| Parameters::parse(offer, true));
        offers.find(|offer| offer.can_be_accepted(wishes))
    });
    let headers = answer.headers();
    let mut answers = headers
        .iter()
        .filter(|header| header.is("Sec-WebSocket-Extensions"));
    match (answers.next(), wishes, first) {
        (Some(answer), Some(wishes), Some(offer)) => {
            let text = String::from_utf8_lossy(answer.value);
            let answer = Parameters::parse(answer.value, false);
            offer.assert_answered_by(answer.unwrap_or_else(|| panic!("{text}")), wishes);
        }
        (answer, _, first) => assert!(answer.is_none() && first.is_none(), "{answer:?} {first:?}"),
    }
    assert!(answers.next().is_none());
    let accepted = request.accept(&options(input)).expect("as negotiated");
    for connection in [connection, accepted] {
        assert_eq!(connection.uses_deflate(), first.is_some());
        assert!(connection.output().is_empty(), "an HTTP library answers");
    }
}

/// The same values over HTTP/2 come to the same: the verdict, the headers of the answer, the connection.
fn judged_alike(input: &Input<'_>, request: &Request<'_>) {
    let mut fields = vec![
        header(":method", b"CONNECT"),
        header(":protocol", b"websocket"),
        header(":scheme", b"https"),
        header(":path", b"/"),
        header(":authority", b"localhost"),
        header("sec-websocket-version", b"13"),
    ];
    fields.extend(foreign(input));
    let options = options(input);
    let http2 = Request::extended_connect(fields);
    match (http2.negotiate(&options), request.negotiate(&options)) {
        (Ok((http2, http2_connection)), Ok((http1, http1_connection))) => {
            assert_eq!((http2.status(), http1.status()), (200, 101));
            assert_eq!(http2.subprotocol(), http1.subprotocol());
            let (http2_headers, http1_headers) = (http2.headers(), http1.headers());
            // After the Upgrade, Connection and Accept of HTTP/1.1.
            let rest = &http1_headers[3..];
            assert_eq!(http2_headers.len(), rest.len());
            for (http2, http1) in http2_headers.iter().zip(rest) {
                assert!(http2.is(http1.name) && http2.name == http2.name.to_lowercase());
                assert_eq!(http2.value, http1.value);
            }
            let deflate = http1_connection.uses_deflate();
            assert!(http2_connection.output().is_empty());
            assert_eq!(http2_connection.uses_deflate(), deflate);
        }
        (Err(http2), Err(http1)) => assert_eq!(http2, http1),
        (http2, http1) => panic!("{http2:?}, but over HTTP/1.1 {http1:?}"),
    }
}

/// A client that is answered with any header values opens a connection or fails, for good.
fn any_answer(input: &Input<'_>) {
    let asks = asks(input);
    let mut client = opening::client(&asks).expect("nothing is wrong with the options");
    let accept = accept_key(&opening::key());
    let mut headers = vec![
        header("Upgrade", b"websocket"),
        header("Connection", b"Upgrade"),
        header("Sec-WebSocket-Accept", &accept),
    ];
    headers.extend(foreign(input));
    let mut over_http2 = opening::http2_client(&asks).expect("nothing is wrong with the options");
    let opened = client.establish(Response::new(101, headers.clone()));
    let http2 = over_http2.establish(Response::new(200, foreign(input).collect()));
    let [opened, http2] = [opened, http2].map(|opened| {
        opened.map(|(_, connection)| {
            let connection = connection.expect("that status refuses nothing");
            connection.uses_deflate()
        })
    });
    assert_eq!(http2, opened);
    let agreed = match (&elements(&input.extensions)[..], &input.client) {
        ([], _) => input.extensions.is_empty(),
        ([answer], Some(client)) => {
            Parameters::parse(answer, false).is_some_and(|answer| answer.answers(wishes(client)))
        }
        _ => false,
    };
    // An empty value chooses none, and there may be one line only (RFC 6455 sections 4.1 and 11.3.4).
    let none_chosen = match &input.subprotocols[..] {
        [] => true,
        [value] => value.iter().all(|byte| b" \t".contains(byte)),
        _ => false,
    };
    match opened {
        Ok(deflate) => {
            // No subprotocol was offered.
            assert!(agreed && none_chosen);
            assert_eq!(deflate, !input.extensions.is_empty());
        }
        Err(error) => {
            let plain = plainly_legal(&input.extensions);
            match error {
                // It is the first to be judged.
                ResponseError::Subprotocol => assert!(!none_chosen),
                ResponseError::MalformedExtensions => assert!(!plain),
                ResponseError::ExtensionNotOffered => {
                    assert!(!is_offered(&input.extensions, input.client.as_ref()));
                }
                ResponseError::ExtensionParameters => {
                    assert!(!agreed && is_offered(&input.extensions, input.client.as_ref()));
                }
                error => panic!("{error}"),
            }
            assert!(!(agreed && plain && none_chosen));
            let again = client.establish(Response::new(101, headers)).err();
            assert_eq!(again, Some(error), "an error is final");
        }
    }
}

/// Whether there is one extension, and a client that offered it.
fn is_offered(extensions: &[&[u8]], client: Option<&Deflate>) -> bool {
    let ([extension], Some(_)) = (&elements(extensions)[..], client) else {
        return false;
    };
    let name = extension.split(|byte| *byte == b';').next();
    name.is_some_and(|name| {
        name.trim_ascii()
            .eq_ignore_ascii_case(b"permessage-deflate")
    })
}

fn wishes(deflate: &Deflate) -> Wishes {
    Wishes {
        offers_client_bits: deflate.offer_client_max_window_bits,
        bits: deflate.max_window_bits.clamp(9, 15),
        peer_bits: deflate.peer_max_window_bits.clamp(9, 15),
        takeover: deflate.context_takeover,
        peer_takeover: deflate.peer_context_takeover,
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

/// What a client without subprotocols asks for.
fn asks(input: &Input<'_>) -> ClientOptions<'static> {
    let mut options = ClientOptions::new();
    options.config.deflate.clone_from(&input.client);
    options
}

fn options<'a>(input: &'a Input<'_>) -> ServerOptions<'a> {
    let mut options = ServerOptions::new()
        .with_subprotocols(&input.known)
        .with_require_subprotocol(input.require_subprotocol);
    options.config.deflate.clone_from(&input.server);
    options
}

const fn header<'a>(name: &'a str, value: &'a [u8]) -> Header<'a> {
    Header { name, value }
}
