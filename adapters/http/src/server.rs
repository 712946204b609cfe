//! The accept loop and the graceful end.

use hyper::server::conn::http1;
use orch_core::Limits;
use orch_core::ports::gateway::Gateway;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::accept::{Backoff, Seats, turn_away};
use crate::connection;
use crate::exchange::Face;
use crate::hosts::HostPolicy;

/// Says whether the hub serves, for `/readyz`.
pub type Ready = Arc<dyn Fn() -> bool + Send + Sync>;

/// The HTTP face of a gateway.
pub struct Server<G: ?Sized> {
    /// Where connections come from.
    pub listeners: Vec<TcpListener>,
    /// Whom requests are carried to.
    pub gateway: Arc<G>,
    /// Which names are served.
    pub hosts: HostPolicy,
    /// The bounds.
    pub limits: Arc<Limits>,
    /// What `/readyz` asks.
    pub ready: Ready,
    /// Cancelled when somebody else accepts from the same listeners, now or as soon as this server is gone.
    pub heir: CancellationToken,
}

impl<G: ?Sized> fmt::Debug for Server<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listeners", &self.listeners)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

impl<G: Gateway + ?Sized> Server<G> {
    /// Serves until `stop` is cancelled, then drains.
    ///
    /// Draining, idle connections are closed, and exchanges under way have [`Limits::drain`] to end; what would never end
    /// by itself is ended by the gateway. Until they have ended, new connections are good for one request each: a call
    /// may wait for what its client has still to say. Where there is an heir, connections are left to it as soon as those
    /// have ended that were there before, and after half of that time at the latest: they wait in the listeners' queues.
    /// Returns how many connections had to be cut after that. Dropping the future cuts all of them.
    pub async fn serve(self, stop: CancellationToken) -> usize {
        let Self { listeners, gateway, hosts, limits, ready, heir } = self;
        let mut connections = Connections {
            seats: Seats::new(Arc::clone(&limits)),
            http: Arc::new(connection::protocol(&limits)),
            draining: false,
            face: Arc::new(Face { gateway, hosts, limits, ready }),
            tasks: JoinSet::new(),
        };
        let patience = connections.face.limits.drain;
        connections.accept_from(&listeners, &stop).await;
        connections.http = Arc::new(connection::last(&connections.face.limits));
        let (end, never) = (Instant::now() + patience, CancellationToken::new());
        let mut before = JoinSet::new();
        if heir.is_cancelled() {
            before = std::mem::take(&mut connections.tasks);
            let as_long_as_they_are_there = async {
                tokio::select! {
                    () = all(&mut before) => {}
                    () = connections.accept_from(&listeners, &never) => {}
                }
            };
            let _late = timeout(patience / 2, as_long_as_they_are_there).await;
        } else {
            connections.draining = true;
            let _late = timeout_at(end, connections.accept_from(&listeners, &never)).await;
        }
        drop(listeners);
        let ended = async {
            all(&mut before).await;
            all(&mut connections.tasks).await;
        };
        let _late = timeout_at(end, ended).await;
        cut(before).await.saturating_add(cut(connections.tasks).await)
    }
}

/// The connections that are served, and what they share.
struct Connections<G: ?Sized> {
    seats: Arc<Seats>,
    http: Arc<http1::Builder>,
    /// Whether the server drains, and nobody comes after it.
    draining: bool,
    face: Arc<Face<G>>,
    tasks: JoinSet<()>,
}

impl<G: Gateway + ?Sized> Connections<G> {
    /// Serves whoever comes until `stop`; while the server drains, until nobody is there.
    async fn accept_from(&mut self, listeners: &[TcpListener], stop: &CancellationToken) {
        let (mut backoff, unsent) = (Backoff::default(), self.face.limits.unsent_bytes);
        while !(stop.is_cancelled() || self.draining && self.tasks.is_empty()) {
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = self.tasks.join_next() => note(ended),
                accepted = accept(listeners, unsent) => match accepted {
                    Ok(accepted) => {
                        backoff.succeeded();
                        self.begin(accepted, stop);
                    }
                    Err(error) => {
                        let pause = backoff.failed(&error);
                        tracing::warn!(%error, ?pause, "a connection could not be accepted");
                        // A stop does not wait for the pause.
                        let _ = timeout(pause, stop.cancelled()).await;
                    }
                },
            }
        }
    }

    fn begin(&mut self, accepted: Accepted, stop: &CancellationToken) {
        let Accepted { stream, peer, bound } = accepted;
        let seat = match self.seats.take(peer.ip()) {
            Ok(seat) => seat,
            Err(exceeded) => {
                tracing::debug!(%peer, %exceeded, "connection turned away");
                if let Err(error) = turn_away(stream, exceeded) {
                    tracing::debug!(%peer, %error, "connection turned away without an answer");
                }
                return;
            }
        };
        let (face, http, stop) = (Arc::clone(&self.face), Arc::clone(&self.http), stop.child_token());
        self.tasks.spawn(async move {
            connection::serve(&http, face, stream, bound, stop).await;
            drop(seat);
        });
    }
}

/// Cuts the connections that are left.
async fn cut(mut connections: JoinSet<()>) -> usize {
    let cut = connections.len();
    if cut > 0 {
        tracing::warn!(cut, "connections cut after the drain time");
    }
    connections.shutdown().await;
    cut
}

/// A connection, as a listener gives it.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    bound: SocketAddr,
}

/// The next connection of any listener, for which the system holds at most so many bytes `unsent`.
async fn accept(listeners: &[TcpListener], unsent: u32) -> io::Result<Accepted> {
    let (listener, (stream, peer)) = poll_fn(|cx| {
        listeners
            .iter()
            .find_map(|listener| match listener.poll_accept(cx) {
                Poll::Ready(accepted) => Some(Poll::Ready(accepted.map(|accepted| (listener, accepted)))),
                Poll::Pending => None,
            })
            .unwrap_or(Poll::Pending)
    })
    .await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "small writes may be delayed");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(unsent) {
        tracing::debug!(%peer, %error, "the system may hold more for it than the hub knows");
    }
    Ok(Accepted { stream, peer, bound: listener.local_addr()? })
}

/// Ready when all connections have ended.
async fn all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        note(ended);
    }
}

/// A panic while one connection was served ends that connection only.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}
