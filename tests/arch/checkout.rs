//! The files of the checkout, and the one way in which these tests report what is wrong with them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies one level below the root")
}

/// Every file that is committed or about to be: paths relative to the root, sorted. What git ignores is left out.
pub(crate) fn files() -> Vec<String> {
    let listing = output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut files: Vec<String> = listing.split_terminator('\0').map(str::to_owned).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    files
}

/// The text of a file, or `None` if it is missing or not UTF-8.
pub(crate) fn text(file: &str) -> Option<String> {
    std::fs::read_to_string(root().join(file)).ok()
}

/// The same, for a file that has to be there.
pub(crate) fn required(file: &str) -> String {
    text(file).unwrap_or_else(|| panic!("{file} is missing"))
}

/// What a command prints, run at the root.
#[expect(clippy::disallowed_methods, reason = "these tests ask git and cargo about the checkout")]
pub(crate) fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(root()).output();
    let output = output.unwrap_or_else(|error| panic!("{program} could not be started: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("tools print UTF-8")
}

pub(crate) fn has_extension(file: &str, extension: &str) -> bool {
    Path::new(file).extension().is_some_and(|found| found == extension)
}

/// Resolves `target` as a link in `file` would be: relative to the directory of the file.
pub(crate) fn beside(file: &str, target: &str) -> PathBuf {
    root().join(file).parent().unwrap_or_else(|| root()).join(target)
}

/// Fails with every violation at once, under the rule that they break.
pub(crate) fn assert_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}\n  {}\n", violations.join("\n  "));
}
