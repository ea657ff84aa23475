//! The hot path: what happens around each request.
//!
//! | file | what |
//! |---|---|
//! | `layer` | [`RuntimeHealthLayer`]: puts the middleware on a service |
//! | `service` | [`RuntimeHealthService`]: names the route, times `call` |
//! | `future` | [`ResponseFuture`]: times each poll up to the response |
//! | `body` | [`ResponseBody`]: times each poll of the body, sees its end |
//! | `guard` | one timed poll: enter the slot, leave it, record |
//! | `request` | one request from `call` to its end, counted exactly once |
//! | `delay` | from a wake to the poll that follows it, for some requests |
//!
//! Two clock reads a poll, plain stores to lines that only this thread writes,
//! no lock, no allocation, no read-modify-write.

mod body;
mod delay;
mod future;
mod guard;
mod layer;
mod request;
mod service;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use layer::RuntimeHealthLayer;
pub use service::RuntimeHealthService;
