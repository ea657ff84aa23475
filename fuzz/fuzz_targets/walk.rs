//! Random stacks and prologues for the walk up a stuck thread's stack. `src/fuzzing.rs`
//! describes a case.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tower_runtime_health::fuzz_capture(bytes));
