//! How threads of the service and threads of this crate meet.
//!
//! | file | what |
//! |---|---|
//! | `primitive` | atomics, replaced by loom's in its models |
//! | `parker` | [`Parker`]: parks a background thread, wakes it from the hot path |
//! | `registry` | [`Registry`]: per-thread entries, copied by their one reader |

mod parker;
mod primitive;
mod registry;

pub(crate) use parker::Parker;
pub(crate) use primitive::{AtomicBool, AtomicU64, Ordering, add_exclusive, fence, lock};
pub(crate) use registry::Registry;
