//! The recipes of `docs/batch.md`: each plan is read, run with the answers beside it, and gives the output that is said.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::tests::plan;
use super::{Event, Run, Status};
use crate::plan::Raw;
use crate::rpc::canonical;
use crate::{Limits, Timestamp};

const PAGE: &str = include_str!("../../../docs/batch.md");

/// What a tool answers: a structure, or a whole result.
fn result(answer: Raw<'_>) -> Bytes {
    let whole = answer.member("content").is_some();
    let result = if whole {
        String::from(answer.spelling())
    } else {
        format!(r#"{{"structuredContent":{}}}"#, answer.spelling())
    };
    Bytes::from(result)
}

fn check(title: &str, text: &str, answers: &str, output: &str) {
    let limits = Limits::default();
    let answers: BTreeMap<String, Bytes> = Raw::of(answers.as_bytes())
        .members()
        .into_iter()
        .map(|(tool, answer)| (tool.into_owned(), result(answer)))
        .collect();
    let now = Timestamp(0);
    let mut run = Run::new(plan(text, &limits), now, &limits);
    while let Some(start) = run.next(now) {
        let answer =
            answers.get(&start.tool).unwrap_or_else(|| panic!("{title}: {} is not answered", start.tool));
        run.handle(now, Event::StepAnswered(start.unit, answer.clone()));
    }
    assert_eq!(run.status(), Status::Done, "{title}: {:?}", run.report(now, 0));
    let given = run.output().unwrap();
    assert_eq!(
        canonical(&given),
        canonical(output.trim().as_bytes()),
        "{title}: {}",
        core::str::from_utf8(&given).unwrap()
    );
}

#[test]
fn every_recipe_gives_what_it_says() {
    let recipes = PAGE.split("\n### ").filter(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let mut count = 0;
    for recipe in recipes {
        let title = recipe.lines().next().unwrap();
        let blocks: Vec<&str> =
            recipe.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
        let [plan, answers, output] = blocks[..] else { panic!("{title} has {} parts", blocks.len()) };
        check(title, plan, answers, output);
        count += 1;
    }
    assert_eq!(count, 10);
}
