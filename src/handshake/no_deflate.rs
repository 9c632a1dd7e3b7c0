//! The negotiation without the feature `deflate`: neither side offers or accepts an extension.

use alloc::string::String;

use crate::connection::Config;
use crate::deflate::Agreed;
use crate::handshake::extensions::Extension;
use crate::handshake::response_error::ResponseError;

pub(crate) const fn offer(_: &Config) -> Option<String> {
    None
}

pub(crate) const fn accept(_: &[Extension<'_>], _: &Config) -> Option<(Agreed, String)> {
    None
}

/// RFC 6455, section 4.1, item 5: the server may choose only an extension that the client offered.
pub(crate) const fn check_response(
    extensions: &[Extension<'_>],
    _: &Config,
) -> Result<Option<Agreed>, ResponseError> {
    if extensions.is_empty() {
        Ok(None)
    } else {
        Err(ResponseError::ExtensionNotOffered)
    }
}
