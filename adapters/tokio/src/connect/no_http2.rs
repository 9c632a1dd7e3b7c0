//! Without the feature `http2`, the client speaks HTTP/1.1 only.

use std::net::SocketAddr;

use crate::connect::error::ConnectError;
use crate::connect::limit::Limit;
use crate::connect::target::Target;
use crate::connect::transport::BoxedStream;
use crate::connect::{Opened, PROTOCOLS};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HttpVersions(());

impl HttpVersions {
    #[expect(clippy::unused_self, reason = "with the feature it is a choice")]
    pub(crate) const fn protocols(self) -> &'static [&'static [u8]] {
        PROTOCOLS
    }
}

/// No server chooses HTTP/2, because the client does not offer it.
#[expect(clippy::unused_async, reason = "with the feature it waits")]
pub(crate) async fn open(
    _: BoxedStream,
    _: SocketAddr,
    _: &Target,
    _: &sockless::handshake::ClientOptions<'_>,
    _: Limit,
) -> Result<Option<Opened>, ConnectError> {
    Ok(None)
}
