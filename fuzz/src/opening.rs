//! Opening handshakes over header lists.

use sockless::handshake::{
    ClientHandshake, ClientOptions, Request, RequestError, ResponseError, ServerOptions,
};
use sockless::{Config, Connection, Seed};

/// A client that asks, the same every time but for its options.
pub(crate) fn client(options: &ClientOptions<'_>) -> Option<ClientHandshake> {
    let uri = "ws://localhost/".parse().expect("a URI");
    ClientHandshake::new(&uri, options, Seed::new([7; 32])).ok()
}

/// The same over HTTP/2.
pub(crate) fn http2_client(options: &ClientOptions<'_>) -> Option<ClientHandshake> {
    let uri = "ws://localhost/".parse().expect("a URI");
    ClientHandshake::extended_connect(&uri, options, Seed::new([7; 32])).ok()
}

/// What both sides make of each other's headers: the server's connection, and the client's answer to it.
pub(crate) fn open(
    client: &mut ClientHandshake,
    options: &ServerOptions<'_>,
) -> Result<(Connection, Result<Connection, ResponseError>), RequestError> {
    let headers = client.headers();
    let (request, status) = if headers.iter().any(|header| header.is(":method")) {
        (Request::extended_connect(headers), 200)
    } else {
        (Request::new("GET", "/", headers), 101)
    };
    let (answer, server) = request.negotiate(options)?;
    assert_eq!(answer.status(), status);
    assert!(server.output().is_empty(), "an HTTP library answers");
    let opened = client.establish(answer);
    let opened = opened.map(|(_, connection)| connection.expect("that status refuses nothing"));
    Ok((server, opened))
}

/// A server and a client that have opened a connection with these configurations.
pub(crate) fn pair(server: Config, client: Config) -> (Connection, Connection) {
    let asks = ClientOptions::new().with_config(client);
    let agrees = ServerOptions::new().with_config(server);
    let mut handshake = self::client(&asks).expect("nothing is wrong with the options");
    let (server, client) = open(&mut handshake, &agrees).expect("a good request");
    (server, client.expect("a good answer"))
}

/// The `Sec-WebSocket-Key` that [`client`] always sends.
pub(crate) fn key() -> Vec<u8> {
    let client = client(&ClientOptions::new()).expect("the options are legal");
    let headers = client.headers();
    let key = headers.iter().find(|header| header.is("Sec-WebSocket-Key"));
    key.expect("a client sends it").value.to_vec()
}
