//! One line of the table: what is sent, and what has to come back.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::stage::Stage;
use crate::process::text;

const DEADLINE: Duration = Duration::from_secs(20);

/// Bad input, and its answer.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) status: u16,
    /// The code of the JSON-RPC error; `None` when the answer is none.
    pub(crate) code: Option<i64>,
    /// A part of the body.
    pub(crate) says: String,
    /// The raw id of the answer.
    pub(crate) id: &'static str,
}

impl Row {
    /// A refusal without an id.
    pub(crate) fn refused(
        name: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
        status: u16,
        code: i64,
        says: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            status,
            code: Some(code),
            says: says.into(),
            id: "null",
        }
    }

    /// What looks bad and is not.
    pub(crate) fn fine(
        name: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
        status: u16,
        says: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), bytes: bytes.into(), status, code: None, says: says.into(), id: "" }
    }

    /// The same row, where the answer repeats this id.
    pub(crate) fn with_id(mut self, id: &'static str) -> Self {
        self.id = id;
        self
    }

    /// What is wrong with the answer to this row.
    async fn complaint(&self, address: &str) -> Option<String> {
        let Ok(answer) = timeout(DEADLINE, exchange(address, &self.bytes)).await else {
            return Some(format!("{}: no answer within {DEADLINE:?}", self.name));
        };
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let message: Value = serde_json::from_str(body).unwrap_or_default();
        let (code, id) = (message["error"]["code"].as_i64(), message["id"].to_string());
        let told = code == self.code && body.contains(&self.says) && (code.is_none() || id == self.id);
        let guarded =
            ["nosniff", "no-referrer", "same-origin", "no-store"].iter().all(|it| head.contains(it));
        let right = status == Some(self.status) && told && guarded;
        (!right).then(|| {
            format!(
                "{}: {} {:?} {:?}\n    but: {head}\n    {body}",
                self.name, self.status, self.code, self.says
            )
        })
    }
}

/// Sends the bytes, and reads until the hub closes the connection.
async fn exchange(address: &str, bytes: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    let (mut from, mut to) = connection.split();
    let mut answer = Vec::new();
    let (_gone, _reset) = tokio::join!(to.write_all(bytes), from.read_to_end(&mut answer));
    text(&answer)
}

/// Checks every row, and after each of them that a client which does nothing wrong is served as before.
pub(crate) async fn check(stage: &Stage, rows: Vec<Row>) {
    let mut complaints = Vec::new();
    for row in &rows {
        complaints.extend(row.complaint(&stage.address).await);
        stage.serves_others().await;
    }
    assert!(complaints.is_empty(), "{} of {} rows:\n{}", complaints.len(), rows.len(), complaints.join("\n"));
}
