//! Waiting for time, for a lock and for a child process.

use super::{at, blocks, get};
use crate::table::{Group, Row, Verdict};

pub const SLEEP: Group = Group {
    title: "Sleep",
    mistake: "std::thread::sleep blocks the worker and every request on it.",
    repair: "A tokio timer occupies no thread; inside spawn_blocking the sleep occupies a pool thread, which is allowed, but the pool has a limit.",
    rows: &[
        Row {
            place: at(
                "src/service/ping.rs",
                "gallery::service::ping::terrible",
                "std::thread::sleep",
            ),
            ..get(
                "1",
                "/ping/terrible",
                "std::thread::sleep in the handler",
                blocks("sleep", &["tokio::time::sleep(..).await"]),
            )
        },
        get(
            "2",
            "/ping/good",
            "the same sleep inside spawn_blocking",
            Verdict::PoolByRoute,
        ),
        get(
            "3",
            "/ping/perfect",
            "tokio::time::sleep(..).await",
            Verdict::Nothing,
        ),
    ],
};

pub const LOCK: Group = Group {
    title: "A lock",
    mistake: "The worker waits for a std::sync::Mutex that another request holds during a slow reload.",
    repair: "Reload first and hold the lock only for the swap, and use tokio's Mutex if a lock must be held across an await.",
    rows: &[
        Row {
            place: at(
                "src/service/stock.rs",
                "gallery::service::stock::held",
                ".lock()",
            ),
            ..get(
                "17",
                "/stock/held",
                "a Mutex that is held during a reload",
                blocks("lock", &["hold the lock for a shorter time", "tokio::sync"]),
            )
        },
        get(
            "17-swap",
            "/stock/swapped",
            "the reload takes the lock only for the swap",
            Verdict::PoolByRoute,
        ),
    ],
};

pub const CHILD_PROCESS: Group = Group {
    title: "A child process",
    mistake: "Command::output() of std blocks the worker until the child exits.",
    repair: "tokio's Command has the same methods to await.",
    rows: &[
        Row {
            place: at(
                "src/service/child.rs",
                "gallery::service::child::sync",
                ".output()",
            ),
            ..get(
                "18",
                "/thumbnail/sync",
                "std::process::Command::output()",
                blocks("child_process", &["tokio::process::Command"]),
            )
        },
        get(
            "18-async",
            "/thumbnail/async",
            "tokio::process::Command::output().await",
            Verdict::Nothing,
        ),
    ],
};
