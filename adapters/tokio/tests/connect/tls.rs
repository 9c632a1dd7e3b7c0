//! Servers with TLS.

use sockless::handshake::ServerOptions;
use sockless_tokio::{ConnectError, HttpVersion};
use tokio_rustls::rustls::{CertificateError, Error};

use crate::support::{
    Certificate, Log, check, direct, echo, echo_server, error, serve_tls, tls_echo_server,
};

#[tokio::test]
async fn a_trusted_certificate() {
    let certificate = Certificate::new();
    let connector = direct().with_tls(certificate.trusted());
    let (address, _) = tls_echo_server(&certificate).await;
    for host in ["localhost", "127.0.0.1"] {
        let uri = format!("wss://{host}:{}", address.port());
        let websocket = check(&connector, &uri).await;
        assert!(websocket.get_ref().is_tls());
        assert_eq!(websocket.get_ref().http_version(), HttpVersion::Http11);
        assert_eq!(websocket.get_ref().peer_addr(), address);
    }
}

/// The connector offers HTTP/1.1, whatever the configuration offers. A server may have no ALPN.
#[tokio::test]
async fn application_protocols() {
    let certificate = Certificate::new();
    let mut config = (*certificate.trusted()).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"x".to_vec()];
    let connector = direct().with_tls(config.into());
    for (protocols, expected) in [
        (&["x", "h2", "http/1.1"][..], "http/1.1"),
        (&[][..], "none"),
    ] {
        let log = Log::default();
        let recorded = log.clone();
        let address = serve_tls(certificate.acceptor(protocols), move |stream| {
            let log = log.clone();
            async move {
                let chosen = stream.get_ref().1.alpn_protocol().unwrap_or(b"none");
                log.add(String::from_utf8_lossy(chosen));
                echo(stream, &ServerOptions::new(), &Log::default()).await;
            }
        })
        .await;
        check(&connector, &format!("wss://localhost:{}", address.port())).await;
        assert_eq!(recorded.only(), expected);
    }
}

#[tokio::test]
async fn wrong_certificates() {
    let certificate = Certificate::new();
    let other = Certificate::for_names(&["other.test"]);
    let (address, _) = tls_echo_server(&certificate).await;
    let (other_address, _) = tls_echo_server(&other).await;
    let (plain, _) = echo_server(ServerOptions::new()).await;
    let uri = |port| format!("wss://user:secret@localhost:{port}/secret");

    let invalid = |error: ConnectError| match error {
        _ if error.is_temporary() => panic!("{error:?}"),
        ConnectError::Tls(error) => match error.get_ref().unwrap().downcast_ref() {
            Some(Error::InvalidCertificate(error)) => error.clone(),
            error => panic!("{error:?}"),
        },
        error => panic!("{error:?}"),
    };
    // Neither the system nor Mozilla trusts it.
    let untrusted = error(&direct(), &uri(address.port())).await;
    if cfg!(any(
        feature = "rustls-platform-verifier",
        feature = "rustls-webpki-roots"
    )) {
        assert_eq!(invalid(untrusted), CertificateError::UnknownIssuer);
    } else {
        assert!(matches!(untrusted, ConnectError::NoTls(_)), "{untrusted:?}");
    }
    let connector = direct().with_tls(other.trusted());
    let unknown = error(&connector, &uri(address.port())).await;
    assert!(
        unknown
            .to_string()
            .starts_with("TLS: invalid peer certificate"),
        "{unknown}"
    );
    assert_eq!(invalid(unknown), CertificateError::UnknownIssuer);
    let wrong_name = error(&connector, &uri(other_address.port())).await;
    assert!(matches!(
        invalid(wrong_name),
        CertificateError::NotValidForNameContext { .. }
    ));
    // The server answers with HTTP to the first bytes of TLS.
    let error = error(&connector, &uri(plain.port())).await;
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
}
