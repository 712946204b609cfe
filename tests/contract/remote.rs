//! Remote servers for the contract: over HTTP+SSE, where a link is a pipe of messages like any other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::upstream::{LaunchSpec, Upstreams};
use orch_core::record::{RemoteKind, ServerSpec, Transport};
use orch_upstream_http::{Allowed, HttpUpstreams};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::peers::{Peer, Peers};

/// One server for all peers: the path of a stream says which of them it is.
pub(crate) struct RemotePeers {
    upstreams: HttpUpstreams,
    port: u16,
    runtime: Runtime,
}

/// Where the messages go that were posted to a stream's endpoint, by its number.
type Echoes = Mutex<Vec<Sender<Vec<u8>>>>;

impl RemotePeers {
    pub(crate) fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (echoes, handle) = (Arc::new(Echoes::default()), runtime.handle().clone());
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                handle.spawn(serve(stream, Arc::clone(&echoes)));
            }
        });
        let (allowed, of) = (Allowed::parse(["127.0.0.1"]).unwrap(), runtime.handle().clone());
        let upstreams = HttpUpstreams::new(allowed, None, Limits::default(), of).unwrap();
        Self { upstreams, port, runtime }
    }
}

impl Drop for RemotePeers {
    fn drop(&mut self) {
        let drained = async { tokio::time::timeout(crate::link::PATIENCE, self.upstreams.drained()).await };
        let drained = self.runtime.block_on(drained);
        assert!(drained.is_ok() || std::thread::panicking(), "something is left of a link");
    }
}

impl Peers for RemotePeers {
    fn upstreams(&self) -> &dyn Upstreams {
        &self.upstreams
    }

    fn launch(&self, peer: Peer) -> LaunchSpec {
        let url = match peer {
            Peer::Missing => "http://10.0.0.1/sse".to_owned(),
            Peer::Counter | Peer::Deaf | Peer::Echo | Peer::Longwinded | Peer::Silent => {
                format!("http://127.0.0.1:{}/{peer:?}", self.port)
            }
        };
        let transport = Transport::Remote { kind: RemoteKind::Sse, url, headers: BTreeMap::new() };
        LaunchSpec {
            project: "default".into(),
            server: "peer".into(),
            spec: ServerSpec::new(transport),
            message_bytes: 1 << 20,
            queue_bytes: 4 << 20,
        }
    }

    /// Over HTTP the adapter looks at what it sends. Notifications keep their order.
    fn message(&self, json: &str) -> Bytes {
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/x","params":{{"it":{json}}}}}"#).into()
    }
}

/// Serves one connection.
async fn serve(stream: TcpStream, echoes: Arc<Echoes>) {
    let mut stream = BufReader::new(stream);
    while let Some(head) = head(&mut stream).await {
        let target = head.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
        if head.starts_with("GET ") {
            let _gone = tell(&mut stream, &target, &echoes).await;
            return;
        }
        if head.starts_with("POST ") {
            hear(&mut stream, &head, &target, &echoes).await;
        }
        let accepted = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
        if stream.write_all(accepted).await.is_err() {
            return;
        }
    }
}

/// The event stream of a peer.
async fn tell(stream: &mut BufReader<TcpStream>, peer: &str, echoes: &Echoes) -> std::io::Result<()> {
    let (number, mut echo) = stand_by(echoes);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let endpoint = format!("{head}event: endpoint\ndata: /{peer}/{number}\n\n");
    stream.write_all(endpoint.as_bytes()).await?;
    match peer {
        "Counter" => {
            let all: Vec<String> = (1..=10_000).map(|number| format!("data: {number}\n\n")).collect();
            return stream.write_all(all.concat().as_bytes()).await;
        }
        "Longwinded" => {
            let long = "x".repeat(2_000_000);
            stream.write_all(format!("data: first\n\ndata: {long}\n\n").as_bytes()).await?;
        }
        _ => {}
    }
    while let Some(message) = echo.recv().await {
        stream.write_all(&[b"data: ", &*message, b"\n\n"].concat()).await?;
    }
    Ok(())
}

fn stand_by(echoes: &Echoes) -> (usize, Receiver<Vec<u8>>) {
    let (sender, echo) = channel(16);
    let mut echoes = echoes.lock().unwrap();
    echoes.push(sender);
    (echoes.len() - 1, echo)
}

/// A message that is posted to an endpoint.
async fn hear(stream: &mut BufReader<TcpStream>, head: &str, target: &str, echoes: &Echoes) {
    let (peer, number) = target.split_once('/').unwrap();
    if peer == "Deaf" {
        std::future::pending::<()>().await;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    if peer == "Echo" {
        let echo = echoes.lock().unwrap().get(number.parse::<usize>().unwrap()).unwrap().clone();
        let _gone = echo.send(body).await;
    }
}

/// The head of the next request, if there is one.
async fn head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
