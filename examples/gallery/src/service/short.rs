//! Row 21: short computation, which takes long only on a machine short of CPU.

use std::time::Duration;

use crate::video;

/// Computes ten times for 4 ms, less than half of the threshold, with an await in between.
pub async fn handler() -> &'static str {
    for _ in 0..10 {
        video::compute(Duration::from_millis(4));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    "done\n"
}
