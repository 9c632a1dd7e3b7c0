//! Connections after an opening handshake that offers permessage-deflate (RFC 7692, section 5).

use sockless::accept_key;
use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, RequestError, Response, ResponseError, ServerHandshake,
    ServerOptions, Uri,
};
use sockless::test_util::{OPENING_REQUEST, Pair, Peer};
use sockless::{Config, Connection, ReadBuffer, Seed};

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// A server that has received these offers, one header line each, and its answer.
pub(crate) fn serve(
    offers: &[&str],
    config: &Config,
) -> Result<(Connection, Option<String>), RequestError> {
    let mut request = OPENING_REQUEST.strip_suffix(b"\r\n").unwrap().to_vec();
    for offer in offers {
        request.extend(format!("{EXTENSIONS}: {offer}\r\n").bytes());
    }
    request.extend(b"\r\n");
    let mut buffer = ReadBuffer::new();
    buffer.extend_from_slice(&request);
    let options = ServerOptions::new().with_config(config.clone());
    let mut handshake = ServerHandshake::new(config);
    let request = handshake.read_request(&mut buffer).unwrap().unwrap();
    let mut connection = request.accept(&options)?;
    let output = String::from_utf8(connection.output().to_vec()).unwrap();
    connection.advance_output(output.len());
    let prefix = format!("{EXTENSIONS}: ");
    let mut answers = output.lines().filter_map(|line| line.strip_prefix(&prefix));
    let answer = answers.next().map(String::from);
    assert_eq!(answers.next(), None);
    Ok((connection, answer))
}

/// A client that has received these answers, one header line each, and its offer.
pub(crate) fn ask(
    answers: &[&str],
    config: &Config,
) -> (Result<Connection, ResponseError>, Option<String>) {
    let options = ClientOptions::new().with_config(config.clone());
    let uri = Uri::parse("ws://localhost/").unwrap();
    let mut handshake = ClientHandshake::new(&uri, &options, Seed::new([3; 32])).unwrap();
    let headers = handshake.headers();
    let values = |name: &str| {
        let headers = headers.iter().filter(|header| header.is(name));
        let values = headers.map(|header| String::from_utf8(header.value.to_vec()).unwrap());
        values.collect::<Vec<_>>()
    };
    let (keys, mut offers) = (values("Sec-WebSocket-Key"), values(EXTENSIONS));
    assert!(offers.len() < 2, "{offers:?}");
    let accept = accept_key(keys[0].as_bytes());
    let header = |name, value| Header { name, value };
    let mut headers = vec![
        header("Upgrade", b"websocket"),
        header("Connection", b"Upgrade"),
        header("Sec-WebSocket-Accept", &accept[..]),
    ];
    headers.extend(answers.iter().map(|it| header(EXTENSIONS, it.as_bytes())));
    let opened = handshake.establish(Response::new(101, headers));
    let connection = opened.map(|(_, connection)| connection.expect("the status is 101"));
    (connection, offers.pop())
}

/// A server and a client that have agreed with each other.
pub(crate) fn pair(server: &Config, client: &Config) -> Pair {
    let (_, offer) = ask(&[], client);
    let offers: Vec<_> = offer.as_deref().into_iter().collect();
    let (server, answer) = serve(&offers, server).unwrap();
    let answers: Vec<_> = answer.as_deref().into_iter().collect();
    let client = ask(&answers, client).0.unwrap();
    assert_eq!(server.uses_deflate(), answer.is_some());
    assert_eq!(client.uses_deflate(), answer.is_some());
    Pair {
        server: Peer::with(server, ReadBuffer::new()),
        client: Peer::with(client, ReadBuffer::new()),
    }
}
