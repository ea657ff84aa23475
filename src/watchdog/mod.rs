//! The thread that examines blocking polls while they are in progress.
//!
//! | file | what |
//! |---|---|
//! | `thread` | [`Watchdog`]: the thread and its rounds |
//! | `pacer` | when the next round is due, when to park, how late it is |
//! | `round` | what one round knows and what it collects |
//! | `watched_thread` | one thread of the service: its slot, its investigation, what was announced |
//! | `detect` | what a reading of a slot means; pure |
//! | `investigation` | what is found out about one poll, round by round |
//! | `stack_collector` | the stacks of one poll |
//! | `reader` | the means to read threads, and how much of them is left |
//! | `capture_budget` | how many stacks may be read |
//! | `post_mortem` | what the clocks tell of a poll that has ended; pure |
//! | `publisher` | findings, log events and probes of a round |

mod capture_budget;
mod detect;
mod investigation;
mod pacer;
mod post_mortem;
mod publisher;
mod reader;
mod round;
mod stack_collector;
mod thread;
mod watched_thread;

pub(crate) use thread::Watchdog;
