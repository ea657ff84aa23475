use std::time::Duration;

use super::examples::Examples;
use super::holders::holders;
use super::sampler::{PoolView, Sampler};
use crate::findings::{PoolFinding, PoolFindingKind, Transition};
use crate::runtime::{Pool, Saturation};
use crate::state::State;

/// How many examples a finding has, and how many stacks are read to detect a deadlock.
const EXAMPLES: usize = 3;
const DEADLOCK_STACKS: usize = 8;

/// When stacks are requested again, if not all could be read.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// One period in which a pool is saturated. Short interruptions belong to it.
#[derive(Debug)]
pub(super) struct SaturationIncident {
    finding: PoolFinding,
    /// The finding's number in the store; `None` until the saturation has lasted long enough.
    number: Option<u64>,
    /// Whether the beginning was logged.
    pub(super) is_logged: bool,
    examples: Examples,
    /// When the examples were requested, in ticks.
    requested_at: u64,
    /// An event that waits until the examples' functions are named, and its deadline in ticks.
    pending_event: Option<(Transition, u64)>,
    /// When the saturation began, and when the pool was last seen saturated; in ticks.
    since: u64,
    last_saturated: u64,
    /// The state of the pool when it last made progress, and when that was.
    snapshot: Option<ProgressSnapshot>,
    last_progress: u64,
    stuck: StuckState,
}

/// What was done and found out about a period without progress.
#[derive(Debug, Default)]
struct StuckState {
    /// Stacks were requested.
    is_requested: bool,
    /// All requested stacks were read.
    is_examined: bool,
    is_logged: bool,
}

/// The state of a pool's tasks and threads. It differs from an earlier snapshot if the pool has
/// made any progress.
#[derive(Debug, PartialEq, Eq)]
struct ProgressSnapshot {
    steps: u64,
    probe: u64,
    threads: Vec<WaitingThread>,
}

#[derive(Debug, PartialEq, Eq)]
struct WaitingThread {
    thread: i32,
    task: u64,
    /// How often the thread was given a CPU.
    switches: u64,
}

/// One check of a pool.
pub(super) struct PoolCheck<'c> {
    pub(super) now: u64,
    pub(super) pool: &'c Pool,
    pub(super) view: &'c PoolView<'c>,
    pub(super) saturation: Saturation,
    /// How many wrapped tasks have started plus how many have ended.
    pub(super) steps: u64,
    /// When the task or probe that has been queued longest was queued, in ticks.
    pub(super) oldest: Option<u64>,
}

impl SaturationIncident {
    pub(super) fn begin(check: &PoolCheck<'_>, since: u64, state: &State) -> Self {
        let clock = state.clock();
        let ago = clock.duration(check.now.saturating_sub(since));
        Self {
            finding: PoolFinding::new(
                PoolFindingKind::Saturated,
                Some((&check.pool.name, check.pool.max())),
                clock.wall() - ago,
            ),
            number: None,
            is_logged: false,
            examples: Examples::default(),
            requested_at: 0,
            pending_event: None,
            since,
            last_saturated: check.now,
            snapshot: None,
            last_progress: check.now,
            stuck: StuckState::default(),
        }
    }

    pub(super) fn finding(&self) -> &PoolFinding {
        &self.finding
    }

    /// Updates the finding after one check. Returns the transition to log, if any. The incident
    /// has ended once its finding `is_over`.
    pub(super) fn update(
        &mut self,
        check: &PoolCheck<'_>,
        sampler: &mut Sampler,
        state: &State,
    ) -> Option<Transition> {
        let clock = state.clock();
        let enough = clock.ticks_in(state.options.pool_saturated_after);
        if !check.saturation.is_saturated {
            if check.now.saturating_sub(self.last_saturated) < enough {
                return None;
            }
            self.finding.is_over = true;
            self.finding.queued = 0;
            let number = self.number?;
            state.pool_findings.update(number, &self.finding);
            let pending = self.pending_event.take().map(|(transition, _)| transition);
            return Some(pending.unwrap_or(Transition::Ended));
        }
        self.last_saturated = check.now;
        let lasted = check.now.saturating_sub(self.since);
        self.finding.lasted = clock.duration(lasted);
        self.copy_figures(check, state);
        let Some(number) = self.number else {
            if lasted < enough {
                return None;
            }
            self.request_examples(check, state);
            self.schedule_event(Transition::Began, check, state);
            let transition = self.take_due_event(check);
            let (number, dropped) = state.pool_findings.add(self.finding.clone());
            state.findings.count_dropped(dropped);
            self.number = Some(number);
            return transition;
        };
        let retry = clock.ticks_in(RETRY_INTERVAL);
        if self.examples.len() == 0 && check.now.saturating_sub(self.requested_at) >= retry {
            self.request_examples(check, state);
        }
        self.check_progress(check, sampler, state);
        let transition = self.take_due_event(check);
        state.pool_findings.update(number, &self.finding);
        transition
    }

    /// Updates the examples of an incident that has ended. Returns whether no further names are
    /// expected.
    pub(super) fn finish_names(&mut self, now: u64, state: &State) -> bool {
        const TIMEOUT: Duration = Duration::from_secs(10);
        let Some(number) = self.number else {
            return true;
        };
        let are_complete = self.examples.complete();
        self.finding.examples = self.examples.list(EXAMPLES);
        state.pool_findings.update(number, &self.finding);
        are_complete || now.saturating_sub(self.last_saturated) > state.clock().ticks_in(TIMEOUT)
    }

    fn request_examples(&mut self, check: &PoolCheck<'_>, state: &State) {
        self.requested_at = check.now;
        self.examples =
            Examples::of_each_site(&check.view.busy_threads, EXAMPLES, check.now, state);
    }

    fn schedule_event(&mut self, transition: Transition, check: &PoolCheck<'_>, state: &State) {
        /// Names that are not cached take longer than one check.
        const TIMEOUT: Duration = Duration::from_millis(300);
        let timeout = state.clock().ticks_in(TIMEOUT);
        self.pending_event = Some((transition, check.now.saturating_add(timeout)));
    }

    /// Takes the pending event if its examples are named or it has waited long enough.
    fn take_due_event(&mut self, check: &PoolCheck<'_>) -> Option<Transition> {
        let are_complete = self.examples.complete();
        self.finding.examples = self.examples.list(EXAMPLES);
        let (transition, until) = self.pending_event?;
        if !are_complete && check.now < until {
            return None;
        }
        self.pending_event = None;
        if transition == Transition::Stuck {
            let feeds_itself = check.view.queued_tasks.iter().any(|task| task.from_pool);
            let wanted = check.view.busy_threads.len().min(DEADLOCK_STACKS);
            let is_examined = are_complete && self.examples.len() == wanted;
            self.finding.is_deadlock = feeds_itself && is_examined && self.examples.all_block_on();
            self.stuck.is_examined = is_examined;
            let was_logged = std::mem::replace(&mut self.stuck.is_logged, true);
            if was_logged && !self.finding.is_deadlock {
                return None;
            }
        }
        Some(transition)
    }

    fn copy_figures(&mut self, check: &PoolCheck<'_>, state: &State) {
        let clock = state.clock();
        let sample = &check.view.sample;
        let finding = &mut self.finding;
        finding.limit = check.pool.max();
        finding.threads = match sample.exact {
            Some(exact) => Some(exact.threads as u64),
            None => sample.threads.map(|threads| threads as u64),
        };
        finding.running = sample.running;
        finding.queued = match sample.exact {
            Some(exact) => exact.queue as u64,
            None => sample.queued,
        };
        finding.most_queued = finding.most_queued.max(finding.queued);
        // A pool thread that runs a worker, because of `block_in_place`, is accounted for, too.
        let explained = sample.running + state.instance.tasks.sums().in_place;
        finding.not_wrapped = sample
            .busy()
            .map(|busy| (busy as u64).saturating_sub(explained));
        if let Some(oldest) = check.oldest {
            let waited = clock.duration(check.now.saturating_sub(oldest));
            finding.longest_wait = finding.longest_wait.max(waited);
        }
        finding.holders = holders(&check.view.busy_threads, check.now, state);
    }

    fn check_progress(&mut self, check: &PoolCheck<'_>, sampler: &mut Sampler, state: &State) {
        let clock = state.clock();
        let snapshot = snapshot(check, sampler);
        if snapshot.is_none() || snapshot != self.snapshot {
            self.last_progress = check.now;
            self.snapshot = snapshot;
            self.finding.no_progress = None;
            self.finding.is_deadlock = false;
            self.stuck = StuckState::default();
            return;
        }
        let stuck = check.now.saturating_sub(self.last_progress);
        if stuck < clock.ticks_in(state.options.pool_stuck_after) {
            return;
        }
        self.finding.no_progress = Some(clock.duration(stuck));
        // If CPU is contended, some stacks cannot be read at the first attempt.
        let since = check.now.saturating_sub(self.requested_at);
        let is_due = !self.stuck.is_requested || since >= clock.ticks_in(RETRY_INTERVAL);
        if is_due && self.pending_event.is_none() && !self.stuck.is_examined {
            self.stuck.is_requested = true;
            self.requested_at = check.now;
            let busy_threads = &check.view.busy_threads;
            self.examples = Examples::of_oldest(busy_threads, DEADLOCK_STACKS, check.now, state);
            self.schedule_event(Transition::Stuck, check, state);
        }
    }
}

/// Takes a snapshot. Returns `None` if the pool is certain to make progress: a thread runs, or
/// waits with a time limit.
fn snapshot(check: &PoolCheck<'_>, sampler: &mut Sampler) -> Option<ProgressSnapshot> {
    let busy_threads = &check.view.busy_threads;
    let mut threads = Vec::with_capacity(busy_threads.len());
    for busy in busy_threads {
        let thread = busy.slot.thread_id();
        threads.push(WaitingThread {
            thread,
            task: busy.task.sequence,
            switches: sampler.reader.switches_while_waiting(thread)?,
        });
    }
    // Covers unwrapped tasks: a thread that finished one would have taken the probe.
    let probe = check.pool.probe.waits_since()?;
    (!threads.is_empty()).then_some(ProgressSnapshot {
        steps: check.steps,
        probe,
        threads,
    })
}
