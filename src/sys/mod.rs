//! The only room where `unsafe` is allowed: one system call or instruction a
//! function, each safe to call with any arguments.
//!
//! | file | what |
//! |---|---|
//! | `here` | where the calling code stands: stack pointer and instruction |
//! | `counter` | the processor's time-stamp counter |
//! | `static_ref` | a reference that never dangles, shared between threads |
//! | `thread` | ids, CPU clocks and limits |
//! | `memory` | reading this process's memory without a fault |
//! | `socket` | what a socket is, and where it leads |
//! | `perf` | one sample of a running thread's registers and stack |
//! | `signal` | the same by interrupting it, if the user asked for that |
#![allow(unsafe_code, reason = "this is the room for it")]

mod counter;
mod here;
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) mod memory;
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) mod perf;
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) mod signal;
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) mod socket;
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) mod thread;

mod static_ref;

pub(crate) use counter::counter;
pub(crate) use here::here;
pub(crate) use static_ref::StaticRef;

/// The kernel's number of the calling thread; 0 where nothing needs it.
pub(crate) fn thread_id() -> i32 {
    #[cfg(all(feature = "capture", target_os = "linux"))]
    return thread::id();
    #[cfg(not(all(feature = "capture", target_os = "linux")))]
    0
}
