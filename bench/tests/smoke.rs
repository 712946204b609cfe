//! The bench works, and a hub under load answers every call with its own answer. How fast is not asked here.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic anywhere")]

#[path = "../../tests/support/binary.rs"]
mod binary;

use std::process::Command;

#[test]
#[expect(clippy::disallowed_methods, reason = "a test of a program")]
fn a_quick_run_has_no_wrong_and_no_missing_answer_and_is_written_down() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "<!-- measured: begin -->\n<!-- measured: end -->\n").expect("it is written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let run = command.args(["--quick", "--hub"]).arg(binary::hub()).arg("--write").arg(file.path()).output();
    let run = run.expect("the bench starts");
    let table = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{}\n{table}", run.status);
    let rows: Vec<&str> = table.lines().skip_while(|line| !line.starts_with("case ")).skip(1).collect();
    assert_eq!(rows.len(), 17, "nine cases of the hub, eight of the floor, which has no SSE: {table}");
    assert!(rows.iter().all(|row| row.ends_with("      0      0")), "{table}");
    let written = std::fs::read_to_string(file.path()).expect("it is there");
    let rows = |start: &str| written.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        (rows("| a |"), rows("| s |"), rows("| memory "), rows("| start ")),
        (2, 1, 2, 3),
        "{written}"
    );
    assert_eq!(
        (rows("| lives "), rows("| CPU of a call"), rows("| the same, "), rows("| calls/s of hub")),
        (1, 2, 3, 1),
        "{written}"
    );
    assert_eq!((rows("| p99 of a quiet client"), rows("| peak memory of one answer")), (6, 2), "{written}");
}
