//! The vocabulary that all other rooms share: the closed sets behind labels, and the
//! ids that counters are kept under. Depends on nothing else in the crate.
//!
//! | file | what |
//! |---|---|
//! | `closed_set` | the macro that declares a closed set from one list |
//! | `cause` | [`Cause`]: why a poll took long |
//! | `phase` | [`Phase`]: which part of a request was polled |
//! | `outcome` | [`Outcome`]: how a request ended |
//! | `method` | [`Method`]: the values of the label `method` |
//! | `call_kind` | [`CallKind`]: what a system call waits for |
//! | `ids` | routes, series and runtimes as small numbers |

#[macro_use]
mod closed_set;
mod call_kind;
mod cause;
mod ids;
mod method;
mod outcome;
mod phase;

pub(crate) use call_kind::CallKind;
pub use cause::Cause;
pub(crate) use closed_set::ClosedSet;
pub(crate) use ids::{RouteId, RuntimeId, Series};
pub(crate) use method::Method;
pub(crate) use outcome::Outcome;
pub use phase::Phase;
