//! Describes the system call that a thread is blocked in, and what it waits for.
//!
//! | file | what |
//! |---|---|
//! | `describe` | from number and arguments to a [`Call`](crate::capture::Call) |
//! | `table` | what is known about each system call |
//! | `memory` | arguments in the thread's memory |
//! | `descriptor` | what a file descriptor refers to |
//! | `socket` | a described socket, and its ends by the socket itself |
//! | `socket_tables` | finds a socket in the kernel's tables |
//! | `sockets` | describes sockets by the means there are, and caches the results |
//! | `pipe_peer` | the child process at the other end of a pipe |

mod describe;
mod descriptor;
mod memory;
mod pipe_peer;
mod socket;
mod socket_tables;
mod sockets;
mod table;

pub(crate) use crate::sys::socket::Ends as SocketEnds;
pub(crate) use describe::has_time_limit;
pub(super) use describe::{describe, kind_by_number};
pub(crate) use socket::describe_socket;
pub(super) use sockets::{SocketLookup, Sockets};
