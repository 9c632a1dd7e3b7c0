//! TLS with rustls.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, WantsVerifier};

use crate::connect::Connector;
use crate::connect::error::{ConnectError, Step};
use crate::connect::limit::Limit;
use crate::connect::transport::{BoxedStream, HttpVersion};

/// The configuration of TLS. `None` means the default.
#[derive(Clone, Default)]
pub(crate) struct Tls(Option<Arc<ClientConfig>>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "yours" } else { "default" })
    }
}

/// # With the feature `rustls`
impl Connector<'_> {
    /// Sets the configuration of TLS, for instance with a private CA or a client certificate.
    ///
    /// It applies to servers and to `https:` proxies. Its application protocols (ALPN) are ignored: the connector
    /// offers the versions of HTTP that it speaks.
    ///
    /// Without this, TLS uses the [`CryptoProvider`] that the program has installed. If it has installed none, TLS uses
    /// ring (feature `ring`). The trusted certificates are those of the operating system (feature
    /// `rustls-platform-verifier`). If that feature is off, they are those of Mozilla (feature `rustls-webpki-roots`).
    /// They are loaded once.
    #[must_use]
    pub fn with_tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Tls(Some(config));
        self
    }
}

impl Tls {
    /// The TLS handshake with `host`. Returns the version of HTTP that the server chose among `protocols`.
    pub(crate) async fn connect(
        &self,
        stream: BoxedStream,
        host: &str,
        protocols: &[&[u8]],
        limit: Limit,
    ) -> Result<(BoxedStream, HttpVersion), ConnectError> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| {
            ConnectError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error))
        })?;
        let protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let connecting = async {
            let config = match &self.0 {
                Some(config) => Arc::clone(config),
                None => default_config().await?,
            };
            let connector = TlsConnector::from(config);
            let connected = connector.with_alpn(protocols).connect(name, stream).await;
            connected.map_err(ConnectError::Tls)
        };
        let stream = limit.run(Step::Tls, connecting).await?;
        let (_, session) = stream.get_ref();
        let version = match session.alpn_protocol() {
            Some(b"h2") => HttpVersion::Http2,
            // A server without ALPN speaks HTTP/1.1.
            _ => HttpVersion::Http11,
        };
        Ok((Box::new(stream), version))
    }
}

/// The default configuration. The first call reads the trusted certificates from files, which blocks a thread.
async fn default_config() -> Result<Arc<ClientConfig>, ConnectError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let config = spawn_blocking(new_config).await;
    let config = config.map_err(|error| ConnectError::Tls(io::Error::other(error)))??;
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

fn new_config() -> Result<ClientConfig, ConnectError> {
    let provider = CryptoProvider::get_default().cloned().or_else(provider);
    let provider = provider.ok_or(ConnectError::NoTls(
        "the program has installed no CryptoProvider, and the feature `ring` is off",
    ))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
    Ok(trusting(builder)?.with_no_client_auth())
}

#[cfg(feature = "ring")]
#[expect(clippy::unnecessary_wraps, reason = "the other variant has none")]
fn provider() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(
        tokio_rustls::rustls::crypto::ring::default_provider(),
    ))
}

#[cfg(not(feature = "ring"))]
fn provider() -> Option<Arc<CryptoProvider>> {
    None
}

type Builder<State> = ConfigBuilder<ClientConfig, State>;

#[cfg(feature = "rustls-platform-verifier")]
fn trusting(builder: Builder<WantsVerifier>) -> Result<Builder<WantsClientCert>, ConnectError> {
    use rustls_platform_verifier::BuilderVerifierExt as _;

    let trusting = builder.with_platform_verifier();
    trusting.map_err(|error| ConnectError::Tls(io::Error::other(error)))
}

#[cfg(all(
    feature = "rustls-webpki-roots",
    not(feature = "rustls-platform-verifier")
))]
#[expect(clippy::unnecessary_wraps, reason = "the other variants can fail")]
fn trusting(builder: Builder<WantsVerifier>) -> Result<Builder<WantsClientCert>, ConnectError> {
    let roots: tokio_rustls::rustls::RootCertStore =
        webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    Ok(builder.with_root_certificates(roots))
}

#[cfg(not(any(feature = "rustls-platform-verifier", feature = "rustls-webpki-roots")))]
fn trusting(_: Builder<WantsVerifier>) -> Result<Builder<WantsClientCert>, ConnectError> {
    Err(ConnectError::NoTls(
        "the features `rustls-platform-verifier` and `rustls-webpki-roots` are off",
    ))
}
