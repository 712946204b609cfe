//! libFuzzer's entry to `orch_fuzz::shard`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::shard::check(input));
