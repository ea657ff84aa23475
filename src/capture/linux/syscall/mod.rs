//! Describes the system call that a thread is blocked in, and what it waits for.
//!
//! | file | what |
//! |---|---|
//! | `describe` | from number and arguments to a [`Call`](crate::capture::Call) |
//! | `table` | what is known about each system call |
//! | `memory` | arguments in the thread's memory |
//! | `descriptor` | what a file descriptor refers to |
//! | `socket` | what a socket is connected to |
//! | `pipe_peer` | the child process at the other end of a pipe |

mod describe;
mod descriptor;
mod memory;
mod pipe_peer;
mod socket;
mod table;

pub(crate) use crate::sys::socket::Ends as SocketEnds;
pub(crate) use describe::has_time_limit;
pub(super) use describe::{describe, kind_by_number};
pub(crate) use socket::describe_socket;
pub(super) use socket::{SocketLookup, Sockets};
