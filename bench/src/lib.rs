//! What the bench's programs share.
//!
//! | file | what |
//! |---|---|
//! | `layers` | every middleware that is compared, put on a router as its docs say |
//! | `child` | a process of its own for a contender |
//! | `callgrind` | counts of instructions by valgrind |
//! | `budget` | what may not be exceeded |
//! | `contender` | one way to do the work, its threads and its samples |
//! | `check` | whether what was timed was also done |
//! | `http1` | a client that costs little |
//! | `threads` | CPU time and switches of the threads of a process |
//! | `machine` | what the figures were measured on |
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
