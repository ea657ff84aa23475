use std::collections::HashMap;
use std::sync::Arc;
#[cfg(all(feature = "capture", target_os = "linux"))]
use std::sync::mpsc::Receiver;

use super::census::Census;
#[cfg(all(feature = "capture", target_os = "linux"))]
use super::idle::Signature;
use super::pool::{Exact, Pool, Sample};
use crate::blocking::{Seat, Seated, TaskSums, Waits};
#[cfg(all(feature = "capture", target_os = "linux"))]
use crate::capture::ThreadFiles;
use crate::slot::RuntimeId;

/// A pool and what tokio says of its runtime.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) id: RuntimeId,
    pub(crate) pool: Arc<Pool>,
    pub(crate) workers: usize,
    pub(crate) exact: Option<Exact>,
}

/// A pool thread that is in a wrapped task.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) seat: Arc<Seat>,
    pub(super) task: Seated,
}

/// All that is seen of the wrapped tasks of one instance at once.
#[derive(Debug)]
pub(super) struct Tasks {
    pub(super) sums: TaskSums,
    pub(super) waits: Vec<Waits>,
    pub(super) holdings: Vec<Holding>,
}

/// What belongs to one pool.
pub(super) struct Found<'t> {
    pub(super) sample: Sample,
    pub(super) waits: Vec<&'t Waits>,
    pub(super) holdings: Vec<&'t Holding>,
}

/// Looks at the threads of pools. Belongs to the watch's thread, whose
/// descriptor table it uses.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    census: Census,
    #[cfg(all(feature = "capture", target_os = "linux"))]
    signature: Option<Signature>,
    /// Where the signature comes from.
    #[cfg(all(feature = "capture", target_os = "linux"))]
    pub(super) learning: Option<Receiver<Option<Signature>>>,
    #[cfg(all(feature = "capture", target_os = "linux"))]
    files: HashMap<i32, ThreadFiles>,
}

/// Descriptors that are kept for threads at most: two for each.
#[cfg(all(feature = "capture", target_os = "linux"))]
const MOST_FILES: usize = 400;

impl Sampler {
    pub(super) fn look<'t>(&mut self, pools: &[Facts], tasks: &'t Tasks) -> Vec<Found<'t>> {
        let has_names = self.census.refresh();
        let mut told = HashMap::new();
        let is_told = |facts: &Facts| facts.pool.told(facts.workers).is_some();
        for (index, facts) in pools.iter().enumerate().filter(|(_, facts)| is_told(facts)) {
            let hooks = facts.pool.hooks.as_ref();
            for thread in hooks.map(|hooks| hooks.threads()).unwrap_or_default() {
                told.insert(thread, index);
            }
        }
        let owner = |holding: &Holding| {
            let thread = holding.seat.thread_id();
            told.get(&thread).copied().or_else(|| {
                let index = match (holding.seat.runtime(), pools) {
                    (Some(id), _) => pools.iter().position(|facts| facts.id == id),
                    (None, [_]) => Some(0),
                    (None, _) => None,
                };
                // The hooks of this one would have told.
                index.filter(|index| pools.get(*index).is_some_and(|facts| !is_told(facts)))
            })
        };
        let owners: Vec<_> = tasks.holdings.iter().map(owner).collect();
        let mut all = Vec::new();
        for (index, facts) in pools.iter().enumerate() {
            let of_pool = tasks.holdings.iter().zip(&owners);
            let holdings: Vec<_> = of_pool
                .filter(|(_, owner)| **owner == Some(index))
                .map(|(holding, _)| holding)
                .collect();
            if let (false, Some(holding)) = (is_told(facts), holdings.first()) {
                facts.pool.know_thread_name(cut(holding.seat.thread()));
            }
            let is_only = pools.len() == 1;
            let waits: Vec<_> = tasks
                .waits
                .iter()
                .filter(|waits| match waits.runtime {
                    Some(id) => id == facts.id,
                    None => is_only,
                })
                .collect();
            // Those without a place are in the sum.
            let queued = if is_only {
                tasks.sums.queued
            } else {
                waits.len() as u64
            };
            let (threads, idle) = self.threads(facts, pools, &holdings, has_names);
            all.push(Found {
                sample: Sample {
                    threads,
                    idle,
                    queued,
                    running: holdings.len() as u64,
                    exact: facts.exact,
                },
                waits,
                holdings,
            });
        }
        self.forget_the_dead();
        all
    }

    /// How many threads a pool has, and how many of them are idle.
    fn threads(
        &mut self,
        facts: &Facts,
        pools: &[Facts],
        holdings: &[&Holding],
        has_names: bool,
    ) -> (Option<usize>, Option<usize>) {
        let pool = &facts.pool;
        if let (Some(alive), Some(hooks)) = (pool.told(facts.workers), &pool.hooks) {
            let threads = hooks.threads();
            let idle = self.idle(&threads, holdings);
            let count = alive - facts.workers;
            return (Some(count), idle.map(|idle| idle.min(count)));
        }
        let Some(name) = pool.thread_name().filter(|_| has_names) else {
            return (None, None);
        };
        let threads = self.census.named(name);
        // Pools of one name cannot be told apart.
        let namesakes: Vec<_> = pools
            .iter()
            .filter(|other| {
                other.pool.told(other.workers).is_none() && other.pool.thread_name() == Some(name)
            })
            .collect();
        let workers: usize = namesakes.iter().map(|other| other.workers).sum();
        let count = threads.len().saturating_sub(workers);
        let idle = match namesakes.len() {
            1 => self.idle(&threads, holdings),
            _ => None,
        };
        (Some(count), idle.map(|idle| idle.min(count)))
    }
}

#[cfg(all(feature = "capture", target_os = "linux"))]
impl Sampler {
    fn idle(&mut self, threads: &[i32], holdings: &[&Holding]) -> Option<usize> {
        let learnt = self.learning.as_ref().map(Receiver::try_recv);
        if let Some(Ok(signature)) = learnt {
            self.signature = signature;
            self.learning = None;
        }
        let signature = self.signature.clone()?;
        let mut idle = 0;
        for thread in threads {
            if signature.is_idle(self.files(*thread)) != Some(true) {
                continue;
            }
            let mut seated = holdings.iter();
            // It was in a wrapped task before and still is: taken for idle by
            // mistake, so nothing can be said any more.
            let is_wrong = seated.any(|holding| {
                holding.seat.thread_id() == *thread && holding.seat.is_in(holding.task.sequence)
            });
            if is_wrong {
                self.signature = None;
                return None;
            }
            idle += 1;
        }
        Some(idle)
    }

    fn files(&mut self, thread: i32) -> &ThreadFiles {
        let keep = self.files.len() < MOST_FILES;
        self.files
            .entry(thread)
            .or_insert_with(|| ThreadFiles::open(thread, keep))
    }

    fn forget_the_dead(&mut self) {
        let census = &self.census;
        self.files.retain(|thread, _| census.has(*thread));
    }

    /// How often a thread was given a processor, if it now stands in a wait
    /// without a time limit.
    pub(super) fn stands_still(&mut self, thread: i32) -> Option<u64> {
        let files = self.files(thread);
        match files.state()? {
            crate::capture::State::Blocked(blocked)
                if !crate::capture::has_time_limit(&blocked) =>
            {
                files.slices()
            }
            _ => None,
        }
    }
}

#[cfg(not(all(feature = "capture", target_os = "linux")))]
impl Sampler {
    fn idle(&mut self, _: &[i32], _: &[&Holding]) -> Option<usize> {
        None
    }

    fn forget_the_dead(&mut self) {}

    pub(super) fn stands_still(&mut self, _: i32) -> Option<u64> {
        None
    }
}

/// As the kernel has it.
fn cut(name: &str) -> &str {
    const LONGEST: usize = 15;
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name)
}

#[cfg(all(test, feature = "capture", target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::blocking::Origin;
    use crate::capture::State;
    use crate::clock::Clock;
    use crate::instance::Instance;
    use crate::route::NONE;

    /// By a signature that fits every thread in a wait, a busy one is idle.
    #[test]
    fn a_signature_that_errs_is_given_up() {
        let clock = Clock::new();
        let instance = Arc::new(Instance::new(clock, Duration::from_millis(10), 8, 0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let entered = runtime.enter();
        drop(Origin::named(&instance, NONE).spawn(move || gate.recv()));
        let (holding, code) = loop {
            let seats = instance.seats.list().into_iter();
            let mut seated = seats.filter_map(|seat| Some((seat.read()?, seat)));
            let Some((task, seat)) = seated.next() else {
                continue;
            };
            let files = ThreadFiles::open(seat.thread_id(), true);
            if let Some(State::Blocked(blocked)) = files.state() {
                break (Holding { seat, task }, blocked.code);
            }
        };
        let mut sampler = Sampler {
            signature: Some(Signature::of_code(code)),
            ..Sampler::default()
        };
        let thread = [holding.seat.thread_id()];
        // Nobody says that it is in a task.
        assert_eq!(sampler.idle(&thread, &[]), Some(1));
        assert_eq!(sampler.idle(&thread, &[&holding]), None);
        assert_eq!(sampler.idle(&thread, &[]), None);
        drop((open, entered));
    }
}
