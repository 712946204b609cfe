//! Whom the hub trusts on TLS: the authorities that browsers trust, and those that the operator adds.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The operator's own authorities cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRoots(String);

impl fmt::Display for BadRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificates of own authorities are not usable: {}", self.0)
    }
}

impl std::error::Error for BadRoots {}

/// How connections for HTTP/1.1 are made secure. `own_roots` are certificates in PEM, at least one.
pub fn tls_config(own_roots: Option<&[u8]>) -> Result<Arc<ClientConfig>, BadRoots> {
    let bad = |error: &dyn fmt::Display| BadRoots(error.to_string());
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let public = roots.len();
    for root in own_roots.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        let root = root.map_err(|error| bad(&error))?;
        roots.add(root).map_err(|error| bad(&error))?;
    }
    if own_roots.is_some() && roots.len() == public {
        return Err(bad(&"there is no certificate in PEM in it"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&error))?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
