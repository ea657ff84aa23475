//! The thread that monitors tokio's blocking pools: how full they are, what fills them, and
//! how long tasks are queued.
//!
//! | file | what |
//! |---|---|
//! | `thread` | [`PoolMonitor`]: the thread, when it samples, what it logs |
//! | `sampler` | one sample of the threads and tasks of all pools |
//! | `task_snapshot` | the wrapped tasks of one instance at one moment |
//! | `saturation` | one stretch of saturation, from its beginning to its end |
//! | `long_tasks` | tasks that occupy a thread for too long |
//! | `holders` | tasks that hold a pool, grouped by route and call site |
//! | `examples` | what some of those tasks are doing |
//! | `thread_names` | threads of the process by name |
//! | `thread_reader` | which threads are idle, and which make progress; nothing off Linux |
//! | `idle_signature` | how an idle pool thread is recognised |

mod examples;
mod holders;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod idle_signature;
mod long_tasks;
mod sampler;
mod saturation;
mod task_snapshot;
mod thread;
mod thread_names;
#[cfg_attr(
    not(all(feature = "capture", target_os = "linux")),
    path = "thread_reader_unsupported.rs"
)]
mod thread_reader;

#[cfg(all(test, tokio_unstable, target_os = "linux", feature = "capture"))]
mod agreement_tests;

pub(crate) use thread::PoolMonitor;
