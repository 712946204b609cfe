//! libFuzzer's entry to `orch_fuzz::sse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::sse::check(input));
