pub(crate) mod memory;
pub(crate) mod perf;
pub(crate) mod signal;
pub(crate) mod socket;
mod thread;

pub(crate) use thread::{
    cpu_nanos, descriptor_limit, is_filtered, lower_priority, thread_id, unshare_descriptors,
};
