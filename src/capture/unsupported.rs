use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Blocked, Call, CaptureMode, CaptureOutcome, Clocks, Effort, Hints, RunState, Stack};
use crate::model::CallKind;
use crate::slot::StackAnchor;
use crate::sys::FreshThread;

/// Sockets are not described here.
pub(crate) type SocketEnds = Infallible;

pub(crate) fn describe_socket(_: i32, _: u64) -> Option<SocketEnds> {
    None
}

pub(crate) fn install_signal_handler() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Threads cannot be read here. Durations and counts are still recorded; causes are unknown.
#[derive(Debug)]
pub(crate) struct Capturer;

#[derive(Debug)]
pub(crate) struct Thread;

#[derive(Debug)]
pub(crate) struct PendingStack;

impl PendingStack {
    pub(crate) fn wait(&mut self, _: Duration) -> Option<Result<Arc<Stack>, CaptureOutcome>> {
        None
    }

    pub(crate) fn hints(&self) -> Option<Hints> {
        None
    }
}

impl Capturer {
    pub(crate) fn new(
        _: FreshThread,
        _interrupt: bool,
        _sample_under_seccomp: bool,
        _: Box<dyn Fn(i32, u64) -> Option<SocketEnds> + Send>,
    ) -> Self {
        Self
    }

    pub(crate) fn mode(&self) -> CaptureMode {
        CaptureMode::None
    }

    pub(crate) fn open_thread(&mut self, _thread: i32) -> Thread {
        Thread
    }

    pub(crate) fn close_thread(&mut self, _thread: Thread) {}

    pub(crate) fn load(&mut self) {}

    pub(crate) fn state(&self, _thread: &Thread) -> Option<RunState> {
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
        _state: RunState,
        _anchor: StackAnchor,
        _is_same_poll: &dyn Fn() -> bool,
    ) -> Result<PendingStack, CaptureOutcome> {
        Err(CaptureOutcome::Unreadable)
    }

    pub(crate) fn interrupted_calls(&self) -> u64 {
        0
    }
}
