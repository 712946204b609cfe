//! The way to a hub: straight, or through TLS that ends before it.

use std::fmt;
use std::io;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use http::Uri;
use orch_upstream_http::tls_config;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, Error};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where a hub is reached.
pub(crate) struct Way {
    address: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection, secure or not.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Way {
    /// Reads an address. `ca` is a PEM file of authorities that are trusted beside the public ones.
    pub(crate) fn to(address: &str, ca: Option<&Path>) -> anyhow::Result<Self> {
        let form = || format!("--url is http://HOST:PORT or https://HOST, not {address:?}");
        let uri: Uri = address.parse().with_context(form)?;
        let Some(host) = uri.host().map(|host| host.trim_matches(['[', ']']).to_owned()) else {
            bail!(form())
        };
        let (secure, port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => bail!(form()),
        };
        if uri.query().is_some() || uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            bail!(form());
        }
        let tls = if secure {
            let own = |file: &Path| {
                std::fs::read(file).with_context(|| format!("--ca: reading {}", file.display()))
            };
            let config = tls_config(ca.map(own).transpose()?.as_deref()).context("--ca")?;
            let name =
                ServerName::try_from(host.clone()).map_err(|_| anyhow!("{host} is no name for TLS"))?;
            Some((TlsConnector::from(config), name))
        } else {
            None
        };
        Ok(Self { port: uri.port_u16().unwrap_or(port), address: uri, host, tls })
    }

    /// Host and port, as the address has them.
    pub(crate) fn authority(&self) -> &str {
        self.address.authority().map_or("", |it| it.as_str())
    }

    /// What comes before the paths of the hub; empty in most addresses.
    pub(crate) fn path(&self) -> &str {
        self.address.path().trim_end_matches('/')
    }

    pub(crate) async fn connect(&self) -> anyhow::Result<Box<dyn Connection>> {
        let none = || format!("no hub answers at {self} (mcp-orch serve starts one)");
        let stream = TcpStream::connect((&*self.host, self.port)).await.with_context(none)?;
        let Some((tls, name)) = &self.tls else { return Ok(Box::new(stream)) };
        match tls.connect(name.clone(), stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => bail!("no secure connection to {self}: {}", words(&error)),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.authority())
    }
}

fn words(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "its certificate is from an authority that is not trusted here; --ca FILE names one that is"
                .to_owned()
        }
        Some(Error::InvalidMessage(_)) => "it does not speak TLS; is it http://?".to_owned(),
        Some(other) => other.to_string(),
        None => error.to_string(),
    }
}
