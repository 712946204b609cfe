//! libFuzzer's entry to `orch_fuzz::gate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::gate::check(input));
