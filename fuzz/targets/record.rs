//! libFuzzer's entry to `orch_fuzz::record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::record::check(input));
