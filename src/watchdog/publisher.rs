use super::round::{Round, RoundResult};
use crate::clock::Clock;
use crate::findings::RoundUpdates;
use crate::offload::Offload;

/// Publishes the results of a round as findings and log events, and requests the probes that
/// are due.
#[derive(Debug)]
pub(super) struct Publisher {
    offload: Offload,
    /// When the runtimes were last probed, in ticks.
    last_probe: u64,
}

impl Publisher {
    pub(super) fn new(offload: Offload, clock: &Clock) -> Self {
        Self {
            offload,
            last_probe: clock.ticks(),
        }
    }

    pub(super) fn publish(&self, round: &Round<'_>, result: &RoundResult) {
        if result.updates.is_empty() && !result.had_running && result.lost == 0 {
            return;
        }
        let findings = &round.state.findings;
        let events = findings.update(&RoundUpdates {
            updates: &result.updates,
            lost: result.lost,
            now: round.now,
            wall: round.clock().wall(),
            instance: &round.state.instance,
        });
        for event in events {
            if !self.offload.log_event(event) {
                findings.count_dropped(1);
            }
        }
    }

    /// Requests probes of the runtimes, if they are due.
    pub(super) fn probe(&mut self, round: &Round<'_>) {
        let interval = round.state.options.scheduler_lag_interval;
        if round.now.saturating_sub(self.last_probe) < round.clock().ticks_in(interval) {
            return;
        }
        self.last_probe = round.now;
        self.offload.probe_runtimes();
        // An unwrapped pool task does not wake the pool monitor. A round of the watchdog means
        // that the service handles requests, which may start such tasks.
        round.state.instance.pool_parker.notify();
    }
}
