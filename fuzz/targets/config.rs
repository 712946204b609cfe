//! libFuzzer's entry to `orch_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::config::check(input));
