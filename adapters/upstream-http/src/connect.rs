//! The one way out: every connection of this crate is made here, to an address that the guard has let pass.
//!
//! The host is resolved for each connection anew, all answers are checked, and the connection goes to one of those
//! very addresses, so a name that changes its mind between the check and the use gains nothing.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use orch_core::Limits;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tower_service::Service;
use url::Host;

use crate::guard::{Destination, Guard};
use crate::pipe::Pipe;

/// The pause before the next address is tried as well.
const STAGGER: Duration = Duration::from_millis(250);
/// The most addresses of one host that are tried.
const ADDRESSES: usize = 8;
/// A silent connection is probed after this time: a stream may be silent for hours, and its peer long gone.
const PROBE_AFTER: Duration = Duration::from_secs(30);
/// The pause between two probes.
const PROBE_EACH: Duration = Duration::from_secs(10);

/// An address for documentation, which no machine has.
const NOBODYS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// There is no connection, and so nothing was sent. Words for people, with the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotConnected(pub(crate) String);

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NotConnected {}

/// Connects to one server.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) to: Destination,
    pub(crate) guard: Arc<Guard>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) limits: Arc<Limits>,
}

impl Connector {
    /// The server's addresses, when all of them pass.
    pub(crate) async fn addresses(&self) -> Result<Vec<SocketAddr>, NotConnected> {
        let port = self.to.port;
        let found: Vec<SocketAddr> = match &self.to.host {
            Host::Ipv4(address) => vec![(*address, port).into()],
            Host::Ipv6(address) => vec![(*address, port).into()],
            Host::Domain(name) => {
                let words = |why: &str| NotConnected(format!("{name} {why}"));
                let patience = self.limits.remote_dns;
                let answer = timeout(patience, lookup_host((name.as_str(), port))).await;
                let late = || {
                    format!(
                        "was not resolved {}: is the name server reachable?",
                        within(patience, "remote_dns")
                    )
                };
                let answer = answer.map_err(|_| words(&late()))?;
                answer.map_err(|_| words("is not known to the name server: is the URL right?"))?.collect()
            }
        };
        let addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
        let verdict = self.guard.check(&self.to, &addresses, is_own);
        verdict.map_err(|refusal| NotConnected(refusal.to_string()))?;
        if found.is_empty() {
            return Err(NotConnected(format!("{} has no address: is the URL right?", self.to.host)));
        }
        Ok(found)
    }

    async fn connect(self) -> Result<Pipe, NotConnected> {
        let mut addresses = self.addresses().await?;
        addresses.truncate(ADDRESSES);
        let patience = self.limits.remote_connect;
        let stream = match timeout(patience, first_of(&addresses)).await {
            Ok(stream) => stream.map_err(|error| self.words(&error))?,
            Err(_late) => {
                let late = within(patience, "remote_connect");
                return Err(NotConnected(format!("{} did not accept a connection {late}", self.to)));
            }
        };
        let tuned = prepare(&stream);
        let peer = tuned.and_then(|()| stream.peer_addr()).map_err(|error| self.words(&error))?;
        if !addresses.contains(&peer) {
            return Err(NotConnected(format!("{} was reached at an address that was not checked", self.to)));
        }
        if self.to.secure { self.secure(stream).await } else { Ok(Pipe::new(stream)) }
    }

    async fn secure(self, stream: TcpStream) -> Result<Pipe, NotConnected> {
        let name = match &self.to.host {
            Host::Domain(name) => ServerName::try_from(name.clone()),
            Host::Ipv4(address) => Ok(IpAddr::V4(*address).into()),
            Host::Ipv6(address) => Ok(IpAddr::V6(*address).into()),
        };
        let name = name.map_err(|_| NotConnected(format!("{} is no name for TLS", self.to.host)))?;
        let patience = self.limits.remote_tls;
        match timeout(patience, TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Pipe::new(stream)),
            Ok(Err(error)) => {
                Err(NotConnected(format!("TLS with {} failed: {}", self.to, tls_words(&error))))
            }
            Err(_late) => {
                let late = within(patience, "remote_tls");
                Err(NotConnected(format!("{} did not finish the TLS handshake {late}", self.to)))
            }
        }
    }

    fn words(&self, error: &io::Error) -> NotConnected {
        let to = &self.to;
        NotConnected(if error.kind() == ErrorKind::ConnectionRefused {
            format!("connection refused by {to}: is the server running?")
        } else {
            format!("{to} cannot be reached: {}", error.kind())
        })
    }
}

impl Service<Uri> for Connector {
    type Response = Pipe;
    type Error = NotConnected;
    type Future = Pin<Box<dyn Future<Output = Result<Pipe, NotConnected>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NotConnected>> {
        Poll::Ready(Ok(()))
    }

    /// Whatever the request says, the connection goes to the one server that was checked.
    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// Whether the address is one of this machine's: no other can be bound to, unless the machine is set up to bind to any.
fn is_own(address: IpAddr) -> bool {
    let binds = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
    binds(address) && !binds(NOBODYS)
}

/// The first connection that comes about; each address is given a head start before the next.
async fn first_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut start = Duration::ZERO;
    for &address in addresses {
        attempts.spawn(async move {
            sleep(start).await;
            TcpStream::connect(address).await
        });
        start += STAGGER;
    }
    let mut last = ErrorKind::NotFound.into();
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_ended) => {}
        }
    }
    Err(last)
}

/// Says how long was waited, and what bounds it.
fn within(patience: Duration, limit: &str) -> String {
    format!("within {} s (limit {limit})", patience.as_secs_f32())
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EACH);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}

fn tls_words(error: &io::Error) -> String {
    use rustls::{CertificateError, Error};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "its certificate is from an authority that is not trusted here: if it should be, start the hub with --upstream-ca FILE".to_owned()
        }
        Some(Error::InvalidMessage(_)) => "it does not speak TLS: is it http://?".to_owned(),
        Some(other) => other.to_string(),
        None => error.kind().to_string(),
    }
}
