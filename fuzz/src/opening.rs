//! Opening handshakes over header lists.

use sockless::handshake::{
    ClientHandshake, ClientOptions, Header, Opening, Request, RequestError, Response,
    ResponseError, ServerOptions, Uri, extended_connect,
};
use sockless::{Config, Connection, Seed};

/// A client that asks, the same every time but for its options.
pub(crate) fn client(options: &ClientOptions<'_>) -> Option<ClientHandshake> {
    let uri = Uri::parse("ws://localhost/").expect("a URI");
    ClientHandshake::new(&uri, options, Seed::new([7; 32])).ok()
}

/// What both sides make of each other's headers: the server's connection, and the client's answer to it.
pub(crate) fn open(
    client: &mut ClientHandshake,
    options: &ServerOptions<'_>,
) -> Result<(Connection, Result<Connection, ResponseError>), RequestError> {
    let headers = client.headers();
    // The client writes names and values that are its own; they are copied to let it be changed.
    let owned: Vec<(String, Vec<u8>)> = headers
        .iter()
        .map(|header| (header.name.to_owned(), header.value.to_vec()))
        .collect();
    let lent = owned.iter().map(|(name, value)| Header { name, value });
    let handshake = Request::new("GET", "/", lent.collect()).negotiate(options)?;
    let answer = Response::new(101, handshake.headers());
    let opened = match client.establish(answer) {
        Ok(Opening::Established { connection, .. }) => Ok(connection),
        Ok(Opening::Refused(_)) => panic!("a 101 refuses nothing"),
        Err(error) => Err(error),
    };
    Ok((handshake.connection(), opened))
}

/// As [`client`], over HTTP/2.
pub(crate) fn http2_client(
    options: &ClientOptions<'_>,
) -> Option<extended_connect::ClientHandshake> {
    let uri = Uri::parse("ws://localhost/").expect("a URI");
    ClientHandshake::extended_connect(&uri, options, Seed::new([7; 32])).ok()
}

/// As [`open`], over HTTP/2.
pub(crate) fn open_http2(
    client: &mut extended_connect::ClientHandshake,
    options: &ServerOptions<'_>,
) -> Result<(Connection, Result<Connection, ResponseError>), RequestError> {
    let handshake = Request::extended_connect(client.headers()).negotiate(options)?;
    let opened = match client.establish(Response::new(200, handshake.headers())) {
        Ok(Opening::Established { connection, .. }) => Ok(connection),
        Ok(Opening::Refused(_)) => panic!("a 200 refuses nothing"),
        Err(error) => Err(error),
    };
    Ok((handshake.connection(), opened))
}

/// A server and a client that have opened a connection with these configurations.
pub(crate) fn pair(server: Config, client: Config) -> (Connection, Connection) {
    let mut asks = ClientOptions::default();
    asks.config = client;
    let mut agrees = ServerOptions::default();
    agrees.config = server;
    let mut handshake = self::client(&asks).expect("nothing is wrong with the options");
    let (server, client) = open(&mut handshake, &agrees).expect("a good request");
    (server, client.expect("a good answer"))
}
