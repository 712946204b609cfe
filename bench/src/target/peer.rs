//! Any other gateway, by the address of its endpoint.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::process::Process;
use super::{Running, new_home};

const START: Duration = Duration::from_secs(20);

/// `NAME=http://ADDRESS:PORT/PATH#TOOL`, and what else is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    address: SocketAddr,
    path: String,
    /// What it calls the echo tool.
    tool: String,
    /// The bearer that it wants, from the environment variable `BENCH_KEY_<NAME>`.
    key: String,
    /// How it is started in each round; without it, it runs already.
    pub(crate) command: Option<String>,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text}: it should be NAME=http://ADDRESS:PORT/PATH, with #TOOL behind it if its tool is not `echo`"
            )
        };
        let (name, url) = text.split_once('=').ok_or_else(wrong)?;
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let (rest, tool) = rest.split_once('#').unwrap_or((rest, "echo"));
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = address.parse().map_err(|_| wrong())?;
        let variable = format!("BENCH_KEY_{}", name.to_uppercase().replace('-', "_"));
        let key = std::env::var(variable).unwrap_or_else(|_| "none".to_owned());
        Ok(Self {
            name: name.to_owned(),
            address,
            path: format!("/{path}"),
            tool: tool.to_owned(),
            key,
            command: None,
        })
    }
}

impl Peer {
    pub(super) fn start(&self) -> Result<Running, String> {
        let process = match &self.command {
            None => None,
            Some(line) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("exec {line}")]);
                Some(Process::start(command, new_home()?)?)
            }
        };
        let end = Instant::now() + START;
        while TcpStream::connect(self.address).is_err() {
            if Instant::now() > end {
                let log = process.as_ref().map(Process::log).unwrap_or_default();
                return Err(format!("nobody listens at {}: {log}", self.address));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Running {
            address: self.address,
            key: self.key.clone(),
            mcp: self.path.clone(),
            tool: self.tool.clone(),
            sse: None,
            pid: process.as_ref().map(Process::pid).or_else(|| listener(self.address.port())),
            process,
        })
    }
}

/// The process that listens at a port of this machine, if it may be seen.
fn listener(port: u16) -> Option<u32> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| inode_of(&table, port))?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?;
    processes.filter_map(Result::ok).find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let files = fs::read_dir(process.path().join("fd")).ok()?;
        let mut held = files.filter_map(Result::ok).filter_map(|file| fs::read_link(file.path()).ok());
        held.any(|held| held.to_str() == Some(&socket)).then_some(pid)
    })
}

/// The socket that listens at a port, in the kernel's table: state `0A`.
fn inode_of(table: &str, port: u16) -> Option<String> {
    let local = format!(":{port:04X}");
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&local) && *fields.get(3)? == "0A";
        fields.get(9).filter(|_| listens).map(|inode| (*inode).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_name_and_an_address() {
        let peer: Peer = "other=http://127.0.0.1:9000/some/mcp".parse().unwrap();
        assert_eq!((&*peer.name, peer.address.port(), &*peer.path), ("other", 9000, "/some/mcp"));
        let peer: Peer = "root=http://127.0.0.1:9000#x__echo".parse().unwrap();
        assert_eq!((&*peer.path, &*peer.tool), ("/", "x__echo"));
        assert!("http://127.0.0.1:9000/mcp".parse::<Peer>().is_err());
    }

    #[test]
    fn the_process_that_listens_is_found() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(super::listener(port), Some(std::process::id()));
    }
}
