//! libFuzzer's entry to `orch_fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::session::check(input));
