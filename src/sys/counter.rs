/// Reads the processor's time-stamp counter without a serializing fence. Returns 0 on
/// processors without a readable one.
#[inline(always)]
pub(crate) fn counter() -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        // SAFETY: every x86-64 processor has the instruction; it touches no
        // memory. Where the system forbids it to programs (`PR_TSC_SIGSEGV`),
        // quanta, which is asked first, could not have read it either.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
    // Written from the architecture manual. Not yet run on such a machine.
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        let count: u64;
        // SAFETY: reads one register into another; touches neither memory,
        // stack nor flags.
        unsafe {
            core::arch::asm!(
                "mrs {count}, cntvct_el0",
                count = out(reg) count,
                options(nomem, nostack, preserves_flags),
            );
        }
        count
    }
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
    0
}
