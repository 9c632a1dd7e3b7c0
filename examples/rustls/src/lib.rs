//! TLS for the example servers on tokio, with a certificate from a file or a new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use example_tokio::command_line::{Program, timeout};
use lexopt::Parser;
use lexopt::prelude::*;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sockless_tokio::Deadlines;
use tokio::net::TcpStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The command line: the address, the certificate, and the deadlines.
#[derive(Debug)]
pub struct Options {
    pub address: String,
    /// The deadlines of `--timeout`.
    pub deadlines: Option<Deadlines>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    write: Option<PathBuf>,
}

/// A server with the arguments of [`Options`].
#[must_use]
pub const fn program(name: &'static str) -> Program {
    Program {
        name,
        arguments: "[ADDRESS] [--cert FILE --key FILE | --write-cert FILE] [--timeout SECONDS]",
        options: "  ADDRESS            where to listen (127.0.0.1:8443). Port 0 means a free port
  --cert FILE        the certificate, in PEM. Without it, the server makes one for localhost
  --key FILE         the key of the certificate, in PEM
  --write-cert FILE  where to write the new certificate, for clients that must trust it",
    }
}

impl Options {
    /// Reads the command line. Returns `None` if it asks for help.
    ///
    /// # Errors
    ///
    /// If an argument is invalid. The text names the argument.
    pub fn read(parser: &mut Parser) -> Result<Option<Self>, lexopt::Error> {
        let mut address = None;
        let mut options = Self {
            address: String::from("127.0.0.1:8443"),
            deadlines: None,
            certificate: None,
            key: None,
            write: None,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("timeout") => options.deadlines = Some(timeout(parser)?),
                Long("cert") => options.certificate = Some(parser.value()?.into()),
                Long("key") => options.key = Some(parser.value()?.into()),
                Long("write-cert") => options.write = Some(parser.value()?.into()),
                Value(value) if address.is_none() => address = Some(value.string()?),
                _ => return Err(argument.unexpected()),
            }
        }
        if options.certificate.is_some() != options.key.is_some()
            || options.certificate.is_some() && options.write.is_some()
        {
            return Err(
                "--cert needs --key, --key needs --cert, and neither allows --write-cert".into(),
            );
        }
        options.address = address.unwrap_or(options.address);
        Ok(Some(options))
    }

    /// TLS with the certificate of `--cert`, or with a new one. `protocols` are the application protocols in order of
    /// preference.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or written, or has no valid certificate or key. The text names the file.
    pub fn acceptor(&self, protocols: &[&[u8]]) -> Result<TlsAcceptor, String> {
        let origin;
        let (certificates, key) =
            if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
                origin = format!(
                    "the certificate {} and the key {}",
                    certificate.display(),
                    key.display()
                );
                (read_certificates(certificate)?, read_key(key)?)
            } else {
                origin = String::from("the new certificate");
                self.make_certificate()?
            };
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|error| format!("cannot use {origin}: {error}"))?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn make_certificate(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
        let made = rcgen::generate_simple_self_signed(names)
            .map_err(|error| format!("cannot make a certificate: {error}"))?;
        if let Some(file) = &self.write {
            fs::write(file, made.cert.pem())
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        }
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
            .map_err(|error| format!("cannot use the new key: {error}"))?;
        Ok((vec![made.cert.der().clone()], key))
    }
}

/// TLS for a client that trusts the certificates in `file`, with these application protocols in order of preference.
///
/// # Errors
///
/// If the file cannot be read or has no valid certificate. The text names the file.
pub fn connector(file: &Path, protocols: &[&[u8]]) -> Result<TlsConnector, String> {
    let mut config = trust(file)?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The configuration of a client that trusts the certificates in `file`.
///
/// # Errors
///
/// As [`connector`].
pub fn trust(file: &Path) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| format!("cannot use a certificate of {}: {error}", file.display()))?;
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot = |error| format!("cannot read the certificates {}: {error}", file.display());
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(cannot)?;
    if certificates.is_empty() {
        return Err(format!("{} contains no certificate", file.display()));
    }
    Ok(certificates)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| format!("cannot read the key {}: {error}", file.display()))
}

/// Makes the TLS handshake with a client, which has `patience` for it.
///
/// # Errors
///
/// If the handshake fails or is too slow. Most such clients do not trust the certificate or do not use TLS.
pub async fn accept(
    acceptor: &TlsAcceptor,
    transport: TcpStream,
    patience: Duration,
) -> Result<TlsStream<TcpStream>, String> {
    // The handshake takes several steps. If the process was stopped, all of them are late at the same time.
    let accepted = example_tokio::within(patience, acceptor.accept(transport)).await;
    accepted
        .ok_or_else(|| String::from("the TLS handshake was too slow"))?
        .map_err(|error| format!("the TLS handshake failed: {error}"))
}
