use super::RuntimeHealth;
use crate::capture::CaptureMode;
use crate::findings::Finding;
use crate::model::Cause;

impl RuntimeHealth {
    /// Fails a test in which a handler has blocked the executor.
    ///
    /// Findings that blame nobody do not count: polls that were kept from the
    /// processor, those inside `block_in_place`, and those that ended before
    /// they were looked at, which takes a machine so short of CPU that the
    /// watchdog itself was late. Where threads cannot be read at all (see
    /// `capture` in `build_info`), every blocking poll counts.
    ///
    /// Blocks the calling thread for some milliseconds, until the watchdog has
    /// looked once more.
    ///
    /// # Panics
    ///
    /// If there is such a finding, with the text of each.
    #[track_caller]
    pub fn assert_no_blocking(&self) {
        self.assert_no_blocking_beyond(&[]);
    }

    /// [Asserts](Self::assert_no_blocking) that no handler blocks the executor
    /// from now until the guard is dropped, unless the test is failing already.
    ///
    /// ```
    /// # use tower_runtime_health::RuntimeHealth;
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let health = RuntimeHealth::builder().start()?;
    /// let _guard = health.forbid_blocking();
    /// // ... requests ...
    /// # Ok(()) }
    /// ```
    #[must_use = "asserts when it is dropped"]
    pub fn forbid_blocking(&self) -> ForbidBlocking {
        ForbidBlocking {
            before: self.blamed(),
            health: self.clone(),
        }
    }

    #[track_caller]
    fn assert_no_blocking_beyond(&self, before: &[Finding]) {
        let new: Vec<_> = self
            .blamed()
            .into_iter()
            .filter(|finding| {
                !before
                    .iter()
                    .any(|old| old.is_same(finding) && old.polls == finding.polls)
            })
            .map(|finding| finding.to_string())
            .collect();
        assert!(
            new.is_empty(),
            "{} kind(s) of blocking found:\n{}",
            new.len(),
            new.join("\n")
        );
    }

    fn blamed(&self) -> Vec<Finding> {
        self.state.wait_for_watchdog();
        let cannot_read = self.state.metrics.capture_mode() == CaptureMode::None;
        let mut findings = self.findings();
        findings.retain(|finding| {
            finding.blames_handler() || (cannot_read && finding.cause == Cause::Unknown)
        });
        findings
    }
}

/// Made by [`RuntimeHealth::forbid_blocking`].
#[derive(Debug)]
pub struct ForbidBlocking {
    health: RuntimeHealth,
    before: Vec<Finding>,
}

impl Drop for ForbidBlocking {
    /// # Panics
    ///
    /// If a handler has blocked the executor meanwhile; not while the thread
    /// unwinds.
    #[track_caller]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.health.assert_no_blocking_beyond(&self.before);
        }
    }
}
