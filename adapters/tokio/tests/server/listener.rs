//! Accepting TCP connections.

use std::env;
use std::fs::File;
use std::process::Command;
use std::time::Duration;

use sockless_tokio::server::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

#[tokio::test]
async fn clients_are_accepted() {
    let mut listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).await.unwrap();
    let (transport, from) = listener.accept().await.unwrap();
    assert_eq!(from, client.local_addr().unwrap());
    assert!(transport.nodelay().unwrap());

    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    let mut listener = Listener::from(plain);
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    assert_eq!(accepted.unwrap().1, client.unwrap().local_addr().unwrap());
}

/// Marks the process with few files.
const FEW_FILES: &str = "LISTENER_TEST_WITH_FEW_FILES";

/// This test runs itself again in a process with few files.
#[tokio::test]
async fn without_a_free_file() {
    if env::var_os(FEW_FILES).is_some() {
        return accept_without_a_free_file().await;
    }
    let test = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "listener::without_a_free_file"])
        .env(FEW_FILES, "")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&test.stdout);
    assert!(test.status.success(), "{output}");
    assert!(output.contains("1 passed"), "{output}");
}

async fn accept_without_a_free_file() {
    let mut listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..2 {
        let client = TcpStream::connect(address).await.unwrap();
        let mut files: Vec<File> = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        assert!(files.len() < 64, "the files are not limited");
        listener.accept().await.unwrap_err();
        // Further failures are not reported, and `accept` pauses between them.
        let accepted = timeout(Duration::from_millis(350), listener.accept()).await;
        accepted.expect_err("there is no free file");
        files.pop();
        let (_, from) = listener.accept().await.unwrap();
        assert_eq!(from, client.local_addr().unwrap());
    }
}
