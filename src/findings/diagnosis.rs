use std::sync::Arc;
use std::time::Duration;

use super::{AlsoSeen, ThreadTimes};
use crate::capture::Stack;
use crate::model::Cause;

/// What is known about one poll so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diagnosis {
    pub(crate) cause: Option<Cause>,
    /// A description of the system call that the thread is blocked in.
    pub(crate) call: Option<Arc<str>>,
    pub(crate) stack: Option<Arc<Stack>>,
    pub(crate) times: Option<ThreadTimes>,
    /// Other causes and places that the poll showed.
    pub(crate) also: Vec<AlsoSeen>,
    /// How late the watchdog was.
    pub(crate) lateness: Duration,
}

impl Diagnosis {
    pub(crate) fn has_place(&self) -> bool {
        let stack = self.stack.as_ref();
        stack.is_some_and(|stack| stack.place.is_some())
    }

    pub(crate) fn cause(&self) -> Cause {
        self.cause.unwrap_or(Cause::Unknown)
    }
}
