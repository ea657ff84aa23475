use std::collections::BTreeMap;
use std::time::Duration;

use super::event::Moment;
use super::examples::Examples;
use super::finding::{PoolFinding, PoolFindingKind, PoolHolder};
use super::pool::{Pool, Verdict};
use super::sampler::{Found, Holding, Sampler};
use crate::health::Shared;

/// Examples that a finding has, and stacks that are read to see a deadlock.
const EXAMPLES: usize = 3;
const DEADLOCK_STACKS: usize = 8;

/// How long after stacks were asked for that did not all come.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// One stretch of time in which a pool is saturated, with short breaks.
#[derive(Debug)]
pub(super) struct Episode {
    finding: PoolFinding,
    /// Its number in the store, once it has lasted long enough.
    number: Option<u64>,
    /// Whether its beginning was logged.
    pub(super) is_logged: bool,
    examples: Examples,
    /// When they were asked for, in ticks.
    asked: u64,
    /// What is to be said when their names are there, and until when they are
    /// waited for.
    awaits: Option<(Moment, u64)>,
    /// In ticks.
    since: u64,
    last: u64,
    /// What stood where when something last moved, and when that was.
    still: Option<Still>,
    moved: u64,
    standstill: Standstill,
}

/// What was found out about a time in which nothing has moved.
#[derive(Debug, Default)]
struct Standstill {
    /// Whether stacks were asked for.
    is_asked: bool,
    /// All that were wanted are there.
    is_examined: bool,
    is_said: bool,
}

/// It moves if anything does.
#[derive(Debug, PartialEq, Eq)]
struct Still {
    steps: u64,
    probe: u64,
    /// Thread, task and how often the thread ran.
    threads: Vec<(i32, u64, u64)>,
}

/// One look at a pool.
pub(super) struct Look<'l> {
    pub(super) now: u64,
    pub(super) pool: &'l Pool,
    pub(super) found: &'l Found<'l>,
    pub(super) verdict: Verdict,
    /// Starts and ends of wrapped tasks so far.
    pub(super) steps: u64,
    /// Since when the work that has waited longest waits.
    pub(super) oldest: Option<u64>,
}

impl Episode {
    pub(super) fn begin(look: &Look<'_>, since: u64, shared: &Shared) -> Self {
        let clock = &shared.instance.clock;
        let ago = clock.duration(look.now.saturating_sub(since));
        Self {
            finding: PoolFinding::new(
                PoolFindingKind::Saturated,
                Some(look.pool),
                clock.wall() - ago,
            ),
            number: None,
            is_logged: false,
            examples: Examples::default(),
            asked: 0,
            awaits: None,
            since,
            last: look.now,
            still: None,
            moved: look.now,
            standstill: Standstill::default(),
        }
    }

    pub(super) fn finding(&self) -> &PoolFinding {
        &self.finding
    }

    /// Takes in one look. Gives what is to be said, if anything. It is over when
    /// its finding says so.
    pub(super) fn go_on(
        &mut self,
        look: &Look<'_>,
        sampler: &mut Sampler,
        shared: &Shared,
    ) -> Option<Moment> {
        let clock = &shared.instance.clock;
        let enough = clock.ticks_in(shared.options.pool_saturated_after);
        if !look.verdict.is_saturated {
            if look.now.saturating_sub(self.last) < enough {
                return None;
            }
            self.finding.is_over = true;
            self.finding.queued = 0;
            let number = self.number?;
            shared.pool_findings.update(number, &self.finding);
            let unsaid = self.awaits.take().map(|(moment, _)| moment);
            return Some(unsaid.unwrap_or(Moment::Ended));
        }
        self.last = look.now;
        let lasted = look.now.saturating_sub(self.since);
        self.finding.lasted = clock.duration(lasted);
        self.learn(look, shared);
        let Some(number) = self.number else {
            if lasted < enough {
                return None;
            }
            self.ask(look, shared);
            self.will_say(Moment::Began, look, shared);
            let moment = self.say(look);
            let (number, dropped) = shared.pool_findings.add(self.finding.clone());
            shared.findings.count_dropped(dropped);
            self.number = Some(number);
            return moment;
        };
        let again = clock.ticks_in(ASK_AGAIN);
        if self.examples.len() == 0 && look.now.saturating_sub(self.asked) >= again {
            self.ask(look, shared);
        }
        self.look_for_progress(look, sampler, shared);
        let moment = self.say(look);
        shared.pool_findings.update(number, &self.finding);
        moment
    }

    /// After its end. Whether all names are there that will come.
    pub(super) fn gets_names(&mut self, now: u64, shared: &Shared) -> bool {
        const PATIENCE: Duration = Duration::from_secs(10);
        let Some(number) = self.number else {
            return true;
        };
        let are_complete = self.examples.are_complete();
        self.finding.examples = self.examples.list(EXAMPLES);
        shared.pool_findings.update(number, &self.finding);
        are_complete || now.saturating_sub(self.last) > shared.instance.clock.ticks_in(PATIENCE)
    }

    fn ask(&mut self, look: &Look<'_>, shared: &Shared) {
        self.asked = look.now;
        self.examples = Examples::ask_each(&look.found.holdings, EXAMPLES, look.now, shared);
    }

    fn will_say(&mut self, moment: Moment, look: &Look<'_>, shared: &Shared) {
        /// Names that were not read before take longer than a look.
        const PATIENCE: Duration = Duration::from_millis(300);
        let patience = shared.instance.clock.ticks_in(PATIENCE);
        self.awaits = Some((moment, look.now.saturating_add(patience)));
    }

    /// What is to be said, once it can be said with names.
    fn say(&mut self, look: &Look<'_>) -> Option<Moment> {
        let are_complete = self.examples.are_complete();
        self.finding.examples = self.examples.list(EXAMPLES);
        let (moment, until) = self.awaits?;
        if !are_complete && look.now < until {
            return None;
        }
        self.awaits = None;
        if moment == Moment::Stuck {
            let feeds_itself = look.found.waits.iter().any(|waits| waits.from_pool);
            let wanted = look.found.holdings.len().min(DEADLOCK_STACKS);
            let is_examined = are_complete && self.examples.len() == wanted;
            self.finding.is_deadlock = feeds_itself && is_examined && self.examples.all_block_on();
            self.standstill.is_examined = is_examined;
            let is_said = std::mem::replace(&mut self.standstill.is_said, true);
            if is_said && !self.finding.is_deadlock {
                return None;
            }
        }
        Some(moment)
    }

    fn learn(&mut self, look: &Look<'_>, shared: &Shared) {
        let clock = &shared.instance.clock;
        let sample = &look.found.sample;
        let finding = &mut self.finding;
        finding.limit = look.pool.max();
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
        // One that goes on with a worker's tasks is explained, too.
        let explained = sample.running + shared.instance.tasks.sums().in_place;
        finding.not_wrapped = sample
            .busy()
            .map(|busy| (busy as u64).saturating_sub(explained));
        if let Some(oldest) = look.oldest {
            let waited = clock.duration(look.now.saturating_sub(oldest));
            finding.longest_wait = finding.longest_wait.max(waited);
        }
        finding.holders = holders(&look.found.holdings, look.now, shared);
    }

    fn look_for_progress(&mut self, look: &Look<'_>, sampler: &mut Sampler, shared: &Shared) {
        let clock = &shared.instance.clock;
        let still = still(look, sampler);
        if still.is_none() || still != self.still {
            self.moved = look.now;
            self.still = still;
            self.finding.no_progress = None;
            self.finding.is_deadlock = false;
            self.standstill = Standstill::default();
            return;
        }
        let stuck = look.now.saturating_sub(self.moved);
        if stuck < clock.ticks_in(shared.options.pool_stuck_after) {
            return;
        }
        self.finding.no_progress = Some(clock.duration(stuck));
        // On a machine short of processors some stacks come late.
        let since = look.now.saturating_sub(self.asked);
        let is_due = !self.standstill.is_asked || since >= clock.ticks_in(ASK_AGAIN);
        if is_due && self.awaits.is_none() && !self.standstill.is_examined {
            self.standstill.is_asked = true;
            self.asked = look.now;
            let holdings = &look.found.holdings;
            self.examples = Examples::ask(holdings, DEADLOCK_STACKS, look.now, shared);
            self.will_say(Moment::Stuck, look, shared);
        }
    }
}

/// `None` if something moves for certain: a thread runs, or its wait will end
/// by itself.
fn still(look: &Look<'_>, sampler: &mut Sampler) -> Option<Still> {
    let holdings = &look.found.holdings;
    let mut threads = Vec::with_capacity(holdings.len());
    for holding in holdings {
        let thread = holding.seat.thread_id();
        let runs = sampler.stands_still(thread)?;
        threads.push((thread, holding.task.sequence, runs));
    }
    // The probe of before; a thread that is not wrapped would take it.
    let probe = look.pool.probe.waits_since()?;
    (!threads.is_empty()).then_some(Still {
        steps: look.steps,
        probe,
        threads,
    })
}

pub(super) fn holders(holdings: &[&Holding], now: u64, shared: &Shared) -> Vec<PoolHolder> {
    let clock = &shared.instance.clock;
    let mut groups: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for holding in holdings {
        let task = &holding.task;
        let key = (task.route.0, task.site.file(), task.site.line());
        let group = groups.entry(key).or_insert((0, u64::MAX));
        *group = (group.0 + 1, group.1.min(task.start));
    }
    let mut holders: Vec<_> = groups
        .into_iter()
        .map(|((route, file, line), (tasks, oldest))| PoolHolder {
            route: shared.instance.routes.name(crate::recorder::RouteId(route)),
            site: format!("{file}:{line}").into(),
            tasks,
            oldest: clock.duration(now.saturating_sub(oldest)),
        })
        .collect();
    holders.sort_by(|a, b| b.tasks.cmp(&a.tasks).then(b.oldest.cmp(&a.oldest)));
    holders
}
