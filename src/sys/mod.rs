//! The only room where `unsafe` is allowed: one system call or instruction per function.
//!
//! Every function is safe to call with any arguments. What has a precondition takes a token
//! that proves it: a [`FreshThread`], a signal `Handler`, a sampling `Permit`.
//!
//! | file | what |
//! |---|---|
//! | `here` | where the calling code is: stack pointer and instruction |
//! | `counter` | the processor's time-stamp counter |
//! | `static_ref` | a reference that never dangles, shared between threads |
//! | `fresh_thread` | a thread that owns no descriptor yet |
//! | `linux/thread` | ids, CPU clocks, limits and descriptor tables |
//! | `linux/memory` | reads this process's memory without a fault |
//! | `linux/socket` | what a socket is, and what it is connected to |
//! | `linux/perf` | one sample of a running thread's registers and stack |
//! | `linux/signal` | the same by interrupting the thread, if the user allowed that |
//! | `unsupported` | what takes the place of `linux` elsewhere |
#![allow(unsafe_code, reason = "this is the room for it")]

mod counter;
mod fresh_thread;
mod here;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod linux;
mod static_ref;
#[cfg(not(all(feature = "capture", target_os = "linux")))]
mod unsupported;

pub(crate) use counter::counter;
pub(crate) use fresh_thread::{FreshThread, spawn};
pub(crate) use here::here;
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) use linux::{
    cpu_nanos, descriptor_limit, is_filtered, lower_priority, memory, perf, signal, socket,
    thread_id, unshare_descriptors,
};
pub(crate) use static_ref::StaticRef;
#[cfg(not(all(feature = "capture", target_os = "linux")))]
pub(crate) use unsupported::{cpu_nanos, thread_id, unshare_descriptors};
