//! libFuzzer's entry to `orch_fuzz::oauth`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::oauth::check(input));
