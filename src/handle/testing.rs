use super::RuntimeHealth;
use crate::capture::CaptureMode;
use crate::findings::Finding;
use crate::model::Cause;

impl RuntimeHealth {
    /// Panics if a handler has blocked the executor since the start. For tests.
    ///
    /// Findings that do not blame a handler are ignored: polls delayed by CPU contention,
    /// polls inside `block_in_place`, and polls that ended before the watchdog examined them,
    /// which happens only where CPU is so short that the watchdog itself is late. Where
    /// threads cannot be read at all (label `capture` of `build_info`), every blocking poll
    /// counts.
    ///
    /// Blocks the calling thread for some milliseconds, until the watchdog has finished its
    /// next round.
    ///
    /// ```should_panic
    /// # use tower_runtime_health::RuntimeHealth;
    /// use tower::{ServiceBuilder, ServiceExt};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let health = RuntimeHealth::builder().start()?;
    /// let service = ServiceBuilder::new()
    ///     .layer(health.layer().route_by(|_| Some("/naps".into())))
    ///     .service_fn(|_: http::Request<String>| async {
    ///         std::thread::sleep(std::time::Duration::from_millis(50));
    ///         Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    ///     });
    /// service.oneshot(http::Request::new(String::new())).await?;
    /// health.assert_no_blocking(); // "1 blocking finding: …"
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// If there is such a finding, with the text of each.
    #[track_caller]
    pub fn assert_no_blocking(&self) {
        self.assert_no_blocking_beyond(&[]);
    }

    /// Returns a guard that [asserts](Self::assert_no_blocking), when it is dropped, that no
    /// handler has blocked the executor since now. It asserts nothing if the thread is
    /// already panicking.
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
            "{} blocking finding{}:\n{}",
            new.len(),
            if new.len() == 1 { "" } else { "s" },
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
    /// If a handler has blocked the executor since the guard was made. Never while the thread
    /// is unwinding.
    #[track_caller]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.health.assert_no_blocking_beyond(&self.before);
        }
    }
}
