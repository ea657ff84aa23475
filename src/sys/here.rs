/// Returns the stack pointer of the function this is inlined into, and the address of an
/// instruction of that function. Both are 0 where stacks are not read.
///
/// `inline(always)` is honoured without optimisation, too; `tests/corpus`
/// would fail if it were not.
#[inline(always)]
pub(crate) fn here() -> (u64, u64) {
    #[cfg(all(
        feature = "capture",
        target_os = "linux",
        target_arch = "x86_64",
        not(miri)
    ))]
    {
        let (stack, code): (u64, u64);
        // SAFETY: reads two registers into two others; touches neither memory,
        // stack nor flags.
        unsafe {
            core::arch::asm!(
                "mov {stack}, rsp",
                "lea {code}, [rip]",
                stack = out(reg) stack,
                code = out(reg) code,
                options(nomem, nostack, preserves_flags),
            );
        }
        (stack, code)
    }
    // Written from the architecture manual. Not yet run on such a machine.
    #[cfg(all(
        feature = "capture",
        target_os = "linux",
        target_arch = "aarch64",
        not(miri)
    ))]
    {
        let (stack, code): (u64, u64);
        // SAFETY: reads two registers into two others; touches neither memory,
        // stack nor flags.
        unsafe {
            core::arch::asm!(
                "mov {stack}, sp",
                "adr {code}, .",
                stack = out(reg) stack,
                code = out(reg) code,
                options(nomem, nostack, preserves_flags),
            );
        }
        (stack, code)
    }
    #[cfg(not(all(
        feature = "capture",
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64"),
        not(miri)
    )))]
    (0, 0)
}
