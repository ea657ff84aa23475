//! What the bench's programs share.
//!
//! | file | what |
//! |---|---|
//! | `layers` | every middleware that is compared, put on a router as its docs say |

pub mod layers;
