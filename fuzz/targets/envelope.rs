//! libFuzzer's entry to `orch_fuzz::envelope`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::envelope::check(input));
