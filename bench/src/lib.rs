//! What the bench's programs share.
//!
//! | file | what |
//! |---|---|
//! | `layers` | every middleware that is compared, put on a router as its docs say |
//! | `contender` | one way to do the work, its threads and its samples |
//! | `check` | whether what was timed was also done |
//! | `table` | medians, spread, ratios, goals |

pub mod check;
pub mod contender;
pub mod layers;
pub mod table;
