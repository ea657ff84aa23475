//! What leaves the process: names, collector, HTTP server.
//!
//! | file | what |
//! |---|---|
//! | `names` | the one table of every metric |
//! | `families` | from figures to Prometheus' families |
//! | `collect` | which figures go under which name |
//! | `collector` | for a registry of the user's |
//! | `findings` | `/findings`, the JSON document |
//! | `server` | the exporter: its thread, connections, limits |
//! | `respond` | the exporter: from a request to a response |

mod collect;
mod collector;
mod families;
#[cfg(feature = "server")]
mod findings;
#[cfg(feature = "flamegraph")]
mod flamegraph;
pub mod names;
#[cfg(feature = "server")]
mod respond;
#[cfg(feature = "server")]
mod server;

pub(crate) use collect::render;
pub use collector::Collector;
#[cfg(feature = "server")]
pub(crate) use server::{Listener, Server};
