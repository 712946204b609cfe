//! One whole call of a tool in a session of the 2025 eras, through the shard: the client's message is read, a frame
//! goes to the server, its answer is read, the client gets its own.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use orch_core::shard::Effect;

use crate::hub::Hub;
use crate::messages::call;

/// Beside the shard's own work this counts that of a server: its answer is built anew each time.
#[divan::bench(args = [64, 64 * 1024])]
fn whole_call_of_a_tool(bencher: Bencher<'_, '_>, size: usize) {
    let mut hub = Hub::running();
    let (call, text) = (call(size), "x".repeat(size));
    let result = format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#);
    let mut id = 0;
    bencher.counter(ItemsCount::new(1_u8)).bench_local(|| {
        hub.post(black_box(&call));
        // Ids are counted, so that the frame need not be read for it.
        id = if id == 0 { hub.asked().and_then(|id| id.parse().ok()).unwrap_or(0) } else { id + 1 };
        hub.answer(&id.to_string(), result.as_bytes());
        assert!(matches!(hub.effects.last(), Some(Effect::Answer { status: 200, .. })), "{:?}", hub.effects);
    });
}
