//! Lists: preparing them when something has changed, and handing out a page.

use divan::{Bencher, black_box};
use orch_core::mcp::ListKind;
use orch_core::ports::gateway::Target;
use orch_core::snapshot::Listing;

use crate::stage::{Stage, tools};

const TOOLS: usize = 5_000;

#[divan::bench]
fn build_a_list_of_5000_tools(bencher: Bencher<'_, '_>) {
    let (stage, tools) = (Stage::new(), tools(TOOLS));
    bencher.bench(|| Listing::build(ListKind::Tools, black_box(&tools), &stage.instance));
}

/// By its cursor, which is a key in a map: the page itself is a buffer that was prepared.
#[divan::bench]
fn find_the_second_page_of_5000_tools(bencher: Bencher<'_, '_>) {
    let (stage, tools) = (Stage::new(), tools(TOOLS));
    let listing = Listing::build(ListKind::Tools, &tools, &stage.instance);
    let first = listing.page(None).expect("a first page").members.clone();
    let text = std::str::from_utf8(&first).expect("a page is text");
    let cursor = text.rsplit('"').nth(1).expect("a cursor ends the first page");
    assert!(listing.page(Some(cursor)).is_ok());
    bencher.bench(|| black_box(&listing).page(black_box(Some(cursor))).map(|page| page.members.clone()));
}

/// What a change of the configuration costs a project of 50 servers with 100 tools each.
#[divan::bench]
fn build_the_snapshot_of_5000_tools(bencher: Bencher<'_, '_>) {
    let mut stage = Stage::new();
    bencher.bench_local(|| stage.snapshot(50, TOOLS / 50));
}

#[divan::bench]
fn find_a_tool_by_its_unified_name(bencher: Bencher<'_, '_>) {
    let snapshot = Stage::new().snapshot(50, TOOLS / 50);
    assert_eq!(snapshot.listing(&Target::Unified, ListKind::Tools).map(Listing::len), Some(TOOLS + 5));
    bencher.bench(|| black_box(&snapshot).unified.tool(black_box("server49__tool99")).is_some());
}
