//! libFuzzer's entry to `orch_fuzz::cursor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::cursor::check(input));
