//! AArch64: DWARF register numbers (AAPCS64 DWARF, 4.1). Written from the manual, and not run
//! on such a machine yet. Prologues and calls are not decoded, so a walk that needs them is
//! incomplete.

use crate::sys::perf::Sample;

pub(crate) const REGISTERS: usize = 33;
pub(crate) const STACK_POINTER: usize = 31;
pub(crate) const FRAME_POINTER: usize = 29;
pub(crate) const RETURN_ADDRESS: usize = 30;
pub(crate) const PROGRAM_COUNTER: usize = 32;
/// The registers that a called function preserves.
pub(crate) const CALLEE_SAVED: &[usize] = &[19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29];
/// A call leaves its return address in the link register.
pub(crate) const RETURN_ADDRESS_IS_PUSHED: bool = false;

pub(crate) fn follows_a_call(_: u64) -> bool {
    false
}

pub(crate) fn was_call_interrupted(_: &Sample) -> bool {
    false
}

pub(crate) fn frame_pointers(_: &[u64], _: u64, _: u64) -> Vec<(u64, bool)> {
    Vec::new()
}
