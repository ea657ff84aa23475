//! What one thread owns of one instance. All the thread-local data there is, but
//! for the note that `blocking::seat` keeps of the tasks a pool thread is in.
//!
//! | file | what |
//! |---|---|
//! | `thread` | [`Local`]: a thread's slot, its shard, its copy of the route names |
//! | `writer` | [`Writer`]: all that a poll of one series writes to on one thread |

mod thread;
mod writer;

pub(crate) use thread::Local;
pub(crate) use writer::Writer;
