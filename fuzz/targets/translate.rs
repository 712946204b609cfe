//! libFuzzer's entry to `orch_fuzz::translate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::translate::check(input));
