//! Which tools a goal is about: a ranking by the words that both share (BM25), so that a model is shown some tens of
//! tools of a thousand.
//!
//! Whole numbers only: the same tools in the same order on every machine.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use sha2::{Digest, Sha256};

use super::words::words;
use crate::plan::{Kind, Raw};

/// A tool that plans may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool<'a> {
    /// `server.tool`.
    pub name: &'a str,
    /// Raw JSON of its definition, validated before.
    pub definition: &'a str,
}

/// The tools that a caller may use.
#[derive(Clone, Debug)]
pub struct Catalogue<'a> {
    tools: Vec<Tool<'a>>,
}

/// How much a word counts where it stands.
const IN_NAME: u64 = 4;
const IN_DESCRIPTION: u64 = 2;
const IN_SCHEMA: u64 = 1;
/// A word that stands there again and again counts up to so much more (BM25's k1, in tenths).
const SATURATION: u64 = 12;
/// How deep a schema is read for words.
const DEPTH: usize = 6;
/// The fixed point: parts of one.
const ONE: u64 = 1 << 8;

/// Words of a goal that are in every description and tell nothing.
const SAYING_NOTHING: [&str; 32] = [
    "a", "all", "an", "and", "are", "as", "at", "be", "by", "can", "do", "for", "from", "in", "into", "is",
    "it", "of", "on", "or", "that", "the", "then", "there", "this", "to", "what", "which", "who", "will",
    "with", "you",
];

/// The words of one tool with their weights.
struct Document {
    weights: BTreeMap<String, u64>,
    length: u64,
}

impl<'a> Catalogue<'a> {
    /// A catalogue of these tools.
    pub fn new(tools: Vec<Tool<'a>>) -> Self {
        Self { tools }
    }

    /// What tells it from any other one: names and definitions, in their order.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for tool in &self.tools {
            for part in [tool.name, tool.definition] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
        hash.finalize().into()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// The tools that a text is about, the best ones first and at most so many. Where there is room, those that share no
    /// word with it follow, of each server in turn: a goal may speak of what a tool does in words that the tool has not, and
    /// a catalogue that is small is shown whole.
    pub fn search(&self, text: &str, most: usize) -> Vec<Tool<'a>> {
        let told = words(text).into_iter().filter(|word| !SAYING_NOTHING.contains(&&**word));
        let wanted: BTreeSet<String> = told.collect();
        let documents: Vec<Document> = self.tools.iter().map(Document::of).collect();
        let count = documents.len() as u64;
        let length: u64 = documents.iter().map(|it| it.length).sum();
        let average = length.checked_div(count).unwrap_or_default().max(1);
        let mut scores: Vec<u64> = documents.iter().map(|_| 0).collect();
        for word in &wanted {
            let having = documents.iter().filter(|it| it.weights.contains_key(word)).count() as u64;
            let rarity = rarity(count, having);
            for (score, document) in scores.iter_mut().zip(&documents) {
                let weight = document.weights.get(word).copied().unwrap_or_default();
                *score = score.saturating_add(rarity.saturating_mul(document.share(weight, average)));
            }
        }
        let mut ranked: Vec<(u64, Tool<'a>)> = scores.into_iter().zip(self.tools.iter().copied()).collect();
        ranked.sort_by_key(|(score, tool)| (Reverse(*score), tool.name));
        let found = ranked.partition_point(|(score, _)| *score > 0);
        let others = ranked.split_off(found).into_iter().map(|(_, tool)| tool);
        ranked.into_iter().map(|(_, tool)| tool).chain(in_turns(others)).take(most).collect()
    }
}

/// Tools in the order of their names, rearranged so that each server has its turn.
fn in_turns<'a>(tools: impl Iterator<Item = Tool<'a>>) -> impl Iterator<Item = Tool<'a>> {
    let mut turns: BTreeMap<&str, usize> = BTreeMap::new();
    let with_turn = |tool: Tool<'a>| {
        let server = tool.name.split_once('.').map_or(tool.name, |(server, _)| server);
        let turn = turns.entry(server).or_default();
        *turn = turn.saturating_add(1);
        (*turn, tool)
    };
    let mut all: Vec<(usize, Tool<'a>)> = tools.map(with_turn).collect();
    all.sort_by_key(|(turn, _)| *turn);
    all.into_iter().map(|(_, tool)| tool)
}

impl Document {
    fn of(tool: &Tool<'_>) -> Self {
        let mut document = Self { weights: BTreeMap::new(), length: 0 };
        document.add(tool.name, IN_NAME);
        let definition = Raw::of(tool.definition.as_bytes());
        for name in ["title", "description"] {
            let text = definition.member(name).and_then(Raw::text).unwrap_or_default();
            document.add(&text, IN_DESCRIPTION);
        }
        if let Some(schema) = definition.member("inputSchema") {
            document.add_schema(schema, DEPTH);
        }
        document
    }

    fn add(&mut self, text: &str, weight: u64) {
        for word in words(text) {
            let sum = self.weights.entry(word).or_default();
            *sum = sum.saturating_add(weight);
            self.length = self.length.saturating_add(weight);
        }
    }

    /// Names of properties, and what is said of them.
    fn add_schema(&mut self, schema: Raw<'_>, depth: usize) {
        let Some(below) = depth.checked_sub(1) else { return };
        for (name, value) in schema.members() {
            match (&*name, value.kind()) {
                ("properties", Kind::Object) => {
                    for (property, schema) in value.members() {
                        self.add(&property, IN_SCHEMA);
                        self.add_schema(schema, below);
                    }
                }
                ("description", Kind::String) => self.add(&value.text().unwrap_or_default(), IN_SCHEMA),
                ("enum", Kind::Array) => {
                    let texts = value.elements().into_iter().filter_map(Raw::text);
                    texts.for_each(|text| self.add(&text, IN_SCHEMA));
                }
                ("items", Kind::Object) => self.add_schema(value, below),
                (_, _) => {}
            }
        }
    }

    /// How much of the document a word is (BM25 with b = 3/4): grows with its weight up to a bound, and shrinks with the
    /// length of the document. In parts of [`ONE`].
    fn share(&self, weight: u64, average: u64) -> u64 {
        let relative = ONE.saturating_mul(self.length).checked_div(average).unwrap_or(ONE);
        let length = (ONE / 4).saturating_add((relative / 4).saturating_mul(3));
        let weight = weight.saturating_mul(ONE).saturating_mul(10);
        let whole = weight.saturating_add(SATURATION.saturating_mul(length));
        let grown = weight.saturating_mul(ONE).saturating_mul(SATURATION.saturating_add(10)) / 10;
        grown.checked_div(whole).unwrap_or_default()
    }
}

/// How much a word tells that so many of all have: the logarithm of how rare it is, in parts of [`ONE`].
fn rarity(all: u64, having: u64) -> u64 {
    let odds = all.saturating_add(1).saturating_mul(2).saturating_mul(ONE)
        / having.saturating_mul(2).saturating_add(1);
    log2(odds).saturating_sub(log2(ONE))
}

/// The logarithm to base 2 in parts of [`ONE`]: its whole part, and the rest as a straight line.
fn log2(number: u64) -> u64 {
    let Some(whole) = number.checked_ilog2() else { return 0 };
    let rest = number.saturating_sub(1 << whole);
    let part = rest.saturating_mul(ONE).checked_shr(whole).unwrap_or_default();
    u64::from(whole).saturating_mul(ONE).saturating_add(part)
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::format;

    use super::*;

    fn named(found: &[Tool<'_>]) -> Vec<String> {
        found.iter().map(|tool| tool.name.to_owned()).collect()
    }

    const TOOLS: [Tool<'static>; 5] = [
        Tool {
            name: "github.create_issue",
            definition: r#"{"description":"Create a new issue in a repository","inputSchema":{"properties":{"title":{"description":"Title of the issue"},"assignees":{"items":{"description":"login of a user"}}}}}"#,
        },
        Tool {
            name: "github.list_issues",
            definition: r#"{"description":"List issues of a repository","inputSchema":{"properties":{"state":{"enum":["open","closed"]}}}}"#,
        },
        Tool { name: "notion.create_page", definition: r#"{"description":"Create a page"}"# },
        Tool {
            name: "time.convert_time",
            definition: r#"{"description":"Convert time between timezones","inputSchema":{"properties":{"source_timezone":{}}}}"#,
        },
        Tool { name: "files.read", definition: r#"{"description":"Read a file"}"# },
    ];

    #[test]
    fn what_a_goal_speaks_of_comes_first_whether_in_name_description_or_schema() {
        let catalogue = Catalogue::new(TOOLS.to_vec());
        for (goal, first) in [
            ("list the open issues", "github.list_issues"),
            ("Open a new issue with the title X", "github.create_issue"),
            ("assignees with this login", "github.create_issue"),
            ("which timezone is that?", "time.convert_time"),
            ("make a page", "notion.create_page"),
        ] {
            assert_eq!(named(&catalogue.search(goal, 1)), [first], "{goal}");
        }
    }

    #[test]
    fn a_rare_word_counts_more_than_one_that_many_tools_have() {
        let catalogue = Catalogue::new(TOOLS.to_vec());
        assert_eq!(named(&catalogue.search("create page", 2)), ["notion.create_page", "github.create_issue"]);
    }

    #[test]
    fn a_small_catalogue_is_shown_whole_and_in_one_order() {
        let catalogue = Catalogue::new(TOOLS.to_vec());
        let mut reversed = TOOLS.to_vec();
        reversed.reverse();
        for goal in ["", "nothing of that", "read issues"] {
            let found = named(&catalogue.search(goal, 10));
            assert_eq!(found.len(), 5);
            assert_eq!(found, named(&Catalogue::new(reversed.clone()).search(goal, 10)), "{goal}");
        }
    }

    #[test]
    fn the_one_tool_is_found_among_a_thousand() {
        let names: Vec<String> = (0..1_000).map(|n| format!("s{}.get_record_{n}", n % 20)).collect();
        let mut tools: Vec<Tool<'_>> =
            names.iter().map(|name| Tool { name, definition: r#"{"description":"Get a record"}"# }).collect();
        tools.extend(TOOLS);
        let found = Catalogue::new(tools).search("read the file and create an issue about it", 5);
        let found = named(&found);
        for expected in ["files.read", "github.create_issue"] {
            assert!(found.contains(&expected.to_owned()), "{found:?}");
        }
    }

    #[test]
    fn where_words_do_not_help_every_server_has_its_turn() {
        let mut names: Vec<String> = (0..50).map(|n| format!("aaa.tool_{n:02}")).collect();
        names.extend((0..3).map(|n| format!("zzz.tool_{n}")));
        let tools =
            names.iter().map(|name| Tool { name, definition: r#"{"description":"of the kind that is"}"# });
        let found = named(&Catalogue::new(tools.collect()).search("what is the meaning of it", 5));
        assert_eq!(found, ["aaa.tool_00", "zzz.tool_0", "aaa.tool_01", "zzz.tool_1", "aaa.tool_02"]);
    }

    #[test]
    fn any_change_of_a_tool_is_another_catalogue() {
        let digest = |tools: Vec<Tool<'_>>| Catalogue::new(tools).digest();
        let whole = digest(TOOLS.to_vec());
        assert_ne!(whole, digest(TOOLS[1..].to_vec()));
        let mut changed = TOOLS.to_vec();
        changed[4].definition = r#"{"description":"Read a file!"}"#;
        assert_ne!(whole, digest(changed));
        let shifted = |name, definition| digest(Vec::from([Tool { name, definition }]));
        assert_ne!(shifted("ab", "c"), shifted("a", "bc"));
    }
}
