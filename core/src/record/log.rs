//! What is kept of the life of servers: one entry for each thing that was said or has happened.

use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

use crate::{LogId, ProjectId, ServerId, Timestamp};

/// One entry of a project's log. Entries are kept in the order of their ids, which is that of their times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its id.
    pub id: LogId,
    /// The project.
    pub project: ProjectId,
    /// The server, where it was still configured.
    pub server_id: Option<ServerId>,
    /// The server's name at that time.
    pub server: String,
    /// When it was said or has happened.
    pub timestamp: Timestamp,
    /// How serious it is.
    pub level: LogLevel,
    /// What it is about.
    pub category: LogCategory,
    /// Who says so.
    pub source: LogSource,
    /// The words, without secrets.
    pub message: String,
    /// What programs may want to know: a JSON object. Never the arguments of a call.
    pub details: Option<String>,
}

impl LogEntry {
    /// What an entry takes beside its texts, in bytes, about.
    const OWN: usize = 96;

    /// How much room it takes, in bytes, about.
    pub fn weight(&self) -> usize {
        let details = self.details.as_ref().map_or(0, String::len);
        Self::weight_of(self.server.len(), self.message.len(), details)
    }

    /// The same of an entry to be, whose texts are so long.
    pub fn weight_of(server: usize, message: usize, details: usize) -> usize {
        [server, message, details].into_iter().fold(Self::OWN, usize::saturating_add)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

words! {
    /// How serious an entry is, the least first.
    LogLevel {
        /// For whoever looks for a fault.
        Debug = "DEBUG",
        /// Something that an operator may want to know.
        Info = "INFO",
        /// Something that an operator should look at.
        Warning = "WARNING",
        /// Something did not work.
        Error = "ERROR",
        /// The server cannot go on.
        Critical = "CRITICAL",
    }
}

words! {
    /// What an entry is about.
    LogCategory {
        /// A process or session: begun, ended, not to be had.
        Connection = "CONNECTION",
        /// The call of a tool.
        ToolExecution = "TOOL_EXECUTION",
        /// A fault that is none of the others.
        Error = "ERROR",
        /// What a server tells of itself.
        StatusCheck = "STATUS_CHECK",
        /// What a server offers, and how it is set up.
        Configuration = "CONFIGURATION",
    }
}

words! {
    /// Who says what an entry says.
    LogSource {
        /// The hub.
        Hub = "hub",
        /// The server, by `notifications/message`.
        Protocol = "protocol",
        /// The server, on its error output.
        Stderr = "stderr",
    }
}

impl LogLevel {
    /// How serious a line of a program's error output is, as far as its beginning tells in one of the usual ways
    /// (`Error: …`, `2026-11-21 14:03:59 WARN …`, `[debug] …`, `level=error …`); [`LogLevel::Info`] otherwise.
    pub fn guess(line: &str) -> Self {
        let end = line.char_indices().nth(LOOKED_AT).map_or(line.len(), |(end, _)| end);
        let begin = line.get(..end).unwrap_or(line);
        let mut at = 0;
        for word in begin.split(|c: char| !c.is_ascii_alphanumeric()) {
            let before = begin.get(..at).and_then(|it| it.chars().next_back());
            at += word.len();
            let after = begin.get(at..).and_then(|it| it.chars().next());
            at += after.map_or(0, char::len_utf8);
            if let Some(level) = Self::of_word(word).filter(|_| stands_out(word, before, after)) {
                return level;
            }
        }
        Self::Info
    }

    fn of_word(word: &str) -> Option<Self> {
        const WORDS: [(LogLevel, &[&str]); 5] = [
            (LogLevel::Debug, &["trace", "debug"]),
            (LogLevel::Info, &["info", "notice"]),
            (LogLevel::Warning, &["warn", "warning"]),
            (LogLevel::Error, &["error", "err", "exception", "traceback"]),
            (LogLevel::Critical, &["critical", "fatal", "panic", "panicked"]),
        ];
        let means = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
        WORDS.into_iter().find(|(_, words)| means(words)).map(|(level, _)| level)
    }
}

/// Whether a word is a mark of the line, and not part of a sentence about errors.
fn stands_out(word: &str, before: Option<char>, after: Option<char>) -> bool {
    let first = before.is_none();
    let loud = word.bytes().all(|byte| byte.is_ascii_uppercase());
    let enclosed =
        before.is_some_and(|c| "[(<|=\"".contains(c)) || after.is_some_and(|c| ":])>|".contains(c));
    first || loud || enclosed || word == "panicked"
}

/// Where a level is looked for in a line, in characters: after a time, a process and a name there is room for it.
const LOOKED_AT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_a_line_is_what_its_first_words_say() {
        for (line, level) in [
            ("ERROR: no such file", LogLevel::Error),
            ("Error: Cannot find module 'x'", LogLevel::Error),
            ("2026-11-21 14:03:59,123 - mcp.server - WARNING - slow", LogLevel::Warning),
            ("2026-11-21T14:03:59Z [warn] slow", LogLevel::Warning),
            ("time=2026-11-21 level=debug msg=hello", LogLevel::Debug),
            ("{\"level\":\"error\",\"msg\":\"x\"}", LogLevel::Error),
            ("thread 'main' panicked at src/main.rs:1:1", LogLevel::Critical),
            ("Traceback (most recent call last):", LogLevel::Error),
            ("npm ERR! code ENOENT", LogLevel::Error),
            ("KeyError: 'x'", LogLevel::Info),
            ("Started with an error handler and warning lights", LogLevel::Info),
            ("Server listens on stdio", LogLevel::Info),
            ("", LogLevel::Info),
            ("Grüße, 𝄞", LogLevel::Info),
        ] {
            assert_eq!(LogLevel::guess(line), level, "{line}");
        }
    }

    #[test]
    fn a_level_late_in_a_line_says_nothing_of_the_line() {
        let line = ["ä".repeat(LOOKED_AT).as_str(), " ERROR"].concat();
        assert_eq!(LogLevel::guess(&line), LogLevel::Info);
    }
}
