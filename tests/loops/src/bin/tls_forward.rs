//! Lets clients without TLS talk to a server with it: bytes come in plain and go on in TLS, and back.
//!
//! ```text
//! tls_forward ADDRESS URL CA
//! ```
//!
//! Listens at ADDRESS and says so as an example server does. URL is the server's, `CA` the file with the authority that
//! signed its certificate.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use loops::Target;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, url, ca] = arguments.as_slice() else {
        eprintln!("usage: tls_forward ADDRESS URL CA");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string());
    match runtime.and_then(|runtime| runtime.block_on(serve(address, url, Path::new(ca)))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tls_forward: {error}");
            ExitCode::from(2)
        }
    }
}

async fn serve(address: &str, url: &str, ca: &Path) -> Result<(), String> {
    let target = Arc::new(Target::new(url, Some(ca))?);
    if !target.is_tls() {
        return Err(format!("{url}: a server without TLS needs no forwarding"));
    }
    let cannot = |error| format!("cannot listen on {address}: {error}");
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let local = listener.local_addr().map_err(cannot)?;
    println!("listening on http://{local}/");
    std::io::stdout()
        .flush()
        .map_err(|error| error.to_string())?;
    loop {
        let (client, _) = listener.accept().await.map_err(cannot)?;
        let target = Arc::clone(&target);
        tokio::spawn(async move {
            if let Err(error) = forward(client, &target).await {
                eprintln!("tls_forward: {error}");
            }
        });
    }
}

async fn forward(mut client: TcpStream, target: &Target) -> Result<(), String> {
    client
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let mut server = target.encrypt(target.connect().await?).await?;
    // An end of either stream is passed on. A break of one ends both, which is how the other side sees it.
    _ = copy_bidirectional(&mut client, &mut server).await;
    Ok(())
}
