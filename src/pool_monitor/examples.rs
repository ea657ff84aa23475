use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::task_snapshot::BusyThread;
use crate::findings::PoolExample;
use crate::inspect::{InspectRequest, Inspection};
use crate::state::State;

/// What the longest-running tasks are doing. The functions of their stacks are named in the
/// background.
#[derive(Debug, Default)]
pub(super) struct Examples {
    list: Vec<(PoolExample, Inspection)>,
}

/// After this time no further inspection is requested. It is reached only where CPU is
/// contended.
const TIMEOUT: Duration = Duration::from_millis(400);

/// How long one round waits until a stack's functions are named. Most names are cached.
const NAMING_TIME: Duration = Duration::from_millis(2);

impl Examples {
    /// Inspects the oldest task of each route and call site, `max` tasks at most.
    pub(super) fn of_each_site(
        busy_threads: &[&BusyThread],
        max: usize,
        now: u64,
        state: &State,
    ) -> Self {
        let mut known = HashSet::new();
        let is_new = |busy: &&&BusyThread| {
            let task = &busy.task;
            known.insert((task.route, task.site.file(), task.site.line()))
        };
        let mut oldest = busy_threads.to_vec();
        oldest.sort_by_key(|busy| busy.task.start);
        let each: Vec<_> = oldest.iter().filter(is_new).copied().collect();
        Self::of_oldest(&each, max, now, state)
    }

    /// Inspects the oldest tasks, `max` at most.
    pub(super) fn of_oldest(
        busy_threads: &[&BusyThread],
        max: usize,
        now: u64,
        state: &State,
    ) -> Self {
        let mut oldest = busy_threads.to_vec();
        oldest.sort_by_key(|busy| busy.task.start);
        oldest.truncate(max);
        let clock = &state.instance.clock;
        let end = clock.ticks() + clock.ticks_in(TIMEOUT);
        Self {
            list: oldest
                .into_iter()
                .take_while(|_| clock.ticks() < end)
                .filter_map(|busy| example(busy, now, state))
                .collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Takes the names that have arrived. Returns whether no further names are expected.
    pub(super) fn complete(&mut self) -> bool {
        let mut are_complete = true;
        for (example, inspection) in &mut self.list {
            are_complete &= inspection.complete(NAMING_TIME);
            example.cause = inspection.cause();
            if let Some(stack) = &inspection.stack {
                example.place.clone_from(&stack.place);
                example.confidence = Some(stack.confidence);
                example.stack = Arc::clone(&stack.frames);
            }
        }
        are_complete
    }

    /// Returns whether there are examples and all of them block on a future.
    pub(super) fn all_block_on(&self) -> bool {
        let blocks_on = |(example, _): &(PoolExample, Inspection)| {
            let frames = example.stack.iter();
            let mut names = frames.filter_map(|frame| frame.function.as_deref());
            names.any(|name| name.starts_with("tokio::") && name.ends_with("::block_on"))
        };
        !self.list.is_empty() && self.list.iter().all(blocks_on)
    }

    pub(super) fn list(&self, max: usize) -> Vec<PoolExample> {
        let examples = self.list.iter().take(max);
        examples.map(|(example, _)| example.clone()).collect()
    }
}

fn example(busy: &BusyThread, now: u64, state: &State) -> Option<(PoolExample, Inspection)> {
    let instance = &state.instance;
    let (slot, task) = (&busy.slot, &busy.task);
    let (same, sequence) = (Arc::clone(slot), task.sequence);
    let request = InspectRequest {
        thread: slot.thread_id(),
        anchor: task.anchor,
        is_same_task: Box::new(move || same.is_in(sequence)),
    };
    let inspection = state
        .inspect_queue
        .inspect(&instance.poll_config.parker, request)?;
    let example = PoolExample {
        route: instance.routes.name(task.route),
        site: format!("{}:{}", task.site.file(), task.site.line()).into(),
        age: instance.clock.duration(now.saturating_sub(task.start)),
        cause: inspection.cause(),
        call: inspection.call.clone(),
        place: None,
        confidence: None,
        stack: Arc::new([]),
    };
    Some((example, inspection))
}
