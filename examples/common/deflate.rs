//! The option `--deflate`, for permessage-deflate. It needs the feature `deflate` of the crate.

use std::ffi::OsString;

use sockless::{Config, Connection};

/// Enables permessage-deflate. The option may have the value `no-context-takeover`.
#[cfg(feature = "deflate")]
pub(crate) fn configure(config: &mut Config, value: Option<OsString>) -> Result<(), String> {
    let context_takeover = value.is_none();
    if let Some(value) = value.filter(|value| value != "no-context-takeover") {
        return Err(format!("--deflate cannot be {:?}", value.to_string_lossy()));
    }
    config.deflate = Some(sockless::Deflate::new().with_context_takeover(context_takeover));
    Ok(())
}

#[cfg(not(feature = "deflate"))]
pub(crate) fn configure(_: &mut Config, _: Option<OsString>) -> Result<(), String> {
    Err(String::from(
        "--deflate needs the crate's feature \"deflate\": cargo run --features deflate ...",
    ))
}

/// The text about a new connection: the extension, if both sides agreed on it.
#[cfg(feature = "deflate")]
pub(crate) fn agreed(connection: &Connection) -> &'static str {
    if connection.uses_deflate() {
        " extensions=permessage-deflate"
    } else {
        ""
    }
}

#[cfg(not(feature = "deflate"))]
pub(crate) fn agreed(_: &Connection) -> &'static str {
    ""
}
