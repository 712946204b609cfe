//! Upstreams that behave in the ways that a link must bear, for each adapter.

use std::collections::BTreeMap;

use bytes::Bytes;
use orch_core::ports::upstream::{LaunchSpec, Upstreams};
use orch_core::record::{ServerSpec, Transport};
use orch_stdio::StdioUpstreams;
use tokio::runtime::Runtime;

use crate::binary;

/// How an upstream behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// Says 10,000 numbers and something on its error output, and ends.
    Counter,
    /// Never reads, never says anything.
    Deaf,
    /// Says whatever it hears.
    Echo,
    /// Says `first` and then a message of 2,000,000 bytes, and ends.
    Longwinded,
    /// Cannot be reached.
    Missing,
    /// Takes everything and says nothing.
    Silent,
}

/// An adapter, and its peers.
pub(crate) trait Peers {
    fn upstreams(&self) -> &dyn Upstreams;

    /// How to reach a peer: messages of at most 1 MiB, a queue of 4 MiB.
    fn launch(&self, peer: Peer) -> LaunchSpec;

    /// A message that holds this JSON.
    fn message(&self, json: &str) -> Bytes {
        Bytes::from(json.to_owned())
    }
}

/// Child processes.
pub(crate) struct StdioPeers {
    upstreams: StdioUpstreams,
    _runtime: Runtime,
}

impl StdioPeers {
    pub(crate) fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self {
            upstreams: StdioUpstreams::new(binary::hub(), std::env::vars_os(), runtime.handle().clone()),
            _runtime: runtime,
        }
    }
}

impl Peers for StdioPeers {
    fn upstreams(&self) -> &dyn Upstreams {
        &self.upstreams
    }

    fn launch(&self, peer: Peer) -> LaunchSpec {
        let (command, script) = match peer {
            Peer::Counter => ("sh", "seq 10000; echo done >&2"),
            Peer::Deaf => ("sh", "exec sleep 1000"),
            Peer::Echo => ("sh", "exec cat"),
            Peer::Longwinded => ("sh", "echo first; head -c 2000000 /dev/zero; echo"),
            Peer::Missing => ("/no/such/program", ""),
            Peer::Silent => ("sh", "exec cat > /dev/null"),
        };
        let transport = Transport::Stdio {
            command: command.into(),
            args: vec!["-c".into(), script.into()],
            env: BTreeMap::new(),
            cwd: None,
        };
        LaunchSpec {
            server: "peer".into(),
            spec: ServerSpec::new(transport),
            message_bytes: 1 << 20,
            queue_bytes: 4 << 20,
        }
    }
}
