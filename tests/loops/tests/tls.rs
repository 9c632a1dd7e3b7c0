//! Servers with TLS: directly, and from programs without it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use loops::{Failure, Plan, Summary, Target, load};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::accept_async;

/// Makes certificates in a folder of this test's own.
fn certificates(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let made = Command::new(env!("CARGO_BIN_EXE_certificate"))
        .arg(&folder)
        .status();
    assert!(made.unwrap().success());
    folder
}

/// Echoes on every connection. Not `polite` is to end TCP and not TLS.
async fn serve(listener: TcpListener, folder: PathBuf, polite: bool) {
    let certificates = CertificateDer::pem_file_iter(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates.map(Result::unwrap).collect(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    loop {
        let (transport, _) = listener.accept().await.unwrap();
        tokio::spawn(echo(transport, acceptor.clone(), polite));
    }
}

async fn echo(transport: TcpStream, acceptor: TlsAcceptor, polite: bool) {
    // Whoever distrusts the certificate is gone.
    let Ok(encrypted) = acceptor.accept(transport).await else {
        return;
    };
    let mut socket = accept_async(encrypted).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() || message.is_binary() {
            _ = socket.send(message).await;
        } else if message.is_close() {
            break;
        }
    }
    _ = socket.flush().await;
    if polite {
        _ = tokio::io::AsyncWriteExt::shutdown(socket.get_mut()).await;
    }
}

async fn listening(folder: &Path, polite: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, folder.to_owned(), polite));
    url
}

async fn loaded(target: Target) -> Result<Summary, Failure> {
    load::run(Plan {
        target,
        connections: 20,
        messages: 10,
        size: 4096,
        http2: None,
        server: None,
        limit: Duration::from_mins(1),
    })
    .await
}

#[tokio::test]
async fn a_server_with_tls_passes() {
    let folder = certificates("passes");
    let url = listening(&folder, true).await;
    let target = Target::new(&url, Some(&folder.join("ca.pem")), "http/1.1").unwrap();
    assert_eq!(loaded(target).await.unwrap().messages, 200);
}

#[tokio::test]
async fn a_stranger_is_not_trusted() {
    let url = listening(&certificates("stranger"), true).await;
    let other = certificates("other").join("ca.pem");
    let target = Target::new(&url, Some(&other), "http/1.1").unwrap();
    let Err(Failure::Lost(why)) = loaded(target).await else {
        panic!("trusted");
    };
    assert!(why.starts_with("20 of 20 connections failed"), "{why}");
    assert!(why.contains("no TLS with 127.0.0.1:"), "{why}");
}

#[tokio::test]
async fn an_end_without_close_notify_is_none() {
    let folder = certificates("impolite");
    let url = listening(&folder, false).await;
    let target = Target::new(&url, Some(&folder.join("ca.pem")), "http/1.1").unwrap();
    let Err(Failure::Lost(why)) = loaded(target).await else {
        panic!("not found");
    };
    assert!(
        why.starts_with("20 of 20 connections failed, 200 of 200 echoes"),
        "{why}"
    );
    assert!(why.contains("without sending TLS close_notify"), "{why}");
}

/// A program that is ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[tokio::test]
async fn through_the_forwarder_without_tls() {
    let folder = certificates("forwarded");
    let url = listening(&folder, true).await;
    let forwarder = Command::new(env!("CARGO_BIN_EXE_forward"))
        .args(["127.0.0.1:0", &url, "--ca"])
        .arg(folder.join("ca.pem"))
        .stdout(Stdio::piped())
        .spawn();
    let mut forwarder = Running(forwarder.unwrap());
    let mut line = String::new();
    let mut said = BufReader::new(forwarder.0.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let plain = line.trim_end().strip_prefix("listening on ").unwrap();
    assert!(plain.starts_with("http://127.0.0.1:"), "{plain}");
    let target = Target::new(plain, None, "http/1.1").unwrap();
    assert_eq!(loaded(target).await.unwrap().messages, 200);
}
