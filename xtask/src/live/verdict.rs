//! Which alerts had to come, and which not.

use std::collections::BTreeSet;

use super::queries::Api;
use super::webhook::Webhook;
use super::{FAULTY, HEALTHY};
use crate::Result;
use crate::thresholds::MACHINE_LATE;

/// Of the faulty instance; its faults are far over these thresholds.
const EXPECTED: [&str; 6] = [
    "RuntimeHealthWorkerTimeLost",
    "RuntimeHealthRouteBlocks",
    "RuntimeHealthSchedulerLag",
    "RuntimeHealthPoolSaturated",
    "RuntimeHealthPoolQueueWait",
    "RuntimeHealthWorkerStuck",
];

/// What a machine without processor time to spare does to any service.
const OF_THE_MACHINE: [&str; 3] = [
    "RuntimeHealthSchedulerLag",
    "RuntimeHealthPollBudgetBurn",
    "RuntimeHealthMetricsMissing",
];

const RUNBOOK: &str = include_str!("../../../dashboards/RUNBOOK.md");

/// What reached the webhook: name and job, once each.
#[derive(Default)]
pub struct Alerts {
    seen: BTreeSet<(String, String, String)>,
}

impl Alerts {
    /// Each has to say where its section of the runbook is.
    pub fn take(&mut self, webhook: &Webhook) -> Result<()> {
        for alert in webhook.firing() {
            let label = |name: &str| {
                alert["labels"][name]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            let name = label("alertname");
            let url = alert["annotations"]["runbook_url"]
                .as_str()
                .unwrap_or_default();
            let anchor = url.rsplit_once('#').map_or("", |(_, anchor)| anchor);
            if !has_section(RUNBOOK, anchor) {
                return Err(format!("{name} came with the runbook_url {url:?}").into());
            }
            self.seen.insert((label("job"), name, label("severity")));
        }
        Ok(())
    }

    fn of<'a>(&'a self, job: &'a str) -> impl Iterator<Item = &'a str> {
        self.seen
            .iter()
            .filter(move |(of, _, _)| of == job)
            .map(|(_, name, _)| name.as_str())
    }

    /// Those that have not fired yet.
    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED
            .into_iter()
            .filter(|name| !self.of(FAULTY).any(|seen| seen == *name))
            .collect()
    }

    pub fn print(&self) {
        for (job, name, severity) in &self.seen {
            println!("the webhook was told: {job} {name} ({severity})");
        }
    }

    /// Nothing fired for the healthy instances but what a machine without
    /// processor time explains, if it shows that it had none.
    pub fn silent_for_healthy(&self, api: &Api<'_>) -> Result<()> {
        let firing = format!("ALERTS{{job=\"{HEALTHY}\",alertstate=\"firing\"}}");
        let mut loud: BTreeSet<String> = self.of(HEALTHY).map(String::from).collect();
        loud.extend(
            api.series(&firing)?
                .iter()
                .filter_map(|series| series["metric"]["alertname"].as_str().map(String::from)),
        );
        if loud.is_empty() {
            println!("no alert for the healthy instances");
            return Ok(());
        }
        let late = format!(
            "max(histogram_quantile(0.99, sum by (le) (instance:runtime_health_watchdog_lateness_seconds_bucket:rate5m{{job=\"{HEALTHY}\"}}))) > {}",
            MACHINE_LATE.warning
        );
        let of_the_machine = loud
            .iter()
            .all(|name| OF_THE_MACHINE.contains(&name.as_str()));
        if of_the_machine && api.has_data(&late)? {
            println!(
                "the machine was short of processors, which made {loud:?} fire for the healthy instances: not judged"
            );
            return Ok(());
        }
        Err(format!("fired for the healthy instances: {loud:?}").into())
    }
}

/// Whether a heading has this anchor, as code hosts make them of one word.
pub fn has_section(markdown: &str, anchor: &str) -> bool {
    markdown
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .any(|heading| heading.to_lowercase() == anchor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_has_a_section() {
        for alert in crate::alerts::all(&crate::config::Config::default()) {
            assert!(
                has_section(RUNBOOK, &alert.name.to_lowercase()),
                "{}",
                alert.name
            );
        }
        assert!(!has_section(RUNBOOK, "runtimehealthnothing"));
    }
}
