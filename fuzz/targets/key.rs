//! libFuzzer's entry to `orch_fuzz::key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::key::check(input));
