//! The bench works, and a hub under load answers every call with its own answer. How fast is not asked here.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic anywhere")]

#[path = "../../tests/support/binary.rs"]
mod binary;

use std::process::Command;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test of a program")]
fn a_quick_run_has_no_wrong_and_no_missing_answer() {
    let run =
        Command::new(env!("CARGO_BIN_EXE_bench")).args(["--quick", "--hub"]).arg(binary::hub()).output();
    let run = run.expect("the bench starts");
    let table = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{}\n{table}", run.status);
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 17, "nine cases of the hub, eight of the floor, which has no SSE: {table}");
    assert!(rows.iter().all(|row| row.ends_with("      0      0")), "{table}");
}
