//! Dropping the future closes everything that it has opened.

use std::pin::pin;

use sockless_tokio::{Connector, Proxy};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{Certificate, direct, serve};

/// Connects to a server that reads and never writes. Drops the future when the first bytes have arrived.
async fn cancelled(connector: &Connector<'_>, uri: impl FnOnce(u16) -> (String, Option<String>)) {
    let (sender, mut seen) = unbounded_channel();
    let address = serve(move |mut stream| {
        let sender = sender.clone();
        async move {
            let mut bytes = [0; 1000];
            // At the end of the stream, or when it is reset.
            while stream.read(&mut bytes).await.is_ok_and(|n| n > 0) {
                sender.send(true).unwrap();
            }
            sender.send(false).unwrap();
        }
    })
    .await;
    let (uri, proxy) = uri(address.port());
    let connector = match proxy {
        Some(proxy) => connector.clone().with_proxy(Proxy::new(&proxy).unwrap()),
        None => connector.clone(),
    };
    {
        let mut connecting = pin!(connector.connect(&uri));
        tokio::select! {
            connected = &mut connecting => panic!("{connected:?}"),
            arrived = seen.recv() => assert_eq!(arrived, Some(true)),
        }
    }
    while seen.recv().await.unwrap() {}
}

#[tokio::test]
async fn in_each_step() {
    let connector = direct().with_tls(Certificate::new().trusted());
    cancelled(&connector, |port| (format!("ws://127.0.0.1:{port}"), None)).await;
    cancelled(&connector, |port| (format!("wss://127.0.0.1:{port}"), None)).await;
    for scheme in ["http", "https", "socks5", "socks5h"] {
        cancelled(&connector, |port| {
            let proxy = format!("{scheme}://127.0.0.1:{port}");
            (String::from("ws://127.0.0.1:9"), Some(proxy))
        })
        .await;
    }
}
