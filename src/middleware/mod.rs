//! The hot path: what happens around each request.
//!
//! A handler that blocks the executor shows in the duration of its polls. So every poll has
//! to be timed, on the threads that can afford it least, and the poll in progress has to be
//! readable by the watchdog while the handler holds the thread.
//!
//! [`RuntimeHealthLayer`] puts [`RuntimeHealthService`] around a service. From then on each
//! request is counted exactly once, and each of its polls is timed on whichever thread it
//! runs.
//!
//! A poll costs two clock reads and plain stores to lines that only this thread writes: no
//! lock, no allocation, no read-modify-write. A thread allocates when it first meets a
//! series, and a request does if its wake-to-poll delay is measured.
//!
//! # Architecture
//!
//! - **One request, one guard.** `call` names the route and makes a `RequestGuard`. It moves
//!   from the future into the body, and carries the
//!   [`SeriesRecorder`](crate::thread_state::SeriesRecorder) of the thread it was last polled
//!   on. Dropping it counts the end, if nothing has counted it before.
//! - **One poll, one guard.** `PollGuard::enter` publishes the poll in the thread's slot and
//!   wakes the watchdog if it is parked. `PollGuard::leave` takes it back and records it. If
//!   the poll unwinds, the destructor does the same, so no slot stays entered.
//! - **The anchor.** The three functions that poll are never inlined: their frame is where a
//!   walk up the stack has to arrive.
//! - **Nested layers.** When layers of one instance are nested, only the outermost records.
//!   That is decided for each poll, by whether the slot is entered already.
//!
//! # Files
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
