//! Puts the hub's key into every request, since the suite cannot. Nothing else is changed and nothing is held back.
//!
//! Each connection carries one request: the head is all that has to be understood, the rest is copied as it comes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

const HEAD_LIMIT: usize = 64 * 1024;

/// A listener that has a hub to be put behind it. It ends with its scope.
#[derive(Debug)]
pub(crate) struct Shim {
    /// What the hub has to answer to: requests name it as their host.
    pub(crate) address: SocketAddr,
    listener: Option<TcpListener>,
    task: Option<AbortHandle>,
}

impl Shim {
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        Self { address, listener: Some(listener), task: None }
    }

    /// Carries what comes from now on to the hub at `http://ADDRESS`, with that key.
    pub(crate) fn relay_to(&mut self, hub: &str, key: &str) {
        let listener = self.listener.take().expect("one hub for a shim");
        let hub = hub.strip_prefix("http://").expect("the hub's address").to_owned();
        let authorization = format!("Authorization: Bearer {key}");
        self.task = Some(spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                connections.spawn(relay(client, hub.clone(), authorization.clone()));
                while connections.try_join_next().is_some() {}
            }
        }));
    }

    /// The URL of an endpoint of the hub.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        self.task.iter().for_each(AbortHandle::abort);
    }
}

#[expect(clippy::disallowed_methods, reason = "the shim has no driver, and ends with its test")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    tokio::spawn(task).abort_handle()
}

/// Carries one request and its response. When an end goes away, so does the other.
async fn relay(mut client: TcpStream, hub: String, authorization: String) {
    let Some((head, rest)) = head(&mut client).await else { return };
    let mut hub = TcpStream::connect(hub).await.expect("the hub listens");
    let (request_line, fields) = head.split_once("\r\n").expect("a request line");
    let fields = fields.split("\r\n").filter(|field| {
        let name = field.split(':').next().unwrap_or_default();
        !name.eq_ignore_ascii_case("connection") && !name.eq_ignore_ascii_case("keep-alive")
    });
    let mut request = format!("{request_line}\r\n{authorization}\r\nConnection: close\r\n");
    fields.for_each(|field| request.extend([field, "\r\n"]));
    request.push_str("\r\n");
    let _gone = hub.write_all(request.as_bytes()).await;
    let _gone = hub.write_all(&rest).await;
    let _gone = copy_bidirectional(&mut client, &mut hub).await;
}

/// The head of a request without the empty line, and what came along of the body.
async fn head(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            read.truncate(end);
            return Some((String::from_utf8(read).expect("a head is a text"), rest));
        }
        assert!(read.len() < HEAD_LIMIT, "the head of a request has no end");
        if client.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}
