//! Keys: what the verification of one costs every request.

use divan::{Bencher, black_box};
use orch_core::key::Token;

use crate::stage::{NOW, Stage};

#[divan::bench]
fn parse_a_key(bencher: Bencher<'_, '_>) {
    let stage = Stage::new();
    bencher.bench(|| Token::parse(black_box(stage.token.reveal())));
}

/// From the head of a request to its admission: parse, look up, hash, compare.
#[divan::bench]
fn admit_a_request(bencher: Bencher<'_, '_>) {
    let stage = Stage::new();
    let head = stage.head("server0", None);
    bencher.bench(|| stage.directory.admit(black_box(&head), NOW).is_ok());
}

#[divan::bench]
fn refuse_a_key_with_a_typing_error(bencher: Bencher<'_, '_>) {
    let stage = Stage::new();
    let mut wrong = stage.token.reveal().to_owned();
    wrong.pop();
    wrong.push('-');
    bencher.bench(|| Token::parse(black_box(&wrong)).is_none());
}
