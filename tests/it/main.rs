//! The layer and the exporter over real sockets, for what shares no state of the process:
//! each test has a server and an instance of its own.
//!
//! Tests that need the process to themselves are binaries of their own, which say why;
//! those that need the processors to themselves are in `tests/timed`.

mod assertion;
#[path = "../support/cases.rs"]
mod cases;
mod exporter;
mod faults;
#[path = "../support/http2.rs"]
mod http2;
mod labels;
#[path = "../support/mod.rs"]
mod support;
mod transparent;
