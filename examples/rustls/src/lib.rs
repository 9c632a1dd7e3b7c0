//! TLS for the example servers on tokio: certificates from files, or one that is made for the occasion.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use example_tokio::command_line::{Program, timeout};
use lexopt::Parser;
use lexopt::prelude::*;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sockless::Deadlines;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// What the command line says: where to listen, with which certificate, and how long to wait for clients.
#[derive(Debug)]
pub struct Options {
    pub address: String,
    /// What `--timeout` asks for.
    pub deadlines: Option<Deadlines>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    write: Option<PathBuf>,
}

/// A server that has the arguments of [`Options`].
#[must_use]
pub const fn program(name: &'static str) -> Program {
    Program {
        name,
        arguments: "[ADDRESS] [--cert FILE --key FILE | --write-cert FILE] [--timeout SECONDS]",
        options: "  ADDRESS            where to listen, 127.0.0.1:8443 unless given; port 0 takes a free one
  --cert FILE        the certificate, in PEM; without one, one is made for localhost
  --key FILE         its key, in PEM
  --write-cert FILE  where to put the certificate that is made, for clients that are to trust it",
    }
}

impl Options {
    /// Reads the command line; `None` if it asks for help.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
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
            return Err("--cert and --key go together, without --write-cert".into());
        }
        options.address = address.unwrap_or(options.address);
        Ok(Some(options))
    }

    /// TLS with the certificate that was asked for, and these application protocols, the preferred first.
    ///
    /// Without one it is made for `localhost`, and whoever is to trust it finds it where `--write-cert` says.
    ///
    /// # Errors
    ///
    /// What is wrong with which file.
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
                origin = String::from("the certificate that was made");
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
            .map_err(|error| format!("cannot use the key that was made: {error}"))?;
        Ok((vec![made.cert.der().clone()], key))
    }
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot = |error| format!("cannot read the certificate {}: {error}", file.display());
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(cannot)?;
    if certificates.is_empty() {
        return Err(format!("there is no certificate in {}", file.display()));
    }
    Ok(certificates)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| format!("cannot read the key {}: {error}", file.display()))
}

/// The client behind TLS, for whose handshake it has so long.
///
/// # Errors
///
/// Why there is none: mostly it does not trust the certificate, or speaks no TLS.
pub async fn accept(
    acceptor: &TlsAcceptor,
    transport: TcpStream,
    patience: Duration,
) -> Result<TlsStream<TcpStream>, String> {
    // It takes several steps. After a time in which the process stood still, each of them is late at once.
    let accepted = example_tokio::within(patience, acceptor.accept(transport)).await;
    accepted
        .ok_or_else(|| String::from("no TLS handshake in time"))?
        .map_err(|error| format!("no TLS: {error}"))
}
