//! The thread that sees blocking polls while they are still going on.
//!
//! | file | what |
//! |---|---|
//! | `thread` | its loop: tick, sleep, wake, end |
//! | `detect` | what a slot's reading means; pure |
//! | `watched` | one thread: its slot, its inquiry, what was announced |
//! | `inquiry` | what is found out about one poll, look by look |
//! | `classify` | from the evidence to a [`Cause`]; pure |
//! | `hindsight` | what the clocks tell of a poll that is over; pure |
//! | `cause`, `advice` | the closed set of causes, and what to do about each |
//! | `limit` | how many stacks are taken |
//! | `finding` | [`Finding`], as users see it |
//! | `store` | findings, grouped and bounded |
//! | `event` | the log event |
//! | `report` | the thread that logs, and sends probes |
//! | `desk` | where the pool's watch asks about its threads |

mod advice;
mod cause;
mod classify;
mod desk;
mod detect;
mod event;
mod finding;
mod hindsight;
mod inquiry;
mod limit;
mod report;
mod store;
mod thread;
mod watched;

pub use cause::Cause;
pub(crate) use desk::{Desk, Glance, Question};
pub(crate) use detect::stalls;
#[cfg(feature = "serde")]
pub(crate) use finding::rfc3339;
pub use finding::{Finding, Times};
pub(crate) use report::{Report, Reporter};
pub(crate) use store::FindingStore;
pub(crate) use thread::Watchdog;
