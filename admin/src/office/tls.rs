//! TLS of the listener for operators.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::parse_x509_certificate;

use super::OpenError;

/// The files of the listener's TLS.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Its certificate with those between it and the authority, in PEM.
    pub certificate: PathBuf,
    /// The private key of the certificate, in PEM.
    pub key: PathBuf,
    /// The authorities of operators' certificates, in PEM; `None`: none is asked for.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// Reads the files as [`Office::open`](super::Office::open) would.
    ///
    /// # Errors
    ///
    /// The first file that is not good, and why.
    pub fn check(&self) -> Result<(), OpenError> {
        config(self).map(drop)
    }
}

fn wrong(file: &Path, what: impl Display) -> OpenError {
    OpenError::Tls(format!("{}: {what}", file.display()))
}

/// Reads the files. A certificate is asked of operators but not demanded: a token does as well.
///
/// # Errors
///
/// The first file that is not good, and why.
pub(super) fn config(files: &TlsFiles) -> Result<ServerConfig, OpenError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, error))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&files.certificate, error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(ca)? {
                roots.add(certificate).map_err(|error| wrong(ca, error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier.allow_unauthenticated().build();
            builder.with_client_cert_verifier(verifier.map_err(|error| wrong(ca, error))?)
        }
    };
    builder
        .with_single_cert(certificates(&files.certificate)?, key)
        .map_err(|error| wrong(&files.certificate, error))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let all = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|error| wrong(file, error))?;
    if all.is_empty() {
        return Err(wrong(file, "holds no certificate in PEM form"));
    }
    Ok(all)
}

/// Whose certificate it is: the common name of its subject.
pub(super) fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    Some(name.to_owned())
}
