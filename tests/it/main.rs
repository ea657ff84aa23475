//! The layer and the exporter over real sockets, and the layer driven by hand.
//!
//! These tests share no state of the process: each has an instance and mostly a server of its
//! own. So they run at the same time in one binary. Tests that need the CPU or the process to
//! themselves are in `tests/exclusive`.

mod exporter;
mod faults;
mod instances;
mod labels;
#[path = "../support/mod.rs"]
mod support;
mod transparent;
