//! With which certificate is TLS spoken?

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsPlan;
use crate::error::{Error, Result};

/// Reads the certificate and its key.
///
/// **Errors:** invalid, with key, file and what is wrong.
pub(super) fn acceptor(plan: &TlsPlan) -> Result<TlsAcceptor> {
    let unreadable = |key: &str, file: &Path, error: pem::Error| {
        let remedy = "cannot be read: give a PEM file";
        Error::invalid(format!("[http] tls.{key} = {}: {remedy}", file.display())).caused_by(error)
    };
    let certificates = CertificateDer::pem_file_iter(&plan.certificate)
        .and_then(|certificates| certificates.collect::<std::result::Result<Vec<_>, _>>())
        .map_err(|error| unreadable("certificate", &plan.certificate, error))?;
    let key = PrivateKeyDer::from_pem_file(&plan.key)
        .map_err(|error| unreadable("key", &plan.key, error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| {
            Error::invalid("[http] tls: certificate and key do not belong together")
                .caused_by(error)
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
