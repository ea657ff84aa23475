//! Turns addresses into functions and lines, on a thread of its own.
//!
//! | file | what |
//! |---|---|
//! | `thread` | the thread that reads symbols, and the stacks that wait for it |
//! | `symbolizer` | addresses to functions and lines, cached |
//! | `names` | readable names of functions, and which functions are the user's |
//! | `known_crates` | crates whose functions are not the user's |

mod known_crates;
mod names;
mod symbolizer;
mod thread;

pub(super) use symbolizer::ModuleRef;
pub(crate) use thread::PendingStack;
pub(super) use thread::Symbols;
