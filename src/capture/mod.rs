//! Reads the state and the stack of another thread, from outside.
//!
//! A stuck thread cannot report what it waits for. Its stack has to be read while it is
//! blocked, and the service must not notice: no signal that interrupts its calls (unless the
//! user allows it), no lock that the stuck thread may hold, no descriptor of the service.
//!
//! [`Capturer`] does this on Linux, on the watchdog's thread. The pool monitor reads the states
//! of pool threads with `ThreadFiles`.
//!
//! # Architecture
//!
//! - **State.** `/proc/self/task/<tid>/syscall` has a blocked thread's system call, stack
//!   pointer and instruction pointer. `/proc` also has its scheduler figures.
//! - **Copy.** The stack is copied up to the anchor. The copy counts only if the thread was not
//!   given a CPU meanwhile. A running thread is sampled by a perf event, or by a signal.
//! - **Walk.** The copied stack is walked by copies of the unwind tables. The walk is proven if
//!   it arrives at the anchor. Otherwise the stack names no place.
//! - **Names.** A thread of its own turns addresses into functions and lines, because reading
//!   symbols takes up to seconds.
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `types` | what is read, as plain data |
//! | `frame` | [`Frame`], [`Place`] and [`Confidence`], as users see them |
//! | `linux/capturer` | [`Capturer`]: reads one thread by the best means available, and verifies |
//! | `linux/copy` | copies the stack of a blocked thread |
//! | `linux/procfs` | a thread's state and clocks in `/proc` |
//! | `linux/modules` | all executables and libraries in memory |
//! | `linux/module` | one of them, with copies of its unwind tables |
//! | `linux/maps` | parses `/proc/self/maps` |
//! | `linux/syscall/` | describes a blocked system call |
//! | `linux/unwind/` | walks a copied stack; a folder for each architecture |
//! | `linux/symbols/` | from addresses to functions and lines, and which are the user's |
//! | `unsupported` | takes the place of `linux` elsewhere |

mod frame;
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) mod linux;
mod types;
#[cfg(not(all(feature = "capture", target_os = "linux")))]
mod unsupported;

pub use frame::{Confidence, Frame, ModuleAddress, Place};
#[cfg(all(feature = "capture", target_os = "linux"))]
pub(crate) use linux::{
    Capturer, PendingStack, SocketEnds, Thread, ThreadFiles, describe_socket, has_time_limit,
    install_signal_handler, return_addresses,
};
pub(crate) use types::{
    Blocked, Call, CaptureMode, CaptureOutcome, Clocks, Effort, Hints, RunState, Stack,
};
#[cfg(not(all(feature = "capture", target_os = "linux")))]
pub(crate) use unsupported::{
    Capturer, PendingStack, SocketEnds, Thread, describe_socket, install_signal_handler,
};
