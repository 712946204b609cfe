//! What has no place in a committed file: the paths of one machine, and the hosts of package registries, which
//! every build takes from its own configuration.

use crate::checkout::{assert_none, files, text};

/// In pieces, so that this file does not hold what it looks for.
const TRACES: [[&str; 2]; 9] = [
    ["/wo", "rk/"],
    ["/ro", "ot/"],
    ["registry.npm", "js.org"],
    ["crates.io", "/api"],
    ["static.crates", ".io"],
    ["index.crates", ".io"],
    ["pypi.org", "/simple"],
    ["files.python", "hosted.org"],
    ["deb.debian", ".org"],
];

fn traces(text: &str) -> impl Iterator<Item = (usize, String)> {
    let numbered = text.lines().enumerate();
    numbered.flat_map(|(index, line)| {
        let found = TRACES.map(|pieces| pieces.concat()).into_iter().filter(|trace| line.contains(trace));
        found.map(move |trace| (index + 1, trace))
    })
}

#[test]
fn no_file_names_a_machine_or_a_registry_host() {
    let mut found = Vec::new();
    for file in files() {
        // What is not UTF-8 is no text: pictures, corpora, recorded records.
        let Some(text) = text(&file) else { continue };
        found.extend(traces(&text).map(|(line, trace)| format!("{file}:{line}: {trace}")));
    }
    assert_none("these belong to a machine, not to the project:", &found);
}

#[test]
fn every_trace_is_found_and_the_crate_index_is_not_one() {
    for pieces in TRACES {
        let trace = pieces.concat();
        let line = format!("a\nsee {trace}x\n");
        assert_eq!(traces(&line).collect::<Vec<_>>(), [(2, trace)]);
    }
    let index = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    assert_eq!(traces(index).count(), 0);
}
