//! Which labels a request gets: a bounded set, whatever clients send.
//!
//! Each value of the label `route` is a set of time series, and clients choose their paths. So
//! a route is a template (axum's `MatchedPath`, a gRPC method path, or the user's own
//! function), never a raw path, and the number of routes has a hard cap.
//!
//! The middleware calls [`RouteLabel::find`] once per request, in `Service::call`, and gets a
//! [`Found`]. The thread's [`RouteCache`] turns the name into an id without a lock.
//!
//! # Architecture
//!
//! - **Labels.** [`AutoRoute`] is the default. [`RouteFn`] is a function of the user's.
//! - **gRPC.** A method path becomes a label only after the service has answered it with
//!   something other than `UNIMPLEMENTED`. Until then its requests are [`UNMATCHED`], or belong
//!   to the wildcard template they matched.
//! - **The cap.** [`Interner`] gives ids up to its cap, then [`OVERFLOW`]. Ids are never reused,
//!   because counters refer to them. [`NONE`] is for work that no request caused.
//! - **The copy.** Each thread has a copy of the names, renewed when one was added. It knows when
//!   the table is full, so a flood of new names takes no lock.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `label` | [`RouteLabel`]: from a request to the name of its route |
//! | `grpc` | which client-sent gRPC paths may become a name |
//! | `interner` | [`Interner`]: names to small numbers, with a hard cap |

mod grpc;
mod interner;
mod label;

pub(crate) use grpc::serves as grpc_serves;
pub(crate) use interner::{Interner, NONE, OVERFLOW, RouteCache, UNMATCHED};
pub use label::{AutoRoute, RequestHead, RouteFn, RouteLabel};
pub(crate) use label::{Found, is_wildcard};
