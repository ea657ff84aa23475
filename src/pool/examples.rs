use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::finding::PoolExample;
use super::sampler::Holding;
use crate::health::Shared;
use crate::watchdog::{Glance, Question};

/// What the tasks are at that run longest. Their stacks get their names while
/// the watch goes on.
#[derive(Debug, Default)]
pub(super) struct Examples {
    of: Vec<(PoolExample, Glance)>,
}

/// How long the watch waits for answers in all, where processors are short.
const PATIENCE: Duration = Duration::from_millis(400);

/// How long one look waits for names, most of which were read before.
const NAMING: Duration = Duration::from_millis(2);

impl Examples {
    /// Asks about one task of each route and call site, so many at most.
    pub(super) fn ask_each(holdings: &[&Holding], most: usize, now: u64, shared: &Shared) -> Self {
        let mut known = HashSet::new();
        let is_new = |holding: &&&Holding| {
            let task = &holding.task;
            known.insert((task.route, task.site.file(), task.site.line()))
        };
        let mut oldest = holdings.to_vec();
        oldest.sort_by_key(|holding| holding.task.start);
        let each: Vec<_> = oldest.iter().filter(is_new).copied().collect();
        Self::ask(&each, most, now, shared)
    }

    /// Asks about so many of these at most.
    pub(super) fn ask(holdings: &[&Holding], most: usize, now: u64, shared: &Shared) -> Self {
        let mut oldest = holdings.to_vec();
        oldest.sort_by_key(|holding| holding.task.start);
        oldest.truncate(most);
        let of = oldest.into_iter();
        let clock = &shared.instance.clock;
        let end = clock.ticks() + clock.ticks_in(PATIENCE);
        Self {
            of: of
                .take_while(|_| clock.ticks() < end)
                .filter_map(|holding| example(holding, now, shared))
                .collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether all names are there that will come.
    pub(super) fn are_complete(&mut self) -> bool {
        let mut are_complete = true;
        for (example, glance) in &mut self.of {
            are_complete &= glance.is_complete(NAMING);
            example.cause = glance.cause();
            if let Some(stack) = &glance.stack {
                example.place.clone_from(&stack.place);
                example.confidence = Some(stack.confidence);
                example.stack = Arc::clone(&stack.frames);
            }
        }
        are_complete
    }

    /// Whether all of them wait for a future to be ready, there being any.
    pub(super) fn all_block_on(&self) -> bool {
        let blocks_on = |(example, _): &(PoolExample, Glance)| {
            let frames = example.stack.iter();
            let mut names = frames.filter_map(|frame| frame.function.as_deref());
            names.any(|name| name.starts_with("tokio::") && name.ends_with("::block_on"))
        };
        !self.of.is_empty() && self.of.iter().all(blocks_on)
    }

    pub(super) fn list(&self, most: usize) -> Vec<PoolExample> {
        let examples = self.of.iter().take(most);
        examples.map(|(example, _)| example.clone()).collect()
    }
}

fn example(holding: &Holding, now: u64, shared: &Shared) -> Option<(PoolExample, Glance)> {
    let instance = &shared.instance;
    let (seat, task) = (&holding.seat, &holding.task);
    let (same, sequence) = (Arc::clone(seat), task.sequence);
    let question = Question {
        thread: seat.thread_id(),
        mark: task.mark,
        is_same: Box::new(move || same.is_in(sequence)),
    };
    let glance = shared.desk.ask(&instance.terms.alarm, question)?;
    let example = PoolExample {
        route: instance.routes.name(task.route),
        site: format!("{}:{}", task.site.file(), task.site.line()).into(),
        age: instance.clock.duration(now.saturating_sub(task.start)),
        cause: glance.cause(),
        call: glance.call.clone(),
        place: None,
        confidence: None,
        stack: Arc::new([]),
    };
    Some((example, glance))
}
