use std::io;

use super::FreshThread;

/// Returns 0: kernel thread ids are not used on this platform.
pub(crate) fn thread_id() -> i32 {
    0
}

pub(crate) fn cpu_nanos(_: i32) -> Option<u64> {
    None
}

/// Threads keep the descriptor table of the process.
pub(crate) fn unshare_descriptors(_: FreshThread) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
