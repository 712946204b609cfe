//! A process without descriptors left. Alone in its binary: the limit that it lowers is the whole process's.

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use orch_core::Limits;
    use orch_core::ports::BoxFuture;
    use orch_core::ports::gateway::{Admission, Gateway, Head, Reply};
    use orch_http::{HostPolicy, Server};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinSet;
    use tokio::time::timeout;
    use tokio_util::sync::CancellationToken;

    struct Nobody;

    impl Gateway for Nobody {
        fn admit<'a>(&'a self, _: &'a Head) -> BoxFuture<'a, Result<Admission, Reply>> {
            Box::pin(async { Err(Reply::empty(401)) })
        }

        fn submit(&self, _: Admission, _: Head, _: Bytes) -> BoxFuture<'_, Reply> {
            Box::pin(async { Reply::empty(500) })
        }
    }

    #[tokio::test]
    async fn connections_that_found_no_descriptor_are_served_once_there_is_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server {
            listeners: vec![listener],
            gateway: Arc::new(Nobody),
            hosts: HostPolicy::default(),
            limits: Arc::new(Limits::default()),
            ready: Arc::new(|| true),
            heir: CancellationToken::new(),
        };
        let mut task = JoinSet::new();
        task.spawn(server.serve(CancellationToken::new()));
        let hard = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: hard }).unwrap();

        let spare = std::fs::File::open("/dev/null").unwrap();
        let mut clients = Vec::new();
        while let Ok(client) = TcpStream::connect(address).await {
            clients.push(client);
        }
        drop(spare);
        let mut last = TcpStream::connect(address).await.unwrap();
        last.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        let early = timeout(Duration::from_millis(300), last.read_exact(&mut answer)).await;
        assert!(early.is_err(), "the server has no descriptor for the last client");
        clients.clear();
        timeout(Duration::from_secs(20), last.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
}
