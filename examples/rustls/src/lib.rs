//! TLS for the example servers on tokio: certificates from files, or one that is made for the occasion.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// How long a client may take for the TLS handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the command line says: where to listen, and with which certificate.
#[derive(Debug)]
pub struct Options {
    pub address: String,
    certificate: Option<String>,
    key: Option<String>,
    write: Option<String>,
}

impl Options {
    /// Reads the command line; `None` if it only asks for help, which is given.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(name: &str) -> Result<Option<Self>, String> {
        let usage = format!("usage: {name} [ADDRESS] [--cert FILE --key FILE | --write-cert FILE]");
        let mut options = Self {
            address: String::new(),
            certificate: None,
            key: None,
            write: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let place = match argument.as_str() {
                "--help" | "-h" => {
                    example_tokio::command_line::say(&usage);
                    return Ok(None);
                }
                "--cert" => &mut options.certificate,
                "--key" => &mut options.key,
                "--write-cert" => &mut options.write,
                _ if !argument.starts_with('-') && options.address.is_empty() => {
                    options.address = argument;
                    continue;
                }
                _ => return Err(format!("unexpected argument {argument:?}\n{usage}")),
            };
            let file = arguments.next();
            *place = Some(file.ok_or_else(|| format!("{argument} needs a file\n{usage}"))?);
        }
        if options.certificate.is_some() != options.key.is_some()
            || options.certificate.is_some() && options.write.is_some()
        {
            return Err(format!(
                "--cert and --key go together, without --write-cert\n{usage}"
            ));
        }
        if options.address.is_empty() {
            options.address = String::from("127.0.0.1:8443");
        }
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
                origin = format!("the certificate {certificate} and the key {key}");
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
                .map_err(|error| format!("cannot write {file}: {error}"))?;
        }
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
            .map_err(|error| format!("cannot use the key that was made: {error}"))?;
        Ok((vec![made.cert.der().clone()], key))
    }
}

fn read_certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot = |error| format!("cannot read the certificate {file}: {error}");
    let certificates = CertificateDer::pem_file_iter(Path::new(file))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(cannot)?;
    if certificates.is_empty() {
        return Err(format!("there is no certificate in {file}"));
    }
    Ok(certificates)
}

fn read_key(file: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(Path::new(file))
        .map_err(|error| format!("cannot read the key {file}: {error}"))
}

/// The client behind TLS.
///
/// # Errors
///
/// Why there is none: mostly it does not trust the certificate, or speaks no TLS.
pub async fn accept(
    acceptor: &TlsAcceptor,
    transport: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    // It takes several steps. After a time in which the process stood still, each of them is late at once.
    let accepted = example_tokio::within(PATIENCE, acceptor.accept(transport)).await;
    accepted
        .ok_or_else(|| String::from("no TLS handshake in time"))?
        .map_err(|error| format!("no TLS: {error}"))
}
