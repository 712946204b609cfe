//! The hub that the end-to-end tests start: the release binary that `cargo verify` has just checked, or else a debug
//! build of the present source. Include it with `#[path = "../support/binary.rs"] mod binary;`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Set by `cargo verify`, or by hand to test any other build.
const VARIABLE: &str = "ORCH_TEST_BINARY";

/// The path of the hub's binary.
pub(crate) fn hub() -> &'static Path {
    static HUB: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os(VARIABLE) {
        Some(given) => given.into(),
        None => debug_build(),
    });
    assert!(HUB.is_file(), "{} is not there: see {VARIABLE}", HUB.display());
    &HUB
}

/// Asks cargo every time, since a binary that is already there may be older than the source under test.
#[expect(clippy::disallowed_methods, reason = "a test that builds what it tests")]
fn debug_build() -> PathBuf {
    let cargo = Command::new("cargo")
        .args(["build", "--quiet", "--package", "mcp-orch", "--bin", "mcp-orch"])
        .status();
    assert!(
        cargo.is_ok_and(|status| status.success()),
        "the hub does not build: cargo build --package mcp-orch"
    );
    // Test binaries are in `<target>/debug/deps`, the hub is one level above.
    let test = std::env::current_exe().expect("a running test has a path");
    test.ancestors().nth(2).expect("it lies in the build directory").join("mcp-orch")
}
