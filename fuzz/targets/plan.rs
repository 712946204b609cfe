//! libFuzzer's entry to `orch_fuzz::plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::plan::check(input));
