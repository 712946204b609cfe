//! A hub with servers that do what they are asked to, and what its process uses.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::hub::Hub;
use crate::line::Door;
use crate::peers::Server;
use crate::process::found;

/// A server of this program.
pub(crate) fn server() -> Server {
    Server::program(found("python3")).arg("-I").arg("-S").arg("-c").arg(include_str!("server.py"))
}

/// The endpoint of a server.
pub(crate) fn door(hub: &Hub, server: &str, key: &str) -> Door {
    Door {
        address: hub.url.trim_start_matches("http://").to_owned(),
        path: format!("/servers/{server}/mcp"),
        key: key.to_owned(),
    }
}

/// Starts or stops a server, as an operator does.
pub(crate) async fn order(hub: &Hub, server: &str, order: &str) -> Value {
    ask(hub, &json!({ "Order": { "project": "default", "server": server, "order": order } })).await
}

/// What the hub answers an operator.
pub(crate) async fn ask(hub: &Hub, request: &Value) -> Value {
    let mut stream = UnixStream::connect(hub.home.data().join("admin.sock")).await.expect("its socket");
    stream.write_all(format!("{request}\n").as_bytes()).await.expect("it is asked");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    serde_json::from_slice(&answer).expect("an answer")
}

/// A further key.
pub(crate) async fn key(hub: &Hub, name: &str) -> String {
    let answer =
        ask(hub, &json!({ "CreateKey": { "project": "default", "name": name, "days": null } })).await;
    answer["KeyCreated"]["key"].as_str().expect("a key").to_owned()
}

/// What a process uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) resident_kib: u64,
    pub(crate) descriptors: usize,
    /// Its children.
    pub(crate) children: usize,
    /// Those that have ended and were not waited for.
    pub(crate) zombies: usize,
    /// Processor time, in ticks.
    pub(crate) ticks: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Self {
        let place = PathBuf::from(format!("/proc/{pid}"));
        let status = fs::read_to_string(place.join("status")).expect("it runs");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        let stat = fields(pid).expect("it runs");
        let ticks = [11, 12].map(|index| stat[index].parse::<u64>().expect("ticks"));
        let children = children(pid);
        let zombie = |child: &&u32| fields(**child).is_some_and(|fields| fields[0] == "Z");
        Self {
            resident_kib: kib.and_then(|kib| kib.parse().ok()).expect("its memory"),
            descriptors: fs::read_dir(place.join("fd")).expect("it runs").count(),
            zombies: children.iter().filter(zombie).count(),
            children: children.len(),
            ticks: ticks.iter().sum(),
        }
    }
}

/// The processes that a process has started.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let parent = pid.to_string();
    let all = fs::read_dir("/proc").expect("processes").flatten();
    let all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|child| fields(*child).is_some_and(|fields| fields[1] == parent)).collect()
}

/// The fields of a process from its state on.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(ToOwned::to_owned).collect())
}

pub(crate) fn mib(kib: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
    let kib = kib as f64;
    kib / 1024.0
}
