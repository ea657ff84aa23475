use std::sync::Arc;
use std::time::Duration;

use super::examples::Examples;
use super::holders::holders;
use super::sampler::PoolView;
use super::task_snapshot::{BusyThread, TaskSnapshot};
use crate::findings::{PoolFinding, PoolFindingKind, Transition};
use crate::offload::Offload;
use crate::pool_tasks::PoolThreadSlot;
use crate::runtime::ObservedPool;
use crate::state::State;

/// Wrapped tasks that have occupied a thread for longer than
/// [`long_blocking_task`](crate::Builder::long_blocking_task), and still do.
#[derive(Debug, Default)]
pub(super) struct LongTasks(Vec<LongTask>);

#[derive(Debug)]
struct LongTask {
    number: u64,
    finding: PoolFinding,
    start: u64,
    slot: Arc<PoolThreadSlot>,
    sequence: u64,
    examples: Examples,
    /// The deadline, in ticks, until which the event waits for the names in its stack. `None`
    /// once the event was sent.
    event_due: Option<u64>,
}

/// How long the event of a long task waits until its stack's functions are named.
const NAMING_TIME: Duration = Duration::from_secs(1);

/// How many new long tasks one round inspects.
const MAX_NEW: usize = 4;

impl LongTasks {
    /// Returns whether an event waits to be sent.
    pub(super) fn have_pending_events(&self) -> bool {
        self.0.iter().any(|task| task.event_due.is_some())
    }

    pub(super) fn update<'v>(
        &mut self,
        tasks: &TaskSnapshot,
        pools: impl Iterator<Item = (&'v ObservedPool, &'v PoolView<'v>)> + Clone,
        now: u64,
        state: &State,
        offload: &Offload,
    ) {
        self.0.retain_mut(|task| task.update(now, state, offload));
        let clock = state.clock();
        let long = clock.ticks_in(state.options.long_blocking_task);
        let is_new = |busy: &&BusyThread| {
            now.saturating_sub(busy.task.start) >= long
                && !self.0.iter().any(|task| task.is_of(busy))
        };
        let busy_threads = tasks.busy_threads.iter();
        let new: Vec<_> = busy_threads.filter(is_new).take(MAX_NEW).collect();
        for busy in new {
            let owner = pools.clone().find(|(_, view)| {
                let mut own = view.busy_threads.iter();
                own.any(|own| std::ptr::eq(*own, busy))
            });
            let lasted = clock.duration(now.saturating_sub(busy.task.start));
            let mut finding = PoolFinding::new(
                PoolFindingKind::LongTask,
                owner.map(|(observed, _)| (&observed.pool.name, observed.pool.max())),
                clock.wall() - lasted,
            );
            finding.lasted = lasted;
            finding.running = 1;
            finding.holders = holders(&[busy], now, state);
            let (number, dropped) = state.pool_findings.add(finding.clone());
            state.findings.count_dropped(dropped);
            self.0.push(LongTask {
                number,
                finding,
                start: busy.task.start,
                slot: Arc::clone(&busy.slot),
                sequence: busy.task.sequence,
                examples: Examples::of_oldest(&[busy], 1, now, state),
                event_due: Some(now + clock.ticks_in(NAMING_TIME)),
            });
        }
    }
}

impl LongTask {
    fn is_of(&self, busy: &BusyThread) -> bool {
        Arc::ptr_eq(&self.slot, &busy.slot) && self.sequence == busy.task.sequence
    }

    /// Updates the finding. Returns false if the task has ended.
    fn update(&mut self, now: u64, state: &State, offload: &Offload) -> bool {
        let is_over = !self.slot.is_in(self.sequence);
        if !is_over {
            let lasted = now.saturating_sub(self.start);
            self.finding.lasted = state.clock().duration(lasted);
        }
        let are_complete = self.examples.complete();
        self.finding.examples = self.examples.list(1);
        let is_due = |until| are_complete || is_over || now >= until;
        if self.event_due.is_some_and(is_due) {
            self.event_due = None;
            if !offload.log_pool_event(&self.finding, Transition::Began) {
                state.findings.count_dropped(1);
            }
        }
        self.finding.is_over = is_over;
        state.pool_findings.update(self.number, &self.finding);
        !is_over
    }
}
