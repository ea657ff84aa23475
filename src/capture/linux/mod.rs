mod capturer;
mod copy;
mod maps;
pub(crate) mod module;
pub(crate) mod modules;
mod procfs;
mod symbols;
mod syscall;
pub(crate) mod unwind;

pub(crate) use capturer::{Capturer, Thread, return_addresses};
pub(crate) use procfs::ThreadFiles;
pub(crate) use symbols::PendingStack;
pub(crate) use syscall::{SocketEnds, describe_socket, has_time_limit};

/// Installs the handler of the signal for running threads; see
/// [`Builder::interrupt_running_threads`](crate::Builder::interrupt_running_threads).
pub(crate) fn install_signal_handler() -> std::io::Result<()> {
    crate::sys::signal::install().map(drop)
}
