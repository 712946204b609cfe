//! What is wrong with a configuration file, and where.
//!
//! A finding names fields and kinds of values. It never repeats a string of the file: that may be a secret.

use std::fmt;

use jsonc_parser::common::{Range, Ranged};

/// An error or a warning, as editors and compilers print it: `mcp-config.json:7:15: what is wrong`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Finding {
    /// The file, as it was named.
    pub file: String,
    /// Where in it; `None` when the file as a whole is meant.
    pub at: Option<Position>,
    /// What was found, and what was expected.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, at, message } = self;
        match at {
            Some(Position { line, column }) => write!(f, "{file}:{line}:{column}: {message}"),
            None => write!(f, "{file}: {message}"),
        }
    }
}

/// A place in a text, counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl Position {
    fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let (lines, last) = before.rsplit_once('\n').unwrap_or(("", before));
        let line = if lines.len() == before.len() - last.len() { 1 } else { lines.matches('\n').count() + 2 };
        Self { line, column: last.chars().count() + 1 }
    }
}

/// The findings of one text, gathered while it is read.
pub(super) struct Findings<'t> {
    file: &'t str,
    text: &'t str,
    all: Vec<Finding>,
    errors: usize,
    warnings: usize,
}

impl<'t> Findings<'t> {
    /// So many of each kind are kept: nobody reads more, and a hostile file shall not make more.
    const MOST: usize = 100;

    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, all: Vec::new(), errors: 0, warnings: 0 }
    }

    pub(super) fn error(&mut self, at: Range, message: impl Into<String>) {
        self.errors += 1;
        self.keep(self.errors, at, message.into());
    }

    pub(super) fn warn(&mut self, at: Range, message: impl Into<String>) {
        self.warnings += 1;
        self.keep(self.warnings, at, message.into());
    }

    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// From the top of the file to its end.
    pub(super) fn in_order(mut self) -> Vec<Finding> {
        self.all.sort_by_key(|it| it.at);
        self.all
    }

    fn keep(&mut self, count: usize, at: Range, message: String) {
        if count <= Self::MOST {
            let at = Some(Position::of(self.text, at.start()));
            self.all.push(Finding { file: self.file.to_owned(), at, message });
        }
    }
}

/// A name of the file in quotes, made fit for a terminal: no control characters, and not endless.
pub(super) fn quoted(name: &str) -> String {
    const LONGEST: usize = 64;
    let shown = name.chars().take(LONGEST).collect::<String>();
    let more = if shown.len() < name.len() { "…" } else { "" };
    format!("\"{}{more}\"", shown.escape_debug())
}
