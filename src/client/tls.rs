//! The TLS of the commands that connect to a broker.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, crypto::aws_lc_rs,
};
use strowger_client::load::Security;

use crate::failure::Failure;

/// The port of MQTT without TLS, and with it, as registered with IANA.
const PORT: u16 = 1883;
const PORT_SECURE: u16 = 8883;

#[derive(Debug, Clone, Args)]
#[group(skip)]
#[command(next_help_heading = "TLS")]
pub(crate) struct Options {
    /// Connect over TLS; the options below imply it
    #[arg(long)]
    tls: bool,
    /// PEM file of the authorities that are trusted [default: the system's]
    #[arg(long, value_name = "FILE")]
    cafile: Option<PathBuf>,
    /// PEM file of this client's certificate
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Accept a certificate that is good, but for another host name
    #[arg(long)]
    insecure: bool,
}

impl Options {
    pub(crate) fn is_on(&self) -> bool {
        self.tls || self.insecure || self.cafile.is_some() || self.cert.is_some()
    }

    /// The port to connect to where none is given.
    pub(crate) fn port(&self) -> u16 {
        if self.is_on() { PORT_SECURE } else { PORT }
    }

    /// TLS towards `host`, if it was asked for.
    ///
    /// # Errors
    ///
    /// Names the file that cannot be used, and why.
    pub(crate) fn security(&self, host: &str) -> Result<Option<Security>, Failure> {
        if !self.is_on() {
            return Ok(None);
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let server_name = ServerName::try_from(bare.to_owned())
            .map_err(|_| Failure::Usage(format!("\"{host}\" is no name that a certificate could be for")))?;
        Ok(Some(Security {
            config: Arc::new(self.config()?),
            server_name,
        }))
    }

    fn config(&self) -> Result<ClientConfig, Failure> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(self.authorities()?), Arc::clone(&provider))
                .build()
                .map_err(|error| {
                    Failure::Usage(format!("no authority to trust ({error}); name some with --cafile FILE"))
                })?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::Usage(format!("TLS: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(if self.insecure {
                Arc::new(AnyName(verifier))
            } else {
                verifier
            });
        let mut config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let chain = certificates(cert)?;
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
                builder
                    .with_client_auth_cert(chain, private)
                    .map_err(|error| Failure::Usage(format!("{} and {}: {error}", cert.display(), key.display())))?
            }
            (_, _) => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"mqtt".to_vec()];
        // Each client of a load stands for a device of its own.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn authorities(&self) -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        match &self.cafile {
            Some(file) => {
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|error| unusable(file, &error))?;
                }
            }
            None => {
                // Some of the system's may be of a kind that rustls does not take.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        Ok(roots)
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unusable(file, &error))?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| unusable(file, &error))?;
    if certificates.is_empty() {
        return Err(unusable(file, &"there is no certificate in it"));
    }
    Ok(certificates)
}

fn unusable(file: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::Usage(format!("cannot use {}: {why}; a PEM file is wanted", file.display()))
}

/// Takes a certificate of a trusted authority whatever name it is for.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The name is looked at last, when all else is found good.
        match self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
