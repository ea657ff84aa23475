//! Checks by the layers' own counts that the timed work was done, and that a figure
//! is not worse than noise can explain.

use crate::layers::sum;
use tower_runtime_health::RuntimeHealth;

/// Returns an instance that measures the wake-to-poll delay of one request in
/// `delay_sampling`, or of none.
pub fn health(delay_sampling: impl Into<Option<u32>>) -> RuntimeHealth {
    RuntimeHealth::builder()
        .schedule_delay_sampling(delay_sampling)
        .start()
        .expect("valid options, inside a runtime")
}

/// Returns an instance with default options.
pub fn health_by_default() -> RuntimeHealth {
    RuntimeHealth::builder()
        .start()
        .expect("valid options, inside a runtime")
}

/// Returns the sum of all series of one of our metrics.
pub fn counted(health: &RuntimeHealth, metric: &str) -> u64 {
    sum(&health.render(), &format!("runtime_health_{metric}"), "")
}

/// Fails if a figure is worse than a busy machine can explain.
pub fn at_most(what: &str, nanos: f64, limit: f64) {
    assert!(nanos <= limit, "{what}: {nanos:.0} ns, more than {limit}");
}
