//! A client that speaks HTTP byte by byte, so that it can speak it badly.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::hub::within;

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Checks that this is a refusal as every refusal is to look.
    #[track_caller]
    pub(crate) fn assert_refusal(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        let start = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":";
        assert!(self.text().starts_with(start), "{}", self.text());
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: within(TcpStream::connect(address)).await.unwrap(), buffer: Vec::new() }
    }

    /// Connects from another address of this machine.
    pub(crate) async fn connect_from(address: SocketAddr, from: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        Self { stream: within(socket.connect(address)).await.unwrap(), buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends a request and reads its response.
    pub(crate) async fn exchange(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request).await;
        self.response().await
    }

    /// Reads a response to its end.
    pub(crate) async fn response(&mut self) -> Response {
        let mut response = self.head().await;
        response.body = if response.headers.contains_key("transfer-encoding") {
            self.chunks().await.concat()
        } else {
            let length = response.headers.get("content-length").map_or(0, |text| text.parse().unwrap());
            self.take(length).await
        };
        response
    }

    /// Reads the head of a response.
    pub(crate) async fn head(&mut self) -> Response {
        let head = self.take_until(b"\r\n\r\n").await;
        let mut lines = std::str::from_utf8(&head).unwrap().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Response { status, headers, body: Vec::new() }
    }

    /// The chunks of a chunked body, to its end.
    pub(crate) async fn chunks(&mut self) -> Vec<Vec<u8>> {
        let mut chunks = Vec::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                return chunks;
            }
            chunks.push(chunk);
        }
    }

    /// One chunk; empty at the end.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let size = self.take_until(b"\r\n").await;
        let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim_end(), 16).unwrap();
        let chunk = self.take(size).await;
        assert_eq!(self.take(2).await, b"\r\n");
        chunk
    }

    /// Waits until the server closes, and says whether anything came before that.
    pub(crate) async fn closed(&mut self) -> bool {
        let before = self.buffer.len();
        while self.fill().await {}
        self.buffer.len() == before
    }

    pub(crate) async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill().await, "the connection ended within a message: {:?}", self.seen());
        }
        self.buffer.drain(..length).collect()
    }

    async fn take_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return self.buffer.drain(..at + end.len()).collect();
            }
            assert!(self.fill().await, "the connection ended before {end:?}: {:?}", self.seen());
        }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads on; false when the server has closed or reset the connection.
    async fn fill(&mut self) -> bool {
        within(self.stream.read_buf(&mut self.buffer)).await.is_ok_and(|read| read > 0)
    }
}
