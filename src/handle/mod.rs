//! What users hold: the builder, the handle, and the assertions for tests.
//!
//! | file | what |
//! |---|---|
//! | `builder` | [`Builder`]: the setters of all options |
//! | `start` | [`Builder::start`]: checks, then starts everything or nothing |
//! | `runtime_health` | [`RuntimeHealth`]: the handle |
//! | `testing` | `assert_no_blocking` and its guard |

mod builder;
mod runtime_health;
mod start;
mod testing;

pub use builder::Builder;
pub use runtime_health::RuntimeHealth;
pub use testing::ForbidBlocking;
