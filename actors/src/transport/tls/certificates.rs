//! From the files of a listener to what rustls works with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::parse_x509_certificate;

use crate::settings::TlsSettings;

/// Session tickets that a client is sent: one is what a client that comes back needs.
const TICKETS: usize = 1;

/// A file of a listener's TLS that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", file.display())]
pub struct TlsError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, and the remedy.
    pub what: String,
}

fn wrong(file: &Path, what: impl ToString) -> TlsError {
    TlsError {
        file: file.to_owned(),
        what: what.to_string(),
    }
}

/// What the files give.
pub(super) struct Certified {
    pub(super) config: ServerConfig,
    /// The file of each certificate that is shown, and the second since 1970 after which it is good no more.
    pub(super) ends: Vec<(String, i64)>,
}

/// Reads all files.
///
/// # Errors
///
/// The first file that is not good.
pub(super) fn certify(settings: &TlsSettings, is_http: bool) -> Result<Certified, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut keys = Vec::new();
    let mut ends = Vec::new();
    for (chain, key) in &settings.certificates {
        let (certified, end) = read_pair(chain, key, &provider)?;
        keys.push(Arc::new(certified));
        ends.push((chain.display().to_string(), end));
    }
    let first = settings.certificates.first().map(|(chain, _)| chain.as_path());
    let first = first.unwrap_or(Path::new(""));
    let versions = if settings.tls13_only {
        &[&TLS13][..]
    } else {
        &[&TLS13, &TLS12]
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| wrong(first, error))?;
    let builder = match &settings.client_ca {
        Some(ca) => builder.with_client_cert_verifier(verifier(ca, settings, provider)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(ByName(keys)));
    config.send_tls13_tickets = TICKETS;
    // rustls lets clients in that offer no protocol at all, and refuses those that offer others only.
    config.alpn_protocols = vec![if is_http {
        b"http/1.1".to_vec()
    } else {
        b"mqtt".to_vec()
    }];
    if settings.client_ca.is_some() {
        // A session that is taken up again is not verified again: a certificate that was revoked would stay good.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Certified { config, ends })
}

fn read_pair(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<(CertifiedKey, i64), TlsError> {
    let certificates: Vec<CertificateDer<'static>> = read_all(chain, "certificate")?;
    let end = certificates.first().map(|own| parse_x509_certificate(own));
    let end = match end {
        Some(Ok((_, own))) => own.validity().not_after.timestamp(),
        Some(Err(error)) => return Err(wrong(chain, format!("no X.509 certificate: {error}"))),
        None => return Err(wrong(chain, "holds no certificate")),
    };
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, format!("no private key: {}", said(&error))))?;
    let signing = provider
        .key_provider
        .load_private_key(private)
        .map_err(|error| wrong(key, format!("a private key that cannot be used: {error}")))?;
    let certified = CertifiedKey::new(certificates, signing);
    certified
        .keys_match()
        .map_err(|_| wrong(key, format!("is not the private key of {}", chain.display())))?;
    Ok((certified, end))
}

/// Reads all items of one kind in a PEM file; at least one.
fn read_all<T: PemObject>(file: &Path, kind: &str) -> Result<Vec<T>, TlsError> {
    let items = T::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<T>, _>>);
    let items = items.map_err(|error| wrong(file, said(&error)))?;
    if items.is_empty() {
        return Err(wrong(file, format!("holds no {kind} in PEM form")));
    }
    Ok(items)
}

fn said(error: &rustls::pki_types::pem::Error) -> String {
    if let rustls::pki_types::pem::Error::Io(error) = error {
        return error.to_string();
    }
    format!("not good PEM: {error}")
}

fn verifier(
    ca: &Path,
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_all::<CertificateDer<'static>>(ca, "certificate")? {
        roots.add(certificate).map_err(|error| wrong(ca, error))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    for file in &settings.client_crls {
        let lists = read_all::<CertificateRevocationListDer<'static>>(file, "revocation list")?;
        builder = builder.with_crls(lists).enforce_revocation_expiration();
    }
    if !settings.client_certificate_required {
        builder = builder.allow_unauthenticated();
    }
    let culprit = settings.client_crls.first().map_or(ca, PathBuf::as_path);
    builder.build().map_err(|error| wrong(culprit, error))
}

/// The certificates of one listener. Never empty.
#[derive(Debug)]
struct ByName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let first = self.0.first()?;
        let wanted = hello.server_name().filter(|_| self.0.len() > 1);
        let wanted = wanted.and_then(|name| ServerName::try_from(name).ok());
        let is_for = |key: &&Arc<CertifiedKey>| {
            let own = key
                .end_entity_cert()
                .ok()
                .and_then(|own| ParsedCertificate::try_from(own).ok());
            let name = wanted.as_ref();
            own.zip(name)
                .is_some_and(|(own, name)| verify_server_name(&own, name).is_ok())
        };
        Some(Arc::clone(self.0.iter().find(is_for).unwrap_or(first)))
    }
}
