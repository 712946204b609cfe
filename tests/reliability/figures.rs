//! What a proof is, and what comes of it: figures, each with its bar.
//!
//! Counts (processes, descriptors, bytes, answers) are bars always. Ratios of times are printed, and are bars in the long
//! run alone: beside other work on a machine they say nothing.

use std::fmt::Display;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether the machine does other work: then times are no bars.
pub(crate) static BUSY: AtomicBool = AtomicBool::new(false);

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// What `cargo verify` does.
    Quick,
    /// What the command does.
    Long,
}

impl Scale {
    pub(crate) fn of<T>(self, quick: T, long: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Long => long,
        }
    }
}

/// One promise, and how it is proved.
pub(crate) struct Proof {
    /// Its row in the table of `docs/reliability.md`.
    pub(crate) row: &'static str,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) prove: fn(Scale) -> Pin<Box<dyn Future<Output = Figures>>>,
}

/// The figures of a proof, as they are read.
#[derive(Debug)]
pub(crate) struct Figures {
    scale: Scale,
    said: Vec<String>,
}

impl Figures {
    pub(crate) fn new(scale: Scale) -> Self {
        Self { scale, said: Vec::new() }
    }

    /// A figure without a bar.
    pub(crate) fn say(&mut self, words: impl Into<String>) {
        let words = words.into();
        println!("    {words}");
        self.said.push(words);
    }

    /// A count that may not be larger.
    #[track_caller]
    pub(crate) fn at_most<T: PartialOrd + Display + Copy>(&mut self, what: &str, value: T, bar: T) {
        assert!(value <= bar, "{what}: {value}, and at most {bar} was promised");
        self.say(format!("{what} {value} (at most {bar})"));
    }

    /// A count that has to be this one.
    #[track_caller]
    pub(crate) fn exactly<T: PartialEq + Display + Copy>(&mut self, what: &str, value: T, bar: T) {
        assert!(value == bar, "{what}: {value}, and {bar} was promised");
        self.say(format!("{what} {value}"));
    }

    /// A time, or a ratio of times.
    #[track_caller]
    pub(crate) fn time(&mut self, what: &str, value: f64, bar: f64, unit: &str) {
        let held_to = self.scale == Scale::Long && !BUSY.load(Relaxed);
        assert!(!held_to || value <= bar, "{what}: {value:.2}{unit} > {bar}{unit}");
        let verdict = if value <= bar { "at most" } else { "beside other work; alone at most" };
        self.say(format!("{what} {value:.2}{unit} ({verdict} {bar}{unit})"));
    }

    /// All of them in one cell of a table.
    pub(crate) fn cell(&self) -> String {
        self.said.join("; ")
    }
}
