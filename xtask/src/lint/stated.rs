//! The runbook and the README state the thresholds in force.

use super::generated::RUNBOOK;
use crate::thresholds as at;

const README: &str = include_str!("../../../dashboards/README.md");

#[test]
fn the_runbook_and_the_readme_state_the_thresholds_in_force() {
    let both = |t: at::Threshold| {
        [Some(t.warning), t.critical]
            .into_iter()
            .flatten()
            .collect()
    };
    let warning = |t: at::Threshold| vec![t.warning];
    let critical = |t: at::Threshold| t.critical.into_iter().collect();
    let alerts: [(&str, Vec<f64>, bool); 10] = [
        ("WorkerTimeLost", both(at::WORKER_TIME_LOST), true),
        ("RouteBlocks", warning(at::ROUTE_BLOCKS), false),
        ("SchedulerLag", both(at::SCHEDULER_LAG), false),
        ("WorkersSaturated", warning(at::WORKERS_BUSY), true),
        ("PoolNearlyFull", warning(at::POOL_BUSY), true),
        ("PoolSaturated", both(at::POOL_SATURATED), true),
        ("PoolQueueWait", warning(at::POOL_QUEUE_WAIT), false),
        ("PoolStuck", warning(at::POOL_STUCK), false),
        ("WorkerStuck", warning(at::WORKER_STUCK), false),
        ("LongStall", critical(at::WORKER_STUCK), false),
    ];
    for (name, values, share) in alerts {
        let heading = format!("## RuntimeHealth{name}\n");
        let section = RUNBOOK.split_once(&heading).unwrap().1;
        let section = section.split("\n## ").next().unwrap();
        let row = README
            .lines()
            .find(|line| line.contains(&format!("| `RuntimeHealth{name}`")))
            .unwrap();
        for value in values {
            let words = in_words(value, share);
            assert!(section.contains(&words), "RUNBOOK.md, {name}: {words}");
            assert!(row.contains(&words), "README.md, {name}: {words}");
        }
    }
}

/// Formats a threshold as the pages write it.
fn in_words(value: f64, share: bool) -> String {
    match value {
        _ if share => format!("{} %", value * 100.0),
        _ if value < 1.0 => format!("{} ms", value * 1_000.0),
        _ => format!("{value} s"),
    }
}
