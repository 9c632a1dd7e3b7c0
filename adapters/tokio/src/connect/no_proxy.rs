//! Without the feature `proxy`, every connection is direct.

use std::net::SocketAddr;

use sockless::handshake::Uri;

use crate::connect::error::ConnectError;
use crate::connect::limit::Limit;
use crate::connect::tcp;
use crate::connect::tls::Tls;
use crate::connect::transport::BoxedStream;

#[derive(Clone, Debug, Default)]
pub(crate) struct Proxy(());

impl Proxy {
    pub(crate) async fn connect(
        &self,
        uri: &Uri,
        _: &Tls,
        limit: Limit,
    ) -> Result<(BoxedStream, SocketAddr), ConnectError> {
        let (stream, address) = tcp::connect(uri.host(), uri.port(), limit).await?;
        Ok((Box::new(stream), address))
    }
}
