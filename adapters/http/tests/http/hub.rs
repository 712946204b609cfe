//! A server under test.

use orch_core::Limits;
use orch_http::{HostPolicy, Server};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::gateway::Scripted;

pub(crate) struct Hub {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Arc<Scripted>,
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) stop: CancellationToken,
    server: JoinSet<usize>,
}

impl Hub {
    pub(crate) async fn start(gateway: Scripted, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, CancellationToken::new(), gateway, limits)
    }

    /// One with an heir, which has the listener too.
    pub(crate) fn with_heir(gateway: Scripted, limits: Limits) -> (Self, TcpListener) {
        let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        first.set_nonblocking(true).unwrap();
        let second = TcpListener::from_std(first.try_clone().unwrap()).unwrap();
        let heir = CancellationToken::new();
        heir.cancel();
        (Self::on(TcpListener::from_std(first).unwrap(), heir, gateway, limits), second)
    }

    fn on(listener: TcpListener, heir: CancellationToken, gateway: Scripted, limits: Limits) -> Self {
        let address = listener.local_addr().unwrap();
        let (gateway, ready, stop) =
            (Arc::new(gateway), Arc::new(AtomicBool::new(true)), CancellationToken::new());
        let is_ready = Arc::clone(&ready);
        let server = Server {
            listeners: vec![listener],
            gateway: Arc::clone(&gateway),
            hosts: HostPolicy::default(),
            limits: Arc::new(limits),
            ready: Arc::new(move || is_ready.load(Ordering::Relaxed)),
            heir,
        };
        let mut task = JoinSet::new();
        task.spawn(server.serve(stop.clone()));
        Self { address, gateway, ready, stop, server: task }
    }

    /// One that answers every exchange with its own body.
    pub(crate) async fn echo(limits: Limits) -> Self {
        Self::start(Scripted::echo(), limits).await
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// A request to this hub, with what follows its request line and Host.
    pub(crate) fn request(&self, line: &str, rest: &str) -> String {
        format!("{line} HTTP/1.1\r\nhost: {}\r\n{rest}", self.address)
    }

    /// A POST of JSON to `/mcp`.
    pub(crate) fn post(&self, body: &str) -> String {
        let rest = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        self.request("POST /mcp", &rest)
    }

    /// A GET in a session.
    pub(crate) fn get(&self, path: &str) -> String {
        self.request(&format!("GET {path}"), "mcp-session-id: S\r\n\r\n")
    }

    /// Waits for the server to end, and says how many connections it cut.
    pub(crate) async fn ended(&mut self) -> usize {
        within(self.server.join_next()).await.unwrap().unwrap()
    }
}

/// What takes longer than this hangs.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("in time")
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
