//! Models of the room's protocols, run by `ci/loom.sh`.

use std::num::NonZeroU64;
use std::panic::Location;

use super::{PoolThreadSlot, QueuedTask, TaskQueue};
use crate::model::{RouteId, RuntimeId};
use crate::slot::StackAnchor;
use crate::sync::race::race;

/// A call site for each task, so that a mix of two tasks is detected. Constants, because
/// rustc 1.95 with optimisation gives a function that ends in `Location::caller()` a place
/// in `core`.
fn site(task: u64) -> &'static Location<'static> {
    const FIRST: &Location<'static> = Location::caller();
    const SECOND: &Location<'static> = Location::caller();
    if task == 1 { FIRST } else { SECOND }
}

fn queued(task: u64) -> QueuedTask {
    QueuedTask {
        since: 10 + task,
        route: RouteId(task as u32),
        runtime: NonZeroU64::new(task).map(RuntimeId),
        from_pool: task == 2,
        site: site(task),
    }
}

/// Queues one task after the other and has each leave.
fn queue_two(queue: &TaskQueue) {
    for task in [1, 2] {
        if let Some(place) = queue.enter(&queued(task)) {
            queue.leave(place);
        }
    }
}

/// Asserts that no listed task mixes the fields of two tasks, and returns how many there are.
fn list(queue: &TaskQueue) -> u64 {
    let mut listed = 0;
    for task in queue.list() {
        let whole = queued(u64::from(task.route.0));
        assert_eq!(format!("{task:?}"), format!("{whole:?}"));
        listed += 1;
    }
    listed
}

#[test]
fn the_sites_differ() {
    assert_ne!(site(1), site(2));
}

#[test]
fn a_reader_never_sees_fields_of_two_queued_tasks() {
    race(TaskQueue::new, queue_two, list, |queue, listed| {
        assert!(listed <= 1);
        assert_eq!(list(queue), 0);
    });
}

#[test]
fn two_tasks_never_share_a_place() {
    fn enter(queue: &TaskQueue, task: u64) -> u64 {
        u64::from(queue.enter(&queued(task)).is_some())
    }
    race(
        TaskQueue::new,
        |queue| {
            enter(queue, 1);
        },
        |queue| enter(queue, 2),
        |queue, second_entered| {
            let listed: Vec<_> = queue.list().map(|task| task.route.0).collect();
            assert_eq!(list(queue), 1, "the only place is taken once");
            assert_eq!(listed == [2], second_entered == 1);
        },
    );
}

fn run(slot: &PoolThreadSlot, task: u64) {
    let route = RouteId(task as u32);
    slot.enter(task, route, None, site(task), StackAnchor::default());
}

#[test]
fn a_reader_never_sees_a_running_task_with_the_site_of_another() {
    race(
        || {
            let slot = PoolThreadSlot::of_current_thread();
            run(&slot, 1);
            slot
        },
        |slot| run(slot, 2),
        |slot| {
            if let Some(task) = slot.read() {
                assert_eq!(task.start, u64::from(task.route.0));
                assert_eq!(task.site, site(task.start));
            }
            0
        },
        |slot, _| assert_eq!(slot.read().map(|task| task.start), Some(2)),
    );
}
