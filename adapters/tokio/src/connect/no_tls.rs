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
