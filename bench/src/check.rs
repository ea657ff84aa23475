//! Whether what was timed was also done: the layers' own counts say so. And
//! whether it took so long that no noise explains it.

use crate::layers::sum;
use tower_runtime_health::RuntimeHealth;

/// A health that measures the wake-to-poll delay of one request in so many.
pub fn health(delay_sampling: impl Into<Option<u32>>) -> RuntimeHealth {
    RuntimeHealth::builder()
        .schedule_delay_sampling(delay_sampling)
        .start()
        .expect("valid options, inside a runtime")
}

/// A health as a user gets it.
pub fn health_by_default() -> RuntimeHealth {
    RuntimeHealth::builder()
        .start()
        .expect("valid options, inside a runtime")
}

/// The sum of all series of one metric of ours.
pub fn counted(health: &RuntimeHealth, metric: &str) -> u64 {
    sum(&health.render(), &format!("runtime_health_{metric}"), "")
}

/// Fails where a figure is beyond what a busy machine makes of a good one.
pub fn at_most(what: &str, nanos: f64, limit: f64) {
    assert!(nanos <= limit, "{what}: {nanos:.0} ns, more than {limit}");
}
