use super::task_snapshot::BusyThread;
use super::thread_names::ThreadNames;
use crate::clock::Clock;

/// Threads cannot be read here: which of them are idle is unknown.
#[derive(Debug)]
pub(super) struct ThreadReader;

impl ThreadReader {
    pub(super) fn new(_: &Clock) -> Self {
        Self
    }

    pub(super) fn count_idle(&mut self, _: &[i32], _: &[&BusyThread]) -> Option<usize> {
        None
    }

    pub(super) fn forget_all_but(&mut self, _: &ThreadNames) {}

    pub(super) fn switches_while_waiting(&mut self, _: i32) -> Option<u64> {
        None
    }
}
