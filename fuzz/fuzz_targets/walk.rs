//! Stacks and prologues of garbage for the walk up a stuck thread's stack: what
//! a case is, is in `src/capture/garbage.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tower_runtime_health::fuzz_capture(bytes));
