//! The only room where `unsafe` is allowed: one system call or instruction per function.
//!
//! Reading another thread's stack from outside takes system calls that the standard library
//! does not have, and a few instructions that Rust does not have. They are here and nowhere
//! else, so that a reviewer of `unsafe` has one room to read.
//!
//! # Architecture
//!
//! - **Safe to call.** Every function is safe to call with any arguments. What has a precondition
//!   takes a token that proves it: [`FreshThread`] for a thread that has opened no descriptor, a
//!   signal `Handler` that is installed, a sampling `Permit` under the seccomp filter in force.
//! - **Mechanism only.** Nothing here decides anything about polls or stacks. `capture` does.
//! - **The hot path** uses [`here()`], [`counter()`], [`thread_id`] and [`StaticRef`], and nothing
//!   else.
//! - **One choice of platform.** `linux` needs the feature `capture`. Elsewhere `unsupported` has
//!   the few functions that other rooms call on every platform.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `here` | where the calling code is: stack pointer and instruction |
//! | `counter` | the processor's time-stamp counter |
//! | `static_ref` | [`StaticRef`]: a reference that never dangles, shared between threads |
//! | `fresh_thread` | [`FreshThread`]: a thread that owns no descriptor yet |
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
