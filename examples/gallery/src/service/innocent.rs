//! Row 21: short work, on a machine where nothing is short.

use std::time::Duration;

use crate::video;

/// Less than half a threshold of computation, ten times, with an await between.
pub async fn short() -> &'static str {
    for _ in 0..10 {
        video::compute(Duration::from_millis(4));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    "done\n"
}
