//! The four dashboards, in the order of an operator's questions: is anything
//! wrong, where, since when, why, who suffers, is it the pool, what to do.
//!
//! | file | what |
//! |---|---|
//! | `panel` | one panel: kind, unit, thresholds, queries |
//! | `fields` | how a panel's fields look: colours, columns, links |
//! | `frame` | what is around the panels: variables, links, annotations, layout |
//! | `overview`, `route`, `pool`, `instance` | a dashboard each |

mod fields;
mod frame;
mod instance;
mod overview;
mod panel;
mod pool;
mod route;

use serde_json::Value;

use crate::config::Config;

/// Uids; part of the interface, since links and alerts have them.
pub const OVERVIEW: &str = "runtime-health-overview";
pub const ROUTE: &str = "runtime-health-route";
pub const POOL: &str = "runtime-health-pool";
pub const INSTANCE: &str = "runtime-health-instance";

/// Words in the description of a panel that says nothing while all is well.
pub const EMPTY_WHEN_HEALTHY: &str = "empty when healthy";
/// The same, of one about figures that tokio shows only if asked to.
pub const EMPTY_WITHOUT_UNSTABLE: &str = "empty without tokio_unstable";

/// File names and contents.
pub fn all(config: &Config) -> Vec<(&'static str, Value)> {
    vec![
        ("overview.json", overview::dashboard(config)),
        ("route.json", route::dashboard(config)),
        ("blocking-pool.json", pool::dashboard(config)),
        ("instance.json", instance::dashboard(config)),
    ]
}
