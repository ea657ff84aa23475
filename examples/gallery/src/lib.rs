//! The gallery: common ways to write a handler, each as a route of a real service.
//!
//! | module | what it is |
//! |---|---|
//! | `table` | the rows, and the verdict expected for each |
//! | `service` | the handlers |
//! | `upstream`, `disk`, `resolver`, `video` | what the handlers wait for: another service, a slow file, a slow name server, a computation and its queues |
//! | `driver` | tries a row and compares the layer's report with the table |
//! | `page` | the page at `/` |
//! | `docs` | generates `docs/patterns.md` |
//! | `compare` | measures a hundred requests on the pool and awaited |
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
/// The demo's scraper.
#[path = "../../demo/scrape.rs"]
mod scrape;
mod sys;
mod upstream;
mod video;

pub use run::{Error, run, with_sources};
