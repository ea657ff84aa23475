//! The four dashboards, in the order of an operator's questions: is anything
//! wrong, where, since when, why, which requests are affected, is it the pool,
//! and what to do.
//!
//! | file | what |
//! |---|---|
//! | `panel` | one panel: kind, unit, thresholds, queries |
//! | `fields` | the look of a panel's fields: colours, columns, links |
//! | `frame` | everything around the panels: variables, links, annotations, layout |
//! | `overview`, `route`, `pool`, `instance` | one dashboard each |

mod fields;
mod frame;
mod instance;
mod overview;
mod panel;
mod pool;
mod route;

use serde_json::Value;

use crate::config::Config;

/// Uids of the dashboards. Links and alerts refer to them, so they must not change.
pub const OVERVIEW: &str = "runtime-health-overview";
pub const ROUTE: &str = "runtime-health-route";
pub const POOL: &str = "runtime-health-pool";
pub const INSTANCE: &str = "runtime-health-instance";

/// Marks the description of a panel that has no data while all is well.
pub const EMPTY_WHEN_HEALTHY: &str = "empty when healthy";
/// Marks the description of a panel that needs tokio's unstable metrics.
pub const EMPTY_WITHOUT_UNSTABLE: &str = "empty without tokio_unstable";

/// Returns the file names and contents.
pub fn all(config: &Config) -> Vec<(&'static str, Value)> {
    vec![
        ("overview.json", overview::dashboard(config)),
        ("route.json", route::dashboard(config)),
        ("blocking-pool.json", pool::dashboard(config)),
        ("instance.json", instance::dashboard(config)),
    ]
}
