//! Shows metrics and findings to the outside: as Prometheus text, as JSON, or in the user's own
//! registry.
//!
//! An HTTP endpoint on the service's runtime cannot answer while the runtime is stuck, which is
//! when its figures are needed. So the exporter is a thread with a runtime of its own.
//!
//! # Architecture
//!
//! - **One table.** [`names`] is the only place where a metric is named. Collector, docs,
//!   dashboards and tests read it.
//! - **Scrape.** `collect` reads the recorder, the runtimes and the pools, and makes families
//!   from them. The service's threads never wait for it. A scrape has two side effects, which
//!   `scrape` documents.
//! - **Limits.** The exporter bounds connections, request heads and times. It refuses what
//!   exceeds them and counts refused connections.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `names` | the one table of every metric |
//! | `families` | from figures to Prometheus' families |
//! | `collect` | which figures are exported under which name |
//! | `collect_runtime` | the same for the figures of one runtime |
//! | `collector` | [`Collector`], for the user's own registry |
//! | `findings` | the JSON document at `/findings` |
//! | `flamegraph` | the drawing at `/findings/flamegraph.svg` |
//! | `server` | the exporter's thread, its connections and limits |
//! | `respond` | from a request to a response |

mod collect;
mod collect_runtime;
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
