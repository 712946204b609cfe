//! The floor: the least that can stand between HTTP and a stdio server with keys checked and calls recorded. One child, ids
//! replaced in the raw text, a hashed key, a line for each call in a buffer that is written out every ten milliseconds.
//!
//! It is no gateway: it trusts its clients and its server in everything else.

mod child;
mod http;
mod record;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io;
use std::rc::Rc;

use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use child::Bridge;
use record::Record;

/// The environment variable that holds the key.
pub(crate) const KEY: &str = "BENCH_FLOOR_KEY";

/// What all connections share; there is one thread.
struct Floor {
    key: [u8; 32],
    sessions: RefCell<HashSet<String>>,
    next_session: Cell<u64>,
    bridge: Bridge,
    record: Record,
}

/// Serves until it is killed.
pub(crate) fn serve() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run())
}

async fn run() -> io::Result<()> {
    let key = std::env::var(KEY).map_err(|_| io::Error::other(format!("{KEY} is not set")))?;
    let floor = Rc::new(Floor {
        key: Sha256::digest(key.as_bytes()).into(),
        sessions: RefCell::default(),
        next_session: Cell::new(1),
        bridge: Bridge::start()?,
        record: Record::open("calls.log")?,
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    http::accept(listener, floor).await
}
