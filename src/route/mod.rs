//! Which labels a request gets: a bounded set, whatever clients send.
//!
//! | file | what |
//! |---|---|
//! | `label` | from a request to the name of its route |
//! | `grpc` | which client-sent gRPC paths may become a name |
//! | `interner` | names to small numbers, with a hard cap |

mod grpc;
mod interner;
mod label;

pub(crate) use grpc::serves as grpc_serves;
pub(crate) use interner::{Interner, NONE, OVERFLOW, RouteCache, UNMATCHED};
pub use label::{AutoRoute, RequestHead, RouteFn, RouteLabel};
pub(crate) use label::{Found, is_wildcard};
