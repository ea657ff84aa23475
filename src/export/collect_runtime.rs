use super::families::Families;
use super::names;
use crate::clock::Clock;
use crate::options::Detail;
use crate::runtime::RuntimeFigures;

/// Adds tokio's own figures about a runtime's scheduler.
#[cfg(feature = "runtime-metrics")]
pub(super) fn scheduler(out: &mut Families<'_>, figures: &RuntimeFigures) {
    let (runtime, tokio) = (("runtime", &*figures.name), &figures.tokio);
    out.value(&names::WORKERS, &[runtime], tokio.workers as f64);
    out.value(&names::ALIVE_TASKS, &[runtime], tokio.alive_tasks as f64);
    out.value(
        &names::GLOBAL_QUEUE_DEPTH,
        &[runtime],
        tokio.global_queue_depth as f64,
    );
    for (worker, (busy, parks)) in tokio.by_worker.iter().enumerate() {
        let labels = [runtime, ("worker", &worker.to_string())];
        out.value(&names::WORKER_BUSY, &labels, *busy);
        out.value(&names::WORKER_PARKS, &labels, *parks as f64);
    }
    #[cfg(tokio_unstable)]
    for (metric, value) in [
        (
            &names::LOCAL_QUEUE_DEPTH,
            tokio.unstable.local_queue_depth as u64,
        ),
        (&names::TASK_POLLS_TOTAL, tokio.unstable.task_polls),
        (&names::STEALS_TOTAL, tokio.unstable.steals),
        (
            &names::STEAL_OPERATIONS_TOTAL,
            tokio.unstable.steal_operations,
        ),
        (
            &names::LOCAL_SCHEDULES_TOTAL,
            tokio.unstable.local_schedules,
        ),
        (
            &names::REMOTE_SCHEDULES_TOTAL,
            tokio.unstable.remote_schedules,
        ),
        (&names::OVERFLOWS_TOTAL, tokio.unstable.overflows),
        (&names::NOOP_WAKES_TOTAL, tokio.unstable.noop_wakes),
        (&names::FORCED_YIELDS_TOTAL, tokio.unstable.forced_yields),
        (&names::IO_EVENTS_TOTAL, tokio.unstable.io_events),
    ] {
        out.value(metric, &[runtime], value as f64);
    }
}

#[cfg(not(feature = "runtime-metrics"))]
pub(super) fn scheduler(_: &mut Families<'_>, _: &RuntimeFigures) {}

/// Adds what is known about a runtime's pool. Unknown figures are omitted.
pub(super) fn pool(
    out: &mut Families<'_>,
    figures: &RuntimeFigures,
    clock: &Clock,
    detail: Detail,
) {
    let (labels, pool) = ([("runtime", &*figures.name)], &figures.pool);
    out.value(&names::BLOCKING_THREADS_MAX, &labels, pool.max() as f64);
    let sample = pool.sample().unwrap_or_default();
    let (threads, idle, queue) = match figures.exact_pool {
        Some(exact) => (
            Some(exact.threads),
            Some(exact.idle),
            Some(exact.queue as u64),
        ),
        None => (
            sample.threads,
            sample.idle,
            pool.sample().map(|_| sample.queued),
        ),
    };
    if let Some(threads) = threads {
        out.value(&names::BLOCKING_THREADS, &labels, threads as f64);
    }
    if let Some(idle) = idle {
        out.value(&names::BLOCKING_THREADS_IDLE, &labels, idle as f64);
    }
    if let Some(queue) = queue {
        out.value(&names::BLOCKING_QUEUE_DEPTH, &labels, queue as f64);
    }
    let now = clock.ticks();
    let waits = pool.probe.waits_since();
    let age = waits.map_or(0, |since| now.saturating_sub(since));
    out.value(&names::BLOCKING_PROBE_AGE, &labels, clock.seconds(age));
    if detail == Detail::Full {
        let waits = pool.probe.waits().totals();
        out.histogram(&names::BLOCKING_PROBE_WAIT, &labels, &waits);
    }
    let saturated = clock.seconds(pool.saturated_ticks(now));
    out.value(&names::BLOCKING_SATURATED_SECONDS, &labels, saturated);
}
