/// A stack frame that its own thread has published: the frame that polls, or that runs a
/// pool task. A stack walk that arrives at this frame is proven correct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StackAnchor {
    /// The frame's stack pointer, or 0 where stacks are not read.
    pub(crate) stack: u64,
    /// The address of an instruction of the frame's function.
    pub(crate) code: u64,
}

impl StackAnchor {
    /// Returns the frame of the function that calls this, which must itself never be
    /// inlined.
    #[inline(always)]
    pub(crate) fn here() -> Self {
        let (stack, code) = crate::sys::here();
        Self { stack, code }
    }
}
