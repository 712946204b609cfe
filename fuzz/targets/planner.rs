//! libFuzzer's entry to `orch_fuzz::planner`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| orch_fuzz::planner::check(input));
