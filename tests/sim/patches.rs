//! The bugs that the simulation has to find (`bugs/*.patch`): whether each can still be put into the core.

use std::fs;
use std::path::Path;

/// The patches that do not apply any more, and those that change nothing: a bug that nobody can plant proves nothing.
/// Read as text: an archive of the sources has no version control to ask.
pub fn stale() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bugs = fs::read_dir(root.join("bugs")).expect("a directory of bugs");
    let patches = bugs.map(|entry| entry.expect("an entry").path());
    let mut stale: Vec<String> = patches
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .filter_map(|path| {
            let patch = fs::read_to_string(&path).expect("a patch can be read");
            let reason = why_stale(&patch, |file| fs::read_to_string(root.join("../..").join(file)).ok())?;
            Some(format!("{}: {reason}", path.file_stem()?.display()))
        })
        .collect();
    stale.sort();
    stale
}

/// Why a patch cannot be applied to the files that `read` gives.
fn why_stale(patch: &str, read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut source = String::new();
    let (head, hunks) = patch.split_once("\n@@ ")?;
    for line in head.lines() {
        if let Some(file) = line.strip_prefix("--- a/") {
            let Some(text) = read(file) else { return Some(format!("there is no {file}")) };
            source = text;
        }
    }
    for hunk in hunks.split("\n@@ ") {
        let lines = || hunk.lines().skip(1);
        let side = |sign: char| {
            let kept = lines().filter_map(move |line| line.strip_prefix([' ', sign]));
            kept.fold(String::new(), |text, line| text + line + "\n")
        };
        let (before, after) = (side('-'), side('+'));
        if before == after {
            return Some("it changes nothing".to_owned());
        }
        match source.matches(&before).count() {
            1 => source = source.replacen(&before, &after, 1),
            count => return Some(format!("{count} places for its change")),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "--- a/f\n+++ b/f\n@@ -1,3 +1,2 @@ fn\n one\n-two\n three\n";

    #[test]
    fn a_patch_applies_where_its_lines_stand_once() {
        let stale = |text: &str| why_stale(PATCH, |_| Some(text.to_owned()));
        assert_eq!(stale("zero\none\ntwo\nthree\n"), None);
        assert_eq!(stale("one\nthree\n").as_deref(), Some("0 places for its change"));
        assert_eq!(stale("one\ntwo\nthree\none\ntwo\nthree\n").as_deref(), Some("2 places for its change"));
        assert_eq!(why_stale(PATCH, |_| None).as_deref(), Some("there is no f"));
    }
}
