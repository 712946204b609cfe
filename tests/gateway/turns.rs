//! A key that asks for much does not keep the others waiting.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::upstream::{Grace, LaunchSpec, LinkSink, QueueFull, UpstreamLink, Upstreams};
use orch_store_memory::MemoryStore;

use crate::held::Client;
use crate::scripted::{self, ScriptedUpstreams};

/// How long the texts are that the server was called with, in their order.
type Seen = Arc<Mutex<Vec<usize>>>;

/// Scripted servers that note what they are sent.
struct Noting(Seen);

impl Upstreams for Noting {
    fn open(&self, spec: LaunchSpec, sink: Arc<dyn LinkSink>) -> Box<dyn UpstreamLink> {
        Box::new(NotingLink(Arc::clone(&self.0), ScriptedUpstreams.open(spec, sink)))
    }
}

struct NotingLink(Seen, Box<dyn UpstreamLink>);

impl UpstreamLink for NotingLink {
    fn send(&self, frame: Bytes) -> Result<(), QueueFull> {
        if frame.windows(10).any(|window| window == b"tools/call") {
            // One is in the name of the argument.
            let count = String::from_utf8_lossy(&frame).matches('x').count() - 1;
            self.0.lock().unwrap().push(count);
        }
        self.1.send(frame)
    }

    fn close(&self, grace: Grace) {
        self.1.close(grace);
    }
}

#[tokio::test]
async fn the_second_call_of_a_quiet_key_reaches_its_server_before_the_hundredth_of_a_busy_one() {
    let seen = Seen::default();
    let upstreams = Arc::new(Noting(Arc::clone(&seen)));
    let driver = scripted::driver(Arc::new(MemoryStore::new()), upstreams, Limits::default()).await;
    let (busy, quiet) = (Client::new(&driver, "busy").await, Client::new(&driver, "quiet").await);
    // The server runs then.
    busy.call("quiet", 0).await;
    seen.lock().unwrap().clear();
    // All that is asked for by the busy one has come before.
    let calls = (1..=100).map(|number| busy.call("quiet", number));
    let calls: Vec<_> = calls.chain([201, 202].map(|number| quiet.call("quiet", number))).collect();
    let replies = scripted::together(calls).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    let mut order = std::mem::take(&mut *seen.lock().unwrap());
    let place = |number: usize| order.iter().position(|it| *it == number);
    assert!(place(202) < place(10), "{order:?}");
    order.retain(|number| *number <= 100);
    assert_eq!(order, (1..=100).collect::<Vec<_>>(), "each key's in their order");
}
