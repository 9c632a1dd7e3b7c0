//! Proxies on loopback. They record what they are asked for, and always connect to the same server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use crate::support::{Certificate, Io, Log, read_head, serve, serve_tls, write};

/// An HTTP proxy.
pub(crate) async fn http_proxy(server: SocketAddr) -> (SocketAddr, Log) {
    let log = Log::default();
    let recorded = log.clone();
    let address = serve(move |stream| tunnel(stream, server, log.clone()));
    (address.await, recorded)
}

/// An HTTP proxy over TLS.
pub(crate) async fn https_proxy(
    server: SocketAddr,
    certificate: &Certificate,
) -> (SocketAddr, Log) {
    let log = Log::default();
    let recorded = log.clone();
    let acceptor = certificate.acceptor(&["h2", "http/1.1"]);
    let address = serve_tls(acceptor, move |stream| tunnel(stream, server, log.clone()));
    (address.await, recorded)
}

async fn tunnel(mut stream: impl Io, server: SocketAddr, log: Log) {
    log.add(read_head(&mut stream).await);
    write(&mut stream, b"HTTP/1.1 200 Connection established\r\n\r\n").await;
    forward(stream, server).await;
}

async fn forward(mut stream: impl Io, server: SocketAddr) {
    let mut server = TcpStream::connect(server).await.unwrap();
    _ = copy_bidirectional(&mut stream, &mut server).await;
}

/// A SOCKS5 proxy (RFC 1928, RFC 1929), which wants a user and a password if there is one. It answers with `status`.
pub(crate) async fn socks_proxy(
    server: SocketAddr,
    user: Option<(&'static str, &'static str)>,
    status: u8,
) -> (SocketAddr, Log) {
    let log = Log::default();
    let recorded = log.clone();
    let address = serve(move |mut stream| {
        let log = log.clone();
        async move {
            if let Some(target) = socks(&mut stream, user, status).await {
                log.add(target);
                if status == 0 {
                    forward(stream, server).await;
                }
            }
        }
    });
    (address.await, recorded)
}

/// Returns the target. `None` if the client does not authenticate.
async fn socks(stream: &mut TcpStream, user: Option<(&str, &str)>, status: u8) -> Option<String> {
    assert_eq!(stream.read_u8().await.unwrap(), 5);
    let methods = field(stream).await;
    let method = if user.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        write(stream, &[5, 0xff]).await;
        return None;
    }
    write(stream, &[5, method]).await;
    if let Some((user, password)) = user {
        assert_eq!(stream.read_u8().await.unwrap(), 1);
        let given = (field(stream).await, field(stream).await);
        if given != (user.into(), password.into()) {
            write(stream, &[1, 1]).await;
            return None;
        }
        write(stream, &[1, 0]).await;
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(request[..3], [5, 1, 0]);
    let host = match request[3] {
        1 => IpAddr::from(Ipv4Addr::from(stream.read_u32().await.unwrap())).to_string(),
        4 => IpAddr::from(Ipv6Addr::from(stream.read_u128().await.unwrap())).to_string(),
        _ => String::from_utf8(field(stream).await).unwrap(),
    };
    let port = stream.read_u16().await.unwrap();
    write(stream, &[5, status, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    Some(format!("{host} {port}"))
}

/// Bytes after their number.
async fn field(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_u8().await.unwrap();
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}
