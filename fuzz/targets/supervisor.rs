//! libFuzzer's entry to `orch_fuzz::supervisor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::supervisor::check(input));
