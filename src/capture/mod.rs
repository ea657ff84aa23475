//! The state and the stack of another thread, read from outside: without a signal and
//! without the thread's help. Only the watchdog's thread and the one it has for symbols do
//! this.
//!
//! | file | what |
//! |---|---|
//! | `types` | what is read, as plain data |
//! | `frame` | [`Frame`], [`Place`], [`Confidence`], as users see them |
//! | `linux/capturer` | [`Capturer`]: reads one thread, by which means, verified |
//! | `linux/procfs` | a thread's state and clocks in `/proc` |
//! | `linux/modules` | executable and libraries, with copies of their unwind tables |
//! | `linux/syscall/` | a blocked system call: its kind, and in words |
//! | `linux/unwind/` | the walk up a copied stack; a folder for each architecture |
//! | `linux/symbols/` | addresses to functions and lines, and which are the user's |
//! | `unsupported` | what takes the place of `linux` elsewhere |

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
