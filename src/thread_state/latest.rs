use std::cell::Cell;

thread_local! {
    /// The number of the calling thread's [`ThreadState`](super::ThreadState) that was used
    /// last, or 0 if there is none or it was destroyed. It has no destructor, so that each
    /// poll can read it without checking the state of the thread-local.
    static LATEST: Cell<u64> = const { Cell::new(0) };
}

/// Returns whether the state of this number is the calling thread's and was used last.
#[inline(always)]
pub(super) fn is(number: u64) -> bool {
    LATEST.get() == number
}

pub(super) fn set(number: u64) {
    LATEST.set(number);
}

/// Called when the state of this number is destroyed.
pub(super) fn clear(number: u64) {
    if is(number) {
        set(0);
    }
}
