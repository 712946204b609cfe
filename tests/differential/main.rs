//! Whether servers read what the hub has read. Policy decides by the hub's reading of a message, and the server acts by
//! its own: of two readings, one would be a way around every rule. So whatever the hub accepts is read by the JSON of
//! JavaScript and of Python, which most servers are written in, and has to mean the same. What the hub refuses is
//! safe whatever others make of it.
//!
//! `ORCH_DIFFERENTIAL_SEED` draws other messages, `ORCH_DIFFERENTIAL_MESSAGES` more of them.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic anywhere")]

#[path = "../sim/dice.rs"]
#[expect(dead_code, reason = "shared with the simulation")]
mod dice;
#[path = "../support/peer.rs"]
#[expect(dead_code, reason = "these tests need none of the servers")]
mod peer;

mod messages;
mod readers;
mod reading;

use orch_core::Limits;

use dice::Dice;
use reading::Reading;

const SEED: u64 = 1;
const MESSAGES: u64 = 50_000;

/// A generator whose messages are nearly all refused compares nothing.
const LEAST_ACCEPTED_PERCENT: usize = 20;

#[test]
fn what_the_hub_accepts_means_the_same_to_the_readers_behind_it() {
    let (seed, count) = (
        number("ORCH_DIFFERENTIAL_SEED").unwrap_or(SEED),
        number("ORCH_DIFFERENTIAL_MESSAGES").unwrap_or(MESSAGES),
    );
    let mut dice = Dice::new(seed);
    let texts: Vec<Vec<u8>> = (0..count).map(|_| messages::draw(&mut dice)).collect();
    let ours: Vec<Option<Vec<Reading>>> =
        texts.iter().map(|text| reading::of_the_hub(text, &Limits::default())).collect();
    let theirs = readers::all(&texts);
    let mut differences = Vec::new();
    for (index, (text, ours)) in texts.iter().zip(&ours).enumerate() {
        let Some(ours) = ours else { continue };
        for (reader, answers) in &theirs {
            if let Some(difference) = reading::difference(ours, answers[index].as_deref()) {
                let text = String::from_utf8_lossy(text);
                differences.push(format!("{reader}: {difference}\n  {text}"));
            }
        }
    }
    let accepted = ours.iter().flatten().count();
    println!("{accepted} of {count} messages accepted, {} differences", differences.len());
    differences.truncate(20);
    assert!(differences.is_empty(), "seed {seed}:\n{}", differences.join("\n"));
    assert!(accepted * 100 >= texts.len() * LEAST_ACCEPTED_PERCENT, "{accepted} accepted of {count}");
}

#[test]
fn a_reader_that_reads_something_else_is_found_out() {
    let text = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#.to_vec();
    let ours = reading::of_the_hub(&text, &Limits::default()).expect("a message");
    for (other, found) in [
        (text.clone(), false),
        (text.replacing("\"a\"", "\"b\""), true),
        (text.replacing("\"id\":1", "\"id\":2"), true),
        (text.replacing("tools/call", "tools/list"), true),
        (text.replacing("\"name\"", "\"Name\""), true),
        (text.replacing("}}", "}"), true),
    ] {
        for (reader, answers) in readers::all(std::slice::from_ref(&other)) {
            let difference = reading::difference(&ours, answers[0].as_deref());
            assert_eq!(difference.is_some(), found, "{reader}: {}", String::from_utf8_lossy(&other));
        }
    }
}

trait Replacing {
    fn replacing(&self, from: &str, to: &str) -> Vec<u8>;
}

impl Replacing for Vec<u8> {
    fn replacing(&self, from: &str, to: &str) -> Vec<u8> {
        String::from_utf8_lossy(self).replace(from, to).into_bytes()
    }
}

#[expect(clippy::disallowed_methods, reason = "how a developer draws other messages")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
