use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prometheus::core::Desc;
use prometheus::proto::MetricFamily;

use super::collect::scrape;
use super::families::full_name;
use super::names::METRICS;
use crate::state::State;

/// Collects all metrics for a [`prometheus::Registry`].
///
/// Returned by [`RuntimeHealth::collector`](crate::RuntimeHealth::collector).
///
/// ```
/// # use tower_runtime_health::RuntimeHealth;
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let health = RuntimeHealth::builder().start()?;
/// let registry = prometheus::Registry::new();
/// registry.register(Box::new(health.collector()))?;
/// assert!(registry.gather().iter().any(|family| family.name() == "runtime_health_build_info"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Collector {
    state: Arc<State>,
    descriptions: Vec<Desc>,
}

impl Collector {
    pub(crate) fn new(state: Arc<State>) -> Self {
        let namespace = &state.options.namespace;
        let descriptions = METRICS
            .iter()
            .filter_map(|metric| {
                let labels = metric
                    .labels
                    .iter()
                    .map(|label| (*label).to_owned())
                    .collect();
                let name = full_name(namespace, metric);
                // Fails only for invalid names. The table has none, as a test shows, and the
                // namespace was validated.
                Desc::new(name, metric.help.to_owned(), labels, HashMap::new()).ok()
            })
            .collect();
        Self {
            state,
            descriptions,
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl prometheus::core::Collector for Collector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        scrape(&self.state)
    }
}
