use std::panic::Location;

use crate::model::{Method, Phase, RouteId, RuntimeId, Series};
use crate::slot::{Slot, StackAnchor};
use crate::sync::{Ordering, fence};
use crate::sys::StaticRef;

/// The current task of one pool thread that has run a wrapped task of one instance.
///
/// The slot's sequence guards the site, too. The site changes only while the slot is empty.
#[derive(Debug)]
pub(crate) struct PoolThreadSlot {
    slot: Slot,
    site: StaticRef<Location<'static>>,
}

/// A wrapped task that was running when its slot was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunningTask {
    /// Identifies this task among all tasks of its thread.
    pub(crate) sequence: u64,
    /// The start of the task, in ticks.
    pub(crate) start: u64,
    pub(crate) route: RouteId,
    pub(crate) anchor: StackAnchor,
    /// The line that queued the task.
    pub(crate) site: &'static Location<'static>,
}

/// A placeholder: a pool task has no method.
const METHOD: Method = Method::Get;

impl PoolThreadSlot {
    /// Creates the slot of the calling thread.
    pub(crate) fn of_current_thread() -> Self {
        let name = std::thread::current().name().unwrap_or_default().into();
        Self {
            slot: Slot::new(name, crate::sys::thread_id()),
            site: StaticRef::none(),
        }
    }

    /// Returns the kernel's id of the thread, or 0 where the platform has none.
    pub(crate) fn thread_id(&self) -> i32 {
        self.slot.thread_id()
    }

    pub(crate) fn thread(&self) -> &str {
        self.slot.thread()
    }

    /// Returns the observed runtime that the thread belongs to, if known.
    pub(crate) fn runtime(&self) -> Option<RuntimeId> {
        self.slot.runtime()
    }

    /// Returns whether the thread still runs the task of this sequence.
    pub(crate) fn is_in(&self, sequence: u64) -> bool {
        self.slot.activity() == sequence
    }

    /// Returns the task that the thread runs. Any thread may call it.
    pub(crate) fn read(&self) -> Option<RunningTask> {
        let task = self.slot.read()?;
        let site = self.site.load()?;
        // Orders the load above before that of the sequence. Partner: the fence
        // in `Slot::enter`, which comes before the site is changed again.
        fence(Ordering::Acquire);
        self.is_in(task.sequence).then_some(RunningTask {
            sequence: task.sequence,
            start: task.start,
            route: task.series.route(),
            anchor: task.anchor,
            site,
        })
    }

    /// Publishes a task. Only the owning thread may call it.
    pub(crate) fn enter(
        &self,
        start: u64,
        route: RouteId,
        runtime: Option<RuntimeId>,
        site: &'static Location<'static>,
        anchor: StackAnchor,
    ) {
        if let Some(runtime) = runtime {
            self.slot.set_runtime(runtime);
        }
        // In case a task runs inside another task.
        self.leave();
        // A reader that sees the new site and then fences sees that the slot
        // was left. Partner: the fence in `read`.
        fence(Ordering::Release);
        self.site.store(site);
        let series = Series::new(route, METHOD);
        self.slot.enter(start, series, Phase::Call, anchor);
    }

    /// Withdraws the task, if any. Only the owning thread may call it.
    pub(crate) fn leave(&self) {
        if self.slot.is_entered() {
            self.slot.leave();
        }
    }
}
