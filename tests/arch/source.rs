//! A careful reader of Rust source, by lines and tokens: enough to tell code from comments, strings and tests.
//!
//! Text that is not code is blanked in place, so every position and line number stays what it was.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::checkout;
use crate::lexer::{blank, blank_text};

/// A Rust file of the checkout.
pub(crate) struct Source {
    pub(crate) path: String,
    /// As it is on disk.
    pub(crate) text: String,
    /// Without comments and the contents of strings.
    pub(crate) code: String,
    tests: Vec<Range<usize>>,
}

impl Source {
    pub(crate) fn new(path: &str, text: String) -> Self {
        let code = blank_text(&text);
        let tests = test_items(&code);
        Self { path: path.to_owned(), text, code, tests }
    }

    /// The code without items under `#[cfg(test)]`.
    pub(crate) fn production_code(&self) -> String {
        let mut code = self.code.clone().into_bytes();
        for range in &self.tests {
            blank(&mut code[range.clone()]);
        }
        String::from_utf8(code).expect("blanks are ASCII")
    }

    /// Lines of the longest module under `#[cfg(test)]`.
    pub(crate) fn longest_test_lines(&self) -> usize {
        self.tests.iter().map(|range| self.lines_of(range)).max().unwrap_or(0)
    }

    /// Lines outside of `#[cfg(test)]`, comments and blank lines included.
    pub(crate) fn production_lines(&self) -> usize {
        let tests: usize = self.tests.iter().map(|range| self.lines_of(range)).sum();
        self.text.lines().count() - tests
    }

    fn lines_of(&self, range: &Range<usize>) -> usize {
        self.code[range.clone()].lines().count()
    }

    /// The files that `#[cfg(test)] mod name;` brings in: tests that live beside the code, not in it.
    fn test_files(&self) -> Vec<String> {
        let declared = self.tests.iter().filter(|range| self.code[(*range).clone()].ends_with(';'));
        declared.flat_map(|range| self.module_files(range)).map(|file| file.display().to_string()).collect()
    }

    /// Where the module that is declared in `range` may be: at the `#[path]` it gives, or where rustc looks.
    fn module_files(&self, range: &Range<usize>) -> Vec<PathBuf> {
        let path = Path::new(&self.path);
        let parent = path.parent().unwrap_or_else(|| Path::new(""));
        if let Some((_, given)) = self.text[range.clone()].split_once("#[path = \"") {
            return given.split('"').take(1).map(|file| parent.join(file)).collect();
        }
        let Some((_, name)) = self.code[range.clone()].rsplit_once("mod ") else { return Vec::new() };
        let name = name.trim_end_matches(';').trim();
        let stem = path.file_stem().unwrap_or_default();
        let owns_directory = ["lib", "main", "mod"].iter().any(|owner| stem == *owner);
        let directory = if owns_directory { parent.to_path_buf() } else { parent.join(stem) };
        vec![directory.join(format!("{name}.rs")), directory.join(name).join("mod.rs")]
    }
}

/// Every Rust file of the checkout.
pub(crate) fn sources() -> Vec<Source> {
    let files = checkout::files().into_iter().filter(|file| checkout::has_extension(file, "rs"));
    files.filter_map(|file| checkout::text(&file).map(|text| Source::new(&file, text))).collect()
}

/// Those of `sources` that hold nothing but the tests of another file.
pub(crate) fn test_files(sources: &[Source]) -> BTreeSet<String> {
    sources.iter().flat_map(Source::test_files).collect()
}

/// The line, counted from one, on which the byte at `position` stands.
pub(crate) fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

/// Where `words` occur in `code` as whole words, whatever white space is between them.
pub(crate) fn find_words(code: &str, words: &[&str]) -> Vec<usize> {
    let Some(first) = words.first() else { return Vec::new() };
    let starts = code.match_indices(first).map(|(start, _)| start);
    starts.filter(|&start| follows_whole(code, start, words)).collect()
}

fn follows_whole(code: &str, start: usize, words: &[&str]) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if code[..start].ends_with(is_word) {
        return false;
    }
    let mut rest = &code[start..];
    words.iter().all(|word| {
        let Some(after) = rest.trim_start().strip_prefix(word) else { return false };
        rest = after;
        !(word.ends_with(is_word) && after.starts_with(is_word))
    })
}

/// The end of the block that `code[open..]` begins with: just past its closing brace.
pub(crate) fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code[open..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return open + offset + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The items under `#[cfg(test)]`, attribute included.
fn test_items(code: &str) -> Vec<Range<usize>> {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices(ATTRIBUTE) {
        let nested = items.last().is_some_and(|outer| outer.contains(&start));
        if let Some(end) = item_end(code, start + ATTRIBUTE.len()).filter(|_| !nested) {
            items.push(start..end);
        }
    }
    items
}

/// The end of the item that follows an attribute. A field or a statement is no item and has none.
fn item_end(code: &str, after_attribute: usize) -> Option<usize> {
    const ITEMS: [&str; 10] =
        ["const", "enum", "extern", "fn", "impl", "macro_rules", "mod", "struct", "type", "use"];
    let head_end = after_attribute + code[after_attribute..].find(['{', ';'])?;
    let head = &code[after_attribute..head_end];
    ITEMS
        .iter()
        .any(|item| !find_words(head, &[item]).is_empty())
        .then(|| if code[head_end..].starts_with('{') { block_end(code, head_end) } else { head_end + 1 })
}

#[test]
fn production_code_is_what_no_test_attribute_covers() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
    let source = Source::new("src/lib.rs", text.to_owned());
    assert_eq!(source.production_code().split_whitespace().collect::<String>(), "fna(){}fnc(){}");
    assert_eq!((source.production_lines(), source.longest_test_lines()), (2, 4));
}

#[test]
fn attribute_in_text_covers_nothing() {
    let source = Source::new("src/lib.rs", "// #[cfg(test)]\nfn a() { \"#[cfg(test)]\" }\n".to_owned());
    assert_eq!((source.production_lines(), source.longest_test_lines()), (2, 0));
}

#[test]
fn tests_in_a_file_of_their_own_are_found_beside_the_code() {
    let files = |path: &str| Source::new(path, "#[cfg(test)]\nmod tests;\n".to_owned()).test_files();
    assert_eq!(files("core/src/call/mod.rs"), ["core/src/call/tests.rs", "core/src/call/tests/mod.rs"]);
    assert_eq!(files("core/src/shard.rs"), ["core/src/shard/tests.rs", "core/src/shard/tests/mod.rs"]);

    let given = "#[cfg(test)]\n#[path = \"scan_tests.rs\"]\nmod tests;\n";
    assert_eq!(
        Source::new("core/src/rpc/scan.rs", given.to_owned()).test_files(),
        ["core/src/rpc/scan_tests.rs"]
    );
}

#[test]
fn words_are_found_whole_and_across_white_space() {
    assert_eq!(find_words("rematch effect; match\n  effect {", &["match", "effect"]), [16]);
    assert!(find_words("match effects {}", &["match", "effect"]).is_empty());
    assert_eq!(find_words("core::std::x; std :: y", &["std", "::"]), [6, 14]);
}
