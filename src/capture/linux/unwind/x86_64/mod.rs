//! x86-64: DWARF register numbers (System V ABI, figure 3.36), calls and prologues.

mod insn_len;
pub(crate) mod prologue;

pub(crate) use prologue::frame_pointers;

use crate::sys::memory;
use crate::sys::perf::Sample;

pub(crate) const REGISTERS: usize = 17;
pub(crate) const STACK_POINTER: usize = 7;
pub(crate) const FRAME_POINTER: usize = 6;
pub(crate) const RETURN_ADDRESS: usize = 16;
pub(crate) const PROGRAM_COUNTER: usize = 16;
/// The registers that a called function preserves.
pub(crate) const CALLEE_SAVED: &[usize] = &[3, 6, 12, 13, 14, 15];
/// A call pushes its return address, so every frame holds at least that.
pub(crate) const RETURN_ADDRESS_IS_PUSHED: bool = true;

/// Returns whether the instruction before an address may be a call.
pub(crate) fn follows_a_call(code: u64) -> bool {
    let Some(before) = code.checked_sub(7) else {
        return false;
    };
    let mut bytes = [0; 7];
    memory::read_exact(before, &mut bytes)
        && (bytes[2] == 0xe8
            // A call through a register or memory: ff /2, two to seven bytes.
            || (0..6).any(|at| bytes[at] == 0xff && (bytes[at + 1] >> 3) & 7 == 2))
}

/// Returns whether a signal has made a system call fail: the thread is after a `syscall`
/// instruction with −EINTR in RAX.
pub(crate) fn was_call_interrupted(sample: &Sample) -> bool {
    const RAX: usize = 0;
    let register = |number| sample.registers.iter().find(|(found, _)| *found == number);
    let (Some((_, result)), Some((_, code))) = (register(RAX), register(PROGRAM_COUNTER)) else {
        return false;
    };
    let mut before = [0; 2];
    *result == (-i64::from(libc::EINTR)) as u64
        && memory::read_exact(code.wrapping_sub(2), &mut before)
        && before == [0x0f, 0x05]
}
