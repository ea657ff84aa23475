//! The watch over tokio's blocking pools: how full, who fills them, how long
//! work waits.
//!
//! | file | what |
//! |---|---|
//! | `watch` | its thread: when it looks, what it says |
//! | `sampler` | one look at the threads of all pools |
//! | `pool` | one pool: what is known of it, and what that means; pure |
//! | `hooks` | threads told by tokio's hooks |
//! | `census` | threads by their names |
//! | `idle` | which of them have nothing to do |
//! | `probe` | an empty task that measures the wait |
//! | `episode` | a stretch of saturation, from its begin to its end |
//! | `long_tasks` | tasks that do not end |
//! | `examples` | what the tasks are at that hold it |
//! | `finding`, `store`, `event` | what users see of it |

mod census;
mod episode;
mod event;
mod examples;
mod finding;
mod hooks;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod idle;
mod long_tasks;
#[expect(clippy::module_inception, reason = "a pool is what the room is about")]
mod pool;
mod probe;
mod sampler;
mod store;
mod watch;

pub(crate) use event::{Moment, log};
pub use finding::{PoolExample, PoolFinding, PoolFindingKind, PoolHolder};
pub use hooks::Configured;
pub(crate) use pool::{Configuration, Exact, Pool};
pub(crate) use probe::send_probe;
pub(crate) use sampler::Facts;
pub(crate) use store::PoolFindings;
pub(crate) use watch::{FAST, Watch};
