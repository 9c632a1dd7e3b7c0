//! Without the feature `rustls`, nothing is encrypted, and `wss:` fails.

use crate::connect::error::ConnectError;
use crate::connect::limit::Limit;
use crate::connect::transport::{BoxedStream, HttpVersion};

#[derive(Clone, Debug, Default)]
pub(crate) struct Tls(());

impl Tls {
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    pub(crate) async fn connect(
        &self,
        _: BoxedStream,
        _: &str,
        _: &[&[u8]],
        _: Limit,
    ) -> Result<(BoxedStream, HttpVersion), ConnectError> {
        Err(ConnectError::NoTls("the feature `rustls` is off"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sockless::Config;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn no_bytes_are_sent_without_tls() {
        let (stream, mut peer) = tokio::io::duplex(100);
        let limit = Limit::new(&Config::new(), Duration::MAX);
        let tls = Tls::default();
        let connected = tls.connect(Box::new(stream), "localhost", &[], limit).await;
        assert!(matches!(connected, Err(ConnectError::NoTls(_))));
        let read = peer.read(&mut [0; 10]).await;
        assert!(matches!(read, Ok(0)));
    }
}
