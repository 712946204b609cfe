//! TLS that ends before a hub, as at a proxy: whatever comes is passed on, byte for byte.

use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Front {
    pub(crate) port: u16,
    /// The authority of its certificate, in PEM.
    pub(crate) authority: String,
    behind: Arc<OnceLock<String>>,
    _serving: JoinSet<()>,
}

impl Front {
    /// With a certificate for `localhost`. A hub has to be told of its port before there is a hub to lead to.
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (authority, acceptor) = authority();
        let behind: Arc<OnceLock<String>> = Arc::default();
        let known = Arc::clone(&behind);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), Arc::clone(&known));
                connections.spawn(async move {
                    // Who does not trust the certificate leaves.
                    let Ok(mut outer) = acceptor.accept(stream).await else { return };
                    let hub = behind.get().expect("it leads somewhere");
                    let mut inner = TcpStream::connect(hub).await.expect("a hub");
                    let _ended = copy_bidirectional(&mut outer, &mut inner).await;
                });
            }
        });
        Self { port, authority, behind, _serving: serving }
    }

    /// Leads to what listens at an address.
    pub(crate) fn lead_to(&self, url: &str) {
        let address = url.trim_start_matches("http://").to_owned();
        self.behind.set(address).expect("it leads to one hub");
    }
}

fn authority() -> (String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let root = params.self_signed(&key).expect("a certificate");
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let own = own.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .expect("a certificate");
    (root.pem(), TlsAcceptor::from(Arc::new(config)))
}
