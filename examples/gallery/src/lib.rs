//! The gallery: every row of the table of patterns as a route of a real service.
//!
//! | module | what it is |
//! |---|---|
//! | `table` | the rows, and the verdict owed to each |
//! | `service` | the handlers |
//! | `upstream`, `disk`, `resolver`, `video` | what they wait for: another service, a slow file, a slow name server, a computation and its queues |
//! | `driver` | tries a row and holds what the layer says against the table |
//! | `page` | the page at `/` |
//! | `docs` | `docs/patterns.md`, from the same |
//! | `compare` | a hundred requests through the pool and without, in numbers |
//! | `options`, `run` | the command line |

pub mod driver;
pub mod options;
pub mod service;
pub mod table;

mod compare;
mod disk;
mod docs;
mod page;
mod resolver;
mod run;
/// As the demo reads the page of metrics.
#[path = "../../demo/scrape.rs"]
mod scrape;
mod sys;
mod upstream;
mod video;

pub use run::{Error, run};
