//! The pool monitor: watches tokio's blocking pools.
//!
//! A blocking pool that is full delays every `spawn_blocking`, `tokio::fs` and name lookup of
//! the service, and stable tokio exports no figure that shows it. So the pool has to be
//! observed from outside: how many threads it has, how many of them are idle, what holds the
//! others, and how long tasks are queued.
//!
//! [`PoolMonitor`] is a thread, one per instance. It samples every 25 ms while a pool is
//! full or tasks are queued, about once a second while tasks run, and parks while there are
//! none.
//!
//! # Architecture
//!
//! - **Threads.** tokio's thread hooks count them if the runtime was configured by
//!   [`configure_runtime`](crate::RuntimeHealth::configure_runtime). Otherwise the monitor
//!   counts the process's threads by name, which is an upper bound.
//! - **Idle threads.** An idle pool thread waits in one place of tokio's code. Its stack
//!   matches a signature that is learnt at start. If the signature ever fails a check, idle
//!   counts are unknown from then on.
//! - **Tasks.** Wrapped tasks publish when they are queued and which thread runs them. For
//!   all others a probe measures the queue wait: an empty task, sent only if the pool looks
//!   full or its state is unknown.
//! - **Findings.** A saturated pool is one `SaturationIncident` from its beginning to its end.
//!   If nothing progresses for a while, it is stuck. It is called a deadlock only if the
//!   stacks prove it. The watchdog reads the stacks, see [`inspect`](crate::inspect).
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `thread` | [`PoolMonitor`]: the thread, when it samples, what it logs |
//! | `sampler` | one sample of the threads and tasks of all pools |
//! | `task_snapshot` | the wrapped tasks of one instance at one moment |
//! | `saturation` | one period of saturation, from its beginning to its end |
//! | `long_tasks` | tasks that occupy a thread for too long |
//! | `holders` | tasks that hold a pool, grouped by route and call site |
//! | `examples` | what some of those tasks are doing |
//! | `thread_names` | threads of the process by name |
//! | `thread_reader` | which threads are idle, and which make progress |
//! | `thread_reader_unsupported` | takes its place where threads cannot be read |
//! | `idle_signature` | recognises an idle pool thread by its stack |
//! | `idle_learner` | learns the signature, in this process |

mod examples;
mod holders;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod idle_learner;
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
