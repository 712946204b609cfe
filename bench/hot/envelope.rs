//! Messages: reading one, and writing it anew with a few members replaced.

use std::time::Duration;

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use orch_core::Limits;
use orch_core::mcp::{Lifetime, complete};
use orch_core::rpc::{Envelope, Field, Sender};

use crate::messages::{call, dense_call};

const KIB: usize = 1024;
const SIZES: [usize; 4] = [64, KIB, 64 * KIB, KIB * KIB];

fn read(text: &Bytes) -> Envelope {
    Envelope::parse(text.clone(), Sender::Upstream, &Limits::default()).expect("the message is valid")
}

#[divan::bench(args = SIZES)]
fn parse_one_long_string(bencher: Bencher<'_, '_>, size: usize) {
    let text = call(size);
    bencher.counter(BytesCount::new(text.len())).bench(|| read(black_box(&text)));
}

#[divan::bench(args = SIZES)]
fn parse_many_small_values(bencher: Bencher<'_, '_>, size: usize) {
    let text = dense_call(size);
    bencher.counter(BytesCount::new(text.len())).bench(|| read(black_box(&text)));
}

#[divan::bench(args = SIZES)]
fn splice_name_and_token(bencher: Bencher<'_, '_>, size: usize) {
    let envelope = read(&call(size));
    bencher.counter(BytesCount::new(envelope.bytes().len())).bench(|| {
        let name = (Field::Name, b"\"other\"".as_slice().into());
        let token = (Field::MetaProgressToken, b"12345".as_slice().into());
        black_box(&envelope).spliced(Field::Params, &mut [name, token])
    });
}

#[divan::bench(args = SIZES)]
fn complete_a_result_for_2026(bencher: Bencher<'_, '_>, size: usize) {
    let text = "x".repeat(size);
    let answer =
        format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#);
    let answer = read(&answer.into());
    let lifetime = Lifetime::Private(Duration::from_secs(5));
    bencher
        .counter(BytesCount::new(answer.bytes().len()))
        .bench(|| complete(black_box(&answer), lifetime, r#"{"name":"echo","version":"1.0.0"}"#));
}
