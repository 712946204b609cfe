//! libFuzzer's entry to `orch_fuzz::framer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::framer::check(input));
