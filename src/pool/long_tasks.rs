use std::sync::Arc;
use std::time::Duration;

use super::episode::holders;
use super::event::Moment;
use super::examples::Examples;
use super::finding::{PoolFinding, PoolFindingKind};
use super::sampler::{Facts, Found, Holding, Tasks};
use crate::blocking::Seat;
use crate::health::Shared;
use crate::watchdog::{Report, Reporter};

/// Wrapped tasks that have held a thread for longer than is allowed, and still
/// do.
#[derive(Debug, Default)]
pub(super) struct LongTasks(Vec<LongTask>);

#[derive(Debug)]
struct LongTask {
    number: u64,
    finding: PoolFinding,
    start: u64,
    seat: Arc<Seat>,
    sequence: u64,
    examples: Examples,
    /// Until when the event waits for names, in ticks; `None` once it was sent.
    unsaid_until: Option<u64>,
}

/// How long the event of a long task waits for the names of its stack.
const NAMING: Duration = Duration::from_secs(1);

/// Long tasks that are looked into in one look.
const MOST_NEW: usize = 4;

impl LongTasks {
    /// Whether an event waits to be sent.
    pub(super) fn have_unsaid(&self) -> bool {
        self.0.iter().any(|task| task.unsaid_until.is_some())
    }

    pub(super) fn look<'l>(
        &mut self,
        tasks: &Tasks,
        pools: impl Iterator<Item = (&'l Facts, &'l Found<'l>)> + Clone,
        now: u64,
        shared: &Shared,
        reporter: &Reporter,
    ) {
        self.0
            .retain_mut(|task| task.goes_on(now, shared, reporter));
        let clock = &shared.instance.clock;
        let long = clock.ticks_in(shared.options.long_blocking_task);
        let is_new = |holding: &&Holding| {
            now.saturating_sub(holding.task.start) >= long
                && !self.0.iter().any(|task| task.is_of(holding))
        };
        let holdings = tasks.holdings.iter();
        let new: Vec<_> = holdings.filter(is_new).take(MOST_NEW).collect();
        for holding in new {
            let owner = pools.clone().find(|(_, found)| {
                let mut own = found.holdings.iter();
                own.any(|own| std::ptr::eq(*own, holding))
            });
            let lasted = clock.duration(now.saturating_sub(holding.task.start));
            let mut finding = PoolFinding::new(
                PoolFindingKind::LongTask,
                owner.map(|(facts, _)| &*facts.pool),
                clock.wall() - lasted,
            );
            finding.lasted = lasted;
            finding.running = 1;
            finding.holders = holders(&[holding], now, shared);
            let (number, dropped) = shared.pool_findings.add(finding.clone());
            shared.findings.count_dropped(dropped);
            self.0.push(LongTask {
                number,
                finding,
                start: holding.task.start,
                seat: Arc::clone(&holding.seat),
                sequence: holding.task.sequence,
                examples: Examples::ask(&[holding], 1, now, shared),
                unsaid_until: Some(now + clock.ticks_in(NAMING)),
            });
        }
    }
}

impl LongTask {
    fn is_of(&self, holding: &Holding) -> bool {
        Arc::ptr_eq(&self.seat, &holding.seat) && self.sequence == holding.task.sequence
    }

    /// Takes in another look. False if it has ended.
    fn goes_on(&mut self, now: u64, shared: &Shared, reporter: &Reporter) -> bool {
        let is_over = !self.seat.is_in(self.sequence);
        if !is_over {
            let lasted = now.saturating_sub(self.start);
            self.finding.lasted = shared.instance.clock.duration(lasted);
        }
        let are_complete = self.examples.are_complete();
        self.finding.examples = self.examples.list(1);
        let is_due = |until| are_complete || is_over || now >= until;
        if self.unsaid_until.is_some_and(is_due) {
            self.unsaid_until = None;
            let report = Report::Pool(Box::new(self.finding.clone()), Moment::Began);
            if !reporter.send(report) {
                shared.findings.count_dropped(1);
            }
        }
        self.finding.is_over = is_over;
        shared.pool_findings.update(self.number, &self.finding);
        !is_over
    }
}
