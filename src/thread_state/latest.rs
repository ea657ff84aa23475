use std::cell::Cell;

thread_local! {
    /// The number of the calling thread's [`ThreadState`](super::ThreadState) that was asked
    /// for last; 0 for none, or if it is torn down. Without a destructor, so that reading it
    /// asks nothing: each poll does.
    static LATEST: Cell<u64> = const { Cell::new(0) };
}

/// Returns whether the state of this number is the calling thread's, and was asked for last.
#[inline(always)]
pub(super) fn is(number: u64) -> bool {
    LATEST.get() == number
}

pub(super) fn set(number: u64) {
    LATEST.set(number);
}

/// Called when the state of this number is torn down.
pub(super) fn clear(number: u64) {
    if is(number) {
        set(0);
    }
}
