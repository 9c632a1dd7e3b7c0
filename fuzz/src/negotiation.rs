//! Negotiation over lists of headers. A client and a server with any options understand each other. Any header values are
//! refused at worst (RFC 6455, section 4; RFC 7692, section 7.1). HTTP/2 gets the same verdicts as HTTP/1.1 (RFC 8441,
//! section 5).

use sockless::handshake::{
    ClientOptions, Header, Request, RequestError, Response, ResponseError, ServerOptions,
};
use sockless::{Deflate, accept_key};

use crate::offers::{Options, Parameters, are_subprotocols, elements, is_token, plainly_legal};
use crate::opening;

/// The options of both sides, and header values from somewhere else.
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
    /// Reads one byte of choices and two bytes of options for each side. Then come header values and names. Each follows a
    /// byte for its kind and a byte for its length.
    fn parse(data: &'a [u8]) -> Option<Self> {
        let (&[choices, client, client_takeover, server, server_takeover], mut rest) =
            data.split_first_chunk()?;
        let chooses = |number: u8| choices >> number & 1 != 0;
        let mut input = Self {
            client: chooses(0).then(|| deflate(client, client_takeover)),
            server: chooses(1).then(|| deflate(server, server_takeover)),
            require_subprotocol: chooses(2),
            // A fuzzer seldom finds the same name twice, so both sides can have these.
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

    /// The options of a client that offers no subprotocol.
    fn client_options(&self) -> ClientOptions<'static> {
        let mut options = ClientOptions::new();
        options.config.deflate.clone_from(&self.client);
        options
    }

    fn server_options(&self) -> ServerOptions<'_> {
        let mut options = ServerOptions::new()
            .with_subprotocols(&self.known)
            .with_require_subprotocol(self.require_subprotocol);
        options.config.deflate.clone_from(&self.server);
        options
    }

    /// The headers with the values of the input.
    fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        let name = "Sec-WebSocket-Extensions";
        let extensions = self.extensions.iter().map(|value| Header { name, value });
        let name = "Sec-WebSocket-Protocol";
        let subprotocols = self.subprotocols.iter().map(|value| Header { name, value });
        extensions.chain(subprotocols)
    }

    /// A legal request with these headers.
    fn request(&self) -> Request<'_> {
        let mut headers = headers(&[
            ("Host", "localhost"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ]);
        headers.extend(self.headers());
        Request::new("GET", "/", headers)
    }

    /// The same request over HTTP/2.
    fn http2_request(&self) -> Request<'_> {
        let mut headers = headers(&[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", "/"),
            (":authority", "localhost"),
            ("sec-websocket-version", "13"),
        ]);
        headers.extend(self.headers());
        Request::extended_connect(headers)
    }
}

const COMMON: [&str; 3] = ["chat", "superchat", "v1.mqtt"];

/// Half a byte for each window, in its range and around it, one bit for each takeover, and one bit for the offer.
fn deflate(windows: u8, takeover: u8) -> Deflate {
    Deflate::new()
        .with_max_window_bits(16 - windows % 16 % 10)
        .with_peer_max_window_bits(16 - windows / 16 % 10)
        .with_context_takeover(takeover & 1 == 0)
        .with_peer_context_takeover(takeover & 2 == 0)
        .with_offer_client_max_window_bits(takeover & 4 == 0)
}

fn headers<'a>(headers: &[(&'a str, &'a str)]) -> Vec<Header<'a>> {
    let header = |(name, value): &(&'a str, &'a str)| Header {
        name,
        value: value.as_bytes(),
    };
    headers.iter().map(header).collect()
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    own_offer(&input);
    any_offer(&input);
    http2_offer(&input);
    any_answer(&input);
}

/// Our client accepts every answer of our server.
fn own_offer(input: &Input<'_>) {
    let mut asks = input.client_options();
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
    let http2 = opening::open(over_http2, &input.server_options());
    let (server, client) = match opening::open(client, &input.server_options()) {
        Ok(opened) => opened,
        Err(error) => {
            assert_eq!(http2.err(), Some(error));
            assert_eq!(error, RequestError::NoCommonSubprotocol);
            assert!(input.require_subprotocol && !common);
            return;
        }
    };
    assert!(common || !input.require_subprotocol);
    let client = client.expect("the answer is to its own offer");
    let (server_http2, client_http2) = http2.expect("HTTP/1.1 accepts");
    let client_http2 = client_http2.expect("the answer is to its own offer");
    let both = match (&input.client, &input.server) {
        // A server can limit the window of a client only if the client offers that (RFC 7692, section 7.1.2.2).
        (Some(client), Some(server)) => {
            client.offer_client_max_window_bits || server.peer_max_window_bits >= 15
        }
        _ => false,
    };
    for connection in [client, server, client_http2, server_http2] {
        assert_eq!(connection.uses_deflate(), both);
    }
}

/// A server accepts only what the header values offer, or refuses them.
fn any_offer(input: &Input<'_>) {
    let request = input.request();
    let legal = are_subprotocols(&input.subprotocols);
    // The client lists subprotocols in order of preference (RFC 6455, section 4.1, item 10).
    let known = |name: &&[u8]| input.known.iter().any(|known| known.as_bytes() == *name);
    let names = elements(&input.subprotocols);
    let common = names.into_iter().filter(|name| is_token(name)).find(known);
    let (answer, connection) = match request.negotiate(&input.server_options()) {
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

    let options = input.server.as_ref().map(options);
    let first = options.and_then(|options| {
        let offers = elements(&input.extensions).into_iter();
        let mut offers = offers.filter_map(|offer| Parameters::parse(offer, true));
        offers.find(|offer| offer.can_be_accepted(options))
    });
    let headers = answer.headers();
    let mut answers = headers
        .iter()
        .filter(|header| header.is("Sec-WebSocket-Extensions"));
    match (answers.next(), options, first) {
        (Some(answer), Some(options), Some(offer)) => {
            let text = String::from_utf8_lossy(answer.value);
            let answer = Parameters::parse(answer.value, false);
            offer.assert_answered_by(answer.unwrap_or_else(|| panic!("{text}")), options);
        }
        (answer, _, first) => assert!(answer.is_none() && first.is_none(), "{answer:?} {first:?}"),
    }
    assert!(answers.next().is_none());
    let accepted = request
        .accept(&input.server_options())
        .expect("`negotiate` accepts");
    for connection in [connection, accepted] {
        assert_eq!(connection.uses_deflate(), first.is_some());
        assert!(
            connection.output().is_empty(),
            "the HTTP library sends the response"
        );
    }
}

/// The same offer over HTTP/2 gets the same verdict, answer and connection.
fn http2_offer(input: &Input<'_>) {
    let options = input.server_options();
    let (request, http2) = (input.request(), input.http2_request());
    match (http2.negotiate(&options), request.negotiate(&options)) {
        (Ok((http2, http2_connection)), Ok((http1, http1_connection))) => {
            assert_eq!((http2.status(), http1.status()), (200, 101));
            assert_eq!(http2.subprotocol(), http1.subprotocol());
            let (http2_headers, http1_headers) = (http2.headers(), http1.headers());
            // HTTP/1.1 has Upgrade, Connection and Sec-WebSocket-Accept first.
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
        (http2, http1) => panic!("HTTP/2: {http2:?}, HTTP/1.1: {http1:?}"),
    }
}

/// A client that gets any header values opens a connection or fails. The error is final.
fn any_answer(input: &Input<'_>) {
    let asks = input.client_options();
    let mut client = opening::client(&asks).expect("the options are legal");
    let accept = accept_key(&opening::key());
    let accept = str::from_utf8(&accept).expect("Base64");
    let mut headers = headers(&[
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept),
    ]);
    headers.extend(input.headers());
    let mut over_http2 = opening::http2_client(&asks).expect("the options are legal");
    let opened = client.establish(Response::new(101, headers.clone()));
    let http2 = over_http2.establish(Response::new(200, input.headers().collect()));
    let [opened, http2] = [opened, http2].map(|opened| {
        opened.map(|(_, connection)| {
            let connection = connection.expect("the status accepts");
            connection.uses_deflate()
        })
    });
    assert_eq!(http2, opened);
    let agreed = match (&elements(&input.extensions)[..], &input.client) {
        ([], _) => input.extensions.is_empty(),
        ([answer], Some(client)) => {
            Parameters::parse(answer, false).is_some_and(|answer| answer.answers(options(client)))
        }
        _ => false,
    };
    // An empty value chooses none. Only one line is legal (RFC 6455, sections 4.1 and 11.3.4).
    let none_chosen = match &input.subprotocols[..] {
        [] => true,
        [value] => value.iter().all(|byte| b" \t".contains(byte)),
        _ => false,
    };
    match opened {
        Ok(deflate) => {
            // The client offers no subprotocol.
            assert!(agreed && none_chosen);
            assert_eq!(deflate, !input.extensions.is_empty());
        }
        Err(error) => {
            let plain = plainly_legal(&input.extensions);
            match error {
                // The subprotocol gets the first verdict.
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

/// Whether there is one extension, and the client offers it.
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

fn options(deflate: &Deflate) -> Options {
    Options {
        offers_client_bits: deflate.offer_client_max_window_bits,
        bits: deflate.max_window_bits.clamp(9, 15),
        peer_bits: deflate.peer_max_window_bits.clamp(9, 15),
        takeover: deflate.context_takeover,
        peer_takeover: deflate.peer_context_takeover,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::assert_seeds;

    /// Whether our client and our server compress, what the server answers to the header values, and whether the client
    /// then compresses.
    #[test]
    fn its_seeds_do_what_their_names_say() {
        let outcome = |seed: &[u8]| {
            let input = Input::parse(seed).expect("the seed is long enough");
            let mut options = input.client_options();
            options.subprotocols = &input.offered;
            let own = opening::client(&options).map(|mut client| {
                let opened = opening::open(&mut client, &input.server_options());
                opened.map(|(server, _)| server.uses_deflate())
            });
            let request = input.request();
            let answer = request.negotiate(&input.server_options());
            let server = answer.map(|(answer, _)| {
                let values = answer.headers().into_iter().skip(3);
                let text = |header: Header<'_>| String::from_utf8_lossy(header.value).into_owned();
                values.map(text).collect::<Vec<_>>()
            });
            let client = opening::http2_client(&input.client_options());
            let mut client = client.expect("the options are legal");
            let opened = client.establish(Response::new(200, input.headers().collect()));
            let client = opened.map(|(_, it)| it.is_some_and(|it| it.uses_deflate()));
            format!("{own:?}, server {server:?}, client {client:?}")
        };
        assert_seeds("negotiation", "", outcome, SEEDS);
    }

    const SEEDS: &str = r#"
all_parameters: Some(Ok(true)), server Ok(["permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9"]), client Ok(true)
bare: Some(Ok(true)), server Ok([]), client Ok(true)
bare_client: Some(Ok(true)), server Ok([]), client Ok(false)
bare_small_server: Some(Ok(false)), server Ok([]), client Ok(false)
both_default: Some(Ok(true)), server Ok([]), client Ok(false)
both_small: Some(Ok(true)), server Ok([]), client Ok(false)
client_window_8: Some(Ok(true)), server Ok(["permessage-deflate; client_max_window_bits=8"]), client Ok(true)
empty_line: Some(Ok(true)), server Ok(["permessage-deflate"]), client Ok(true)
fallback: Some(Ok(true)), server Ok(["permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9"]), client Err(ExtensionNotOffered)
leading_zero: Some(Ok(true)), server Ok([]), client Err(ExtensionParameters)
malformed: Some(Ok(true)), server Err(Extensions), client Err(MalformedExtensions)
name_no_token: None, server Ok([]), client Ok(false)
names: Some(Ok(false)), server Ok(["chat"]), client Err(Subprotocol)
names_empty: Some(Ok(false)), server Ok([]), client Err(Subprotocol)
names_none: Some(Err(NoCommonSubprotocol)), server Err(NoCommonSubprotocol), client Ok(false)
names_twice: Some(Ok(false)), server Err(Subprotocols), client Err(Subprotocol)
no_list: Some(Ok(true)), server Err(Extensions), client Err(MalformedExtensions)
not_offered: Some(Ok(true)), server Ok(["permessage-deflate; client_max_window_bits=9"]), client Err(ExtensionParameters)
others: Some(Ok(true)), server Ok(["permessage-deflate"]), client Err(ExtensionNotOffered)
quoted: Some(Ok(true)), server Ok(["permessage-deflate; server_max_window_bits=10"]), client Ok(true)
small_client: Some(Ok(true)), server Ok([]), client Ok(false)
small_server: Some(Ok(true)), server Ok([]), client Ok(false)
twice: Some(Ok(true)), server Ok(["permessage-deflate"]), client Err(ExtensionNotOffered)
twice_a_parameter: Some(Ok(true)), server Ok([]), client Err(ExtensionParameters)
"#;
}
