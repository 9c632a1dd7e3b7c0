//! Opening handshakes over lists of headers.

use sockless::handshake::{
    ClientHandshake, ClientOptions, Request, RequestError, ResponseError, ServerOptions,
};
use sockless::{Config, Connection, Seed};

/// A client that depends only on the options.
pub(crate) fn client(options: &ClientOptions<'_>) -> Option<ClientHandshake> {
    let uri = "ws://localhost/".parse().expect("a URI");
    ClientHandshake::new(&uri, options, Seed::new([7; 32])).ok()
}

/// The same for HTTP/2.
pub(crate) fn http2_client(options: &ClientOptions<'_>) -> Option<ClientHandshake> {
    let uri = "ws://localhost/".parse().expect("a URI");
    ClientHandshake::extended_connect(&uri, options, Seed::new([7; 32])).ok()
}

/// Gives the headers of each side to the other. Returns the connection of the server, and the result of the client.
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
    assert!(
        server.output().is_empty(),
        "the HTTP library sends the response"
    );
    let opened = client.establish(answer);
    let opened = opened.map(|(_, connection)| connection.expect("the status accepts"));
    Ok((server, opened))
}

/// The server and the client of a connection with these configurations.
pub(crate) fn pair(server: Config, client: Config) -> (Connection, Connection) {
    let asks = ClientOptions::new().with_config(client);
    let agrees = ServerOptions::new().with_config(server);
    let mut handshake = self::client(&asks).expect("the options are legal");
    let (server, client) = open(&mut handshake, &agrees).expect("the request is legal");
    (server, client.expect("the response is legal"))
}

/// The `Sec-WebSocket-Key` that [`client`] always sends.
pub(crate) fn key() -> Vec<u8> {
    let client = client(&ClientOptions::new()).expect("the options are legal");
    let headers = client.headers();
    let key = headers.iter().find(|header| header.is("Sec-WebSocket-Key"));
    key.expect("a client sends it").value.to_vec()
}
