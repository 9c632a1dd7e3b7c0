//! What both openings of a client offer and demand in the same way (RFC 6455 section 4.1).

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::connection::{Config, Connection, HandshakeDeadline, MaskingKeys, Seed};
use crate::handshake::deflate;
use crate::handshake::error::{InputError, ResponseError};
use crate::handshake::extensions;
use crate::handshake::headers::{Header, check_for_handshake, check_value, is_token, trim, values};
use crate::handshake::options::ClientOptions;
use crate::handshake::uri::{Authority, Uri};

/// A client's opening handshake that waits for the server.
pub(crate) struct Attempt {
    keys: MaskingKeys,
    subprotocols: Vec<String>,
    config: Config,
    deadline: HandshakeDeadline,
    /// An error is final.
    failed: Option<ResponseError>,
}

/// Shows how many subprotocols are offered: some applications put a token there.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("keys", &self.keys)
            .field("subprotocols", &self.subprotocols.len())
            .field("deadline", &self.deadline)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Attempt {
    /// Checks what the application wants to offer.
    pub(crate) fn new(options: &ClientOptions<'_>, seed: &Seed) -> Result<Self, InputError> {
        for header in options.headers {
            check_for_handshake(header)?;
        }
        if let Some(host) = options.host {
            Authority::parse(host.as_bytes()).ok_or(InputError::Host)?;
        }
        if let Some(origin) = options.origin {
            check_value(origin.as_bytes())?;
        }
        let mut rest = options.subprotocols;
        while let Some((subprotocol, tail)) = rest.split_first() {
            if !is_token(subprotocol.as_bytes()) || tail.contains(subprotocol) {
                return Err(InputError::Subprotocol);
            }
            rest = tail;
        }
        Ok(Self {
            keys: MaskingKeys::new(seed),
            subprotocols: options
                .subprotocols
                .iter()
                .map(ToString::to_string)
                .collect(),
            config: options.config,
            deadline: HandshakeDeadline::new(options.config.deadlines),
            failed: None,
        })
    }

    /// Bytes for the `Sec-WebSocket-Key` header.
    pub(crate) fn nonce(&mut self) -> [u8; 16] {
        self.keys.nonce()
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// Passes a result on, unless there was an error before; a new one is remembered.
    pub(crate) fn judge<T>(
        &mut self,
        judge: impl FnOnce(&mut Self) -> Result<T, ResponseError>,
    ) -> Result<T, ResponseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        judge(self).inspect_err(|error| self.failed = Some(*error))
    }

    /// So many bytes of the answer have come, and perhaps something before it that was skipped.
    pub(crate) const fn received(&mut self, received: usize, before: bool) {
        self.deadline.received(received, before);
    }

    /// Says that an answer has come whole: its deadline is over.
    pub(crate) const fn answered(&mut self) {
        self.deadline.stop();
    }

    /// The connection that an answer with these headers opens.
    pub(crate) fn open(&mut self, headers: &[Header<'_>]) -> Result<Connection, ResponseError> {
        self.check_subprotocol(headers)?;
        // Item 5: only extensions that were offered, as they were offered.
        let extensions =
            extensions::parse(headers).map_err(|_| ResponseError::MalformedExtensions)?;
        let agreed = deflate::check_response(&extensions, &self.config)?;
        let connection = Connection::client(self.config, self.keys.fork());
        Ok(connection.with_deflate(agreed.as_ref()))
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Result<(), ResponseError> {
        if self.failed.is_none() && self.deadline.expired(now) {
            self.failed = Some(ResponseError::Timeout);
        }
        self.failed.map_or(Ok(()), Err)
    }

    pub(crate) const fn next_timeout(&self) -> Option<Duration> {
        match self.failed {
            None => self.deadline.next(),
            Some(_) => None,
        }
    }

    /// Item 6: one that was offered, or none.
    fn check_subprotocol(&self, headers: &[Header<'_>]) -> Result<(), ResponseError> {
        let mut chosen = values(headers, "Sec-WebSocket-Protocol");
        match (chosen.next(), chosen.next()) {
            (None, _) => Ok(()),
            // An empty value names no subprotocol, so it is not one "that was not present in the client's
            // handshake". The outcome is that of a response without the header, which every client must be ready
            // for: `Response::subprotocol` is `None`. Two lines stay an error (section 11.3.4), empty or not.
            (Some(name), None) if trim(name).is_empty() => Ok(()),
            (Some(name), None)
                if self
                    .subprotocols
                    .iter()
                    .any(|offer| offer.as_bytes() == name) =>
            {
                Ok(())
            }
            _ => Err(ResponseError::Subprotocol),
        }
    }
}

/// Whom the request is for: the `Host` header or the `:authority` (section 4.1, item 4). It has been checked.
pub(crate) fn authority<'a>(uri: &Uri<'_>, options: &ClientOptions<'a>) -> Cow<'a, str> {
    options
        .host
        .map_or_else(|| Cow::Owned(uri.authority()), Cow::Borrowed)
}

/// The headers with which a client says what it wants, one after the other to `add`. All parts have been checked.
pub(crate) fn offer(
    options: &ClientOptions<'_>,
    names: [&'static str; 3],
    mut add: impl FnMut(&str, &[u8]),
) {
    let [origin, subprotocols, extensions] = names;
    if let Some(value) = options.origin {
        add(origin, value.as_bytes());
    }
    if !options.subprotocols.is_empty() {
        add(subprotocols, options.subprotocols.join(", ").as_bytes());
    }
    if let Some(offer) = deflate::offer(&options.config) {
        add(extensions, offer.as_bytes());
    }
    for header in options.headers {
        add(header.name, header.value);
    }
}
