use super::procfs::ThreadFiles;
use super::unwind::StackCopy;
use crate::capture::{Blocked, CaptureOutcome, RunState};
use crate::slot::StackAnchor;
use crate::sys::memory;

/// The most bytes of a stack that are copied. A stack pointer further from the anchor is on
/// another stack: that of a coroutine, of a signal handler, or one allocated to grow.
const MAX_STACK: u64 = 1 << 20;

/// How many bytes above the anchor's stack pointer are copied, for words saved there.
pub(super) const ABOVE_ANCHOR: u64 = 64;

/// How often a copy is attempted if the thread moves meanwhile.
const MAX_TRIES: usize = 3;

/// Returns how many bytes of the stack to copy.
pub(super) fn length(stack: u64, anchor: StackAnchor) -> Result<usize, CaptureOutcome> {
    let length = anchor
        .stack
        .checked_sub(stack)
        .filter(|length| *length <= MAX_STACK);
    let length = length.and_then(|length| usize::try_from(length + ABOVE_ANCHOR).ok());
    length.ok_or(CaptureOutcome::Unreadable)
}

/// Copies the stack of a blocked thread.
///
/// Before and after the copy, the thread is in the same call with the same stack pointer, and it
/// was not given a CPU in between. So it has executed nothing while its stack was copied.
pub(super) fn copy_blocked(
    files: &ThreadFiles,
    blocked: Blocked,
    anchor: StackAnchor,
) -> Result<StackCopy, CaptureOutcome> {
    let length = length(blocked.stack, anchor)?;
    let mut bytes = vec![0; length];
    for _ in 0..MAX_TRIES {
        let before = files.timeslices();
        if before.is_none() || files.state() != Some(RunState::Blocked(blocked)) {
            return Err(CaptureOutcome::Moved);
        }
        let copied = memory::read(blocked.stack, &mut bytes);
        if files.state() == Some(RunState::Blocked(blocked)) && files.timeslices() == before {
            bytes.truncate(copied);
            let start = blocked.stack;
            return Ok(StackCopy { start, bytes });
        }
    }
    Err(CaptureOutcome::Moved)
}
