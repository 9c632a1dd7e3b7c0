//! Writes the certificate that a server on this machine needs for TLS, and the authority that signed it.
//!
//! ```text
//! certificate FOLDER
//! ```
//!
//! `cert.pem` and `key.pem` are for the server, for localhost, 127.0.0.1 and `::1`; `ca.pem` is for its clients.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

fn main() -> ExitCode {
    let folder: Vec<_> = std::env::args_os().skip(1).collect();
    let [folder] = folder.as_slice() else {
        _ = writeln!(std::io::stderr(), "usage: certificate FOLDER");
        return ExitCode::from(2);
    };
    match write(Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let folder = Path::new(folder).display();
            _ = writeln!(std::io::stderr(), "certificate: {folder}: {error}");
            ExitCode::from(2)
        }
    }
}

fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;

    fs::create_dir_all(folder)?;
    fs::write(folder.join("ca.pem"), authority_certificate.pem())?;
    fs::write(folder.join("cert.pem"), certificate.pem())?;
    fs::write(folder.join("key.pem"), key.serialize_pem())?;
    Ok(())
}
