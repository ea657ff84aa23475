//! Which alerts must fire and which must not.

use std::collections::BTreeSet;

use super::queries::Api;
use super::webhook::Webhook;
use super::{FAULTY, HEALTHY};
use crate::Result;
use crate::thresholds::MACHINE_LATE;

/// Alerts of the faulty instance. Its faults exceed their thresholds by far.
const EXPECTED: [&str; 6] = [
    "RuntimeHealthWorkerTimeLost",
    "RuntimeHealthRouteBlocks",
    "RuntimeHealthSchedulerLag",
    "RuntimeHealthPoolSaturated",
    "RuntimeHealthPoolQueueWait",
    "RuntimeHealthWorkerStuck",
];

/// Alerts that fire for any service on a machine that is short of CPU.
const CAUSED_BY_MACHINE: [&str; 3] = [
    "RuntimeHealthSchedulerLag",
    "RuntimeHealthPollBudgetBurn",
    "RuntimeHealthMetricsMissing",
];

const RUNBOOK: &str = include_str!("../../../dashboards/RUNBOOK.md");

/// Job, name and severity of every alert that reached the webhook.
#[derive(Default)]
pub struct Alerts {
    seen: BTreeSet<(String, String, String)>,
}

impl Alerts {
    /// Takes in new notifications. Each must link to its section of the runbook.
    pub fn receive(&mut self, webhook: &Webhook) -> Result<()> {
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

    /// Returns the expected alerts that have not fired yet.
    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED
            .into_iter()
            .filter(|name| !self.of(FAULTY).any(|seen| seen == *name))
            .collect()
    }

    pub fn print(&self) {
        for (job, name, severity) in &self.seen {
            println!("the webhook received: {job} {name} ({severity})");
        }
    }

    /// Fails if an alert fired for the healthy instances. Alerts that a machine
    /// short of CPU explains are exempt if the watchdog's lateness shows that it was.
    pub fn none_for_healthy(&self, api: &Api<'_>) -> Result<()> {
        let firing = format!("ALERTS{{job=\"{HEALTHY}\",alertstate=\"firing\"}}");
        let mut fired: BTreeSet<String> = self.of(HEALTHY).map(String::from).collect();
        fired.extend(
            api.series(&firing)?
                .iter()
                .filter_map(|series| series["metric"]["alertname"].as_str().map(String::from)),
        );
        if fired.is_empty() {
            println!("no alert for the healthy instances");
            return Ok(());
        }
        let late = format!(
            "max(histogram_quantile(0.99, sum by (le) (instance:runtime_health_watchdog_lateness_seconds_bucket:rate5m{{job=\"{HEALTHY}\"}}))) > {}",
            MACHINE_LATE.warning
        );
        let caused_by_machine = fired
            .iter()
            .all(|name| CAUSED_BY_MACHINE.contains(&name.as_str()));
        if caused_by_machine && api.has_data(&late)? {
            println!(
                "the machine was short of CPU, so {fired:?} fired for the healthy instances: not counted as a failure"
            );
            return Ok(());
        }
        Err(format!("fired for the healthy instances: {fired:?}").into())
    }
}

/// Whether a heading of one word has this anchor, as code hosts derive it.
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
