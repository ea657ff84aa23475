use std::sync::Arc;
use std::time::Duration;

use super::{Blocked, Call, CallKind, Clocks, Effort, Hints, Result, Stack, State};
use crate::slot::Mark;

/// Nothing can be read here: durations and counts go on, causes are unknown.
#[derive(Debug)]
pub(crate) struct Capturer;

#[derive(Debug)]
pub(crate) struct Thread;

#[derive(Debug)]
pub(crate) struct PendingStack;

impl PendingStack {
    pub(crate) fn within(
        &mut self,
        _: Duration,
    ) -> Option<std::result::Result<Arc<Stack>, Result>> {
        None
    }

    pub(crate) fn hints(&self) -> Option<Hints> {
        None
    }
}

impl Capturer {
    pub(crate) fn new(_interrupt: bool, _sample_under_seccomp: bool) -> Self {
        Self
    }

    pub(crate) fn mode(&self) -> &'static str {
        "none"
    }

    pub(crate) fn adopt(&mut self, _thread: i32) -> Thread {
        Thread
    }

    pub(crate) fn release(&mut self, _thread: Thread) {}

    pub(crate) fn load(&mut self) {}

    pub(crate) fn state(&self, _thread: &Thread) -> Option<State> {
        None
    }

    pub(crate) fn clocks(&self, _thread: &Thread) -> Option<Clocks> {
        None
    }

    pub(crate) fn kind(&self, _blocked: &Blocked) -> Option<CallKind> {
        None
    }

    pub(crate) fn describe(
        &mut self,
        _thread: &Thread,
        _blocked: &Blocked,
        _effort: Effort,
    ) -> Option<Call> {
        None
    }

    pub(crate) fn stack(
        &mut self,
        _thread: &Thread,
        _state: State,
        _mark: Mark,
        _is_same_poll: &dyn Fn() -> bool,
    ) -> std::result::Result<PendingStack, Result> {
        Err(Result::Unreadable)
    }

    pub(crate) fn interrupted_calls(&self) -> u64 {
        0
    }
}
