//! libFuzzer's entry to `orch_fuzz::headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::headers::check(input));
