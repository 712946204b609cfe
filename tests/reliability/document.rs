//! The table of `docs/reliability.md`: a row for each promise, its figures in the last column.

use std::path::Path;
use std::process::Command;

/// The line that says where the figures come from.
const MEASURED: &str = "Measured on ";

/// Writes the figures of a row, and on what machine they were found.
pub(crate) fn write(row: &str, figures: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let text = std::fs::read_to_string(&path).expect("the document");
    std::fs::write(path, with(&text, row, figures, &machine())).expect("the document");
}

fn with(text: &str, row: &str, figures: &str, machine: &str) -> String {
    let line = |line: &str| {
        if line.starts_with(MEASURED) {
            return format!("{MEASURED}{machine}");
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        match cells.as_slice() {
            [name, promise, held, _] if *name == row => {
                format!("| {row} | {promise} | {held} | {} {figures} |", today())
            }
            _ => line.to_owned(),
        }
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n") + "\n"
}

fn today() -> String {
    said_by(Command::new("date").arg("+%Y-%m-%d:"))
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    let gib = kib.unwrap_or(0_u64) >> 20;
    let kernel = said_by(Command::new("uname").arg("-sr"));
    let kernel = kernel.split('-').next().unwrap_or_default();
    format!("{cores} cores, {gib} GiB of memory, {kernel}, with the release build.")
}

fn said_by(command: &mut Command) -> String {
    let output = command.output().expect("a program of every system");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
