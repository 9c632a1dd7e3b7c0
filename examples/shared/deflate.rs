//! The option `--deflate` of both programs: permessage-deflate, if the crate is built with it.

use sockless::{Config, Connection};

/// Whether this argument is the option, in any of its forms.
pub(crate) fn is_option(argument: &str) -> bool {
    argument == "--deflate" || argument.starts_with("--deflate=")
}

/// Asks for permessage-deflate as the option says.
#[cfg(feature = "deflate")]
pub(crate) fn configure(config: &mut Config, option: &str) -> Result<(), String> {
    let mut deflate = sockless::Deflate::default();
    match option.strip_prefix("--deflate=") {
        None => {}
        Some("no-context-takeover") => deflate.context_takeover = false,
        Some(other) => return Err(format!("--deflate cannot be {other:?}")),
    }
    config.deflate = Some(deflate);
    Ok(())
}

#[cfg(not(feature = "deflate"))]
pub(crate) fn configure(_: &mut Config, _: &str) -> Result<(), String> {
    Err(String::from(
        "--deflate needs the crate's feature \"deflate\": cargo run --features deflate ...",
    ))
}

/// What to say about a new connection: the extension, if both sides agreed on it.
#[cfg(feature = "deflate")]
pub(crate) fn agreed(connection: &Connection) -> &'static str {
    if connection.is_deflate_agreed() {
        " extensions=permessage-deflate"
    } else {
        ""
    }
}

#[cfg(not(feature = "deflate"))]
pub(crate) fn agreed(_: &Connection) -> &'static str {
    ""
}
