//! The stack and state of another thread, from outside: without a signal and
//! without its help. Only the watchdog's thread comes here, and the one it has
//! for symbols.
//!
//! | file | what |
//! |---|---|
//! | `evidence` | what a look finds, as plain data |
//! | `frame` | [`Frame`], [`Place`], [`Confidence`], as users see them |
//! | `engine` | one look: which means, in which order, verified |
//! | `proc` | a thread's state and clocks in `/proc` |
//! | `call`, `call_table`, `call_memory` | a system call: its kind, and in words |
//! | `descriptor`, `socket`, `child` | what the call's descriptor is |
//! | `modules` | executable and libraries, with copies of their unwind tables |
//! | `unwind`, `prologue`, `straight` | the walk up a copied stack |
//! | `symbols` | the thread that reads symbols |
//! | `symbolize`, `names` | addresses to functions and lines; which is the user's own |
//! | `garbage` | for a test and a fuzzer: stacks and prologues of garbage |
//! | `none` | what stands for all this on other platforms |

#[cfg(all(feature = "capture", target_os = "linux"))]
mod call;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod call_memory;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod call_table;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod child;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod descriptor;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod engine;
mod evidence;
mod frame;
#[cfg(any(test, runtime_health_fuzz))]
#[cfg(all(feature = "capture", target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod garbage;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod modules;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod names;
#[cfg(not(all(feature = "capture", target_os = "linux")))]
mod none;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod proc;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod prologue;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod socket;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod straight;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod symbolize;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod symbols;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod unwind;

#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) use call::has_time_limit;
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) use engine::{Capturer, Thread, return_addresses};
pub(crate) use evidence::{Blocked, Call, CallKind, Clocks, Effort, Hints, Result, Stack, State};
pub use frame::{Confidence, Frame, Place};
#[cfg(not(all(feature = "capture", target_os = "linux")))]
pub(crate) use none::{Capturer, PendingStack, Thread};
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) use proc::ThreadFiles;
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) use socket::{Ends as SocketEnds, answer as answer_socket};
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) use symbols::PendingStack;

/// Whether the signal for running threads can be had; see
/// [`Builder::interrupt_running_threads`](crate::Builder::interrupt_running_threads).
pub(crate) fn can_interrupt() -> std::io::Result<()> {
    #[cfg(all(feature = "capture", target_os = "linux"))]
    return crate::sys::signal::install();
    #[cfg(not(all(feature = "capture", target_os = "linux")))]
    Err(std::io::ErrorKind::Unsupported.into())
}
