//! Writes a certificate for a TLS server on this machine, and the certificate of the authority that signed it.
//!
//! `cert.pem` and `key.pem` are for the server, for localhost, 127.0.0.1 and `::1`. `ca.pem` is for its clients.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;
use loops::{Failure, command_line};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

fn main() -> ExitCode {
    let usage = "usage: certificate FOLDER";
    command_line::run("certificate", usage, folder, async |folder| {
        write(&folder).map_err(|error| Failure::Unable(format!("{}: {error}", folder.display())))
    })
}

fn folder(arguments: &mut lexopt::Parser) -> Result<Option<PathBuf>, lexopt::Error> {
    let mut folder = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Value(value) if folder.is_none() => folder = Some(PathBuf::from(value)),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(folder.ok_or("no folder")?))
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
