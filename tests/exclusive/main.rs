//! Tests that nothing may disturb: what the watchdog and the pool monitor see, and when, and
//! what the process as a whole has or does.
//!
//! This is a binary of its own because its tests must not run beside others. A test that blocks
//! workers or fills a pool takes CPU time from every other one, and the pool monitor counts
//! threads by name over the whole process. So its tests run one at a time, whatever
//! `--test-threads` says: each holds [`isolation::exclusive`]. A test that also needs a fresh
//! process (for a log subscriber, a limit on descriptors, a count of the process's threads, or
//! to have the only instance) runs in a child, by [`isolation::own_process`].

mod assertion;
mod blocking_pool;
mod blocking_wrapper;
mod descriptors;
mod gate;
mod idle;
mod isolation;
mod log;
mod metrics_page;
mod pool_events;
mod pool_saturated;
mod pool_stuck;
mod pool_threads;
mod runtime;
mod shutdown;
mod stuck;
mod subscriber;
#[path = "../support/mod.rs"]
mod support;
mod unattributed;
mod watchdog;
mod watchdog_cost;
