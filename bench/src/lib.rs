//! The parts that the bench's programs share.
//!
//! | file | what |
//! |---|---|
//! | `layers` | every middleware in the comparison, added to a router as its documentation says |
//! | `child` | a process of its own for a contender |
//! | `callgrind` | instruction counts, by valgrind's callgrind |
//! | `budget` | instruction counts that must not be exceeded |
//! | `contender` | one way to do the work, its threads and its samples |
//! | `check` | checks that the timed work was done |
//! | `http1` | an HTTP/1.1 client with little overhead |
//! | `threads` | CPU time and context switches of the threads of a process |
//! | `machine` | the processor that the figures were measured on |
//! | `table` | medians, spread, ratios, goals |

pub mod budget;
pub mod callgrind;
pub mod check;
pub mod child;
pub mod contender;
pub mod http1;
pub mod layers;
pub mod machine;
pub mod table;
pub mod threads;
