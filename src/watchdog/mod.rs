//! The watchdog: examines blocking polls while they are in progress.
//!
//! A histogram shows that a poll was long. Only the thread itself, caught while it is
//! blocked, shows why and where. A stuck thread cannot report that, so another thread has to
//! read its state and its stack from outside.
//!
//! [`Watchdog`] is that thread, one per instance. It does a *round* every tick: half the
//! threshold, at most 10 ms. It parks when no poll is in progress and none has begun for a
//! while, so an idle service wakes it 0 times a second.
//!
//! # Architecture
//!
//! - **Round.** For each thread the watchdog reads the slot, takes the blocking polls that
//!   have ended, and investigates the poll in progress. Then it publishes what it found.
//! - **Investigation.** It begins when a poll is no longer short: with a sample of the
//!   thread's clocks. Each round adds an observation. Stacks are read when the poll has
//!   lasted 1, 2, 4, 8… thresholds.
//! - **Post mortem.** If a poll begins and ends between two rounds, samples of the clocks
//!   from before and after it may still prove its cause.
//! - **Limits.** What a round may cost is bounded: stacks per second and per kind of wait,
//!   clock samples and waits per round. `pacer` measures how late each round is.
//! - **Own descriptor table.** The thread opens files in `/proc` for every thread of the
//!   service. They must not count against the service's limit, so the thread has a descriptor
//!   table of its own. Jobs that need the service's table go to
//!   [`offload`](crate::offload).
//!
//! # Files
//!
//! | file | what |
//! |---|---|
//! | `thread` | [`Watchdog`]: the thread and its rounds |
//! | `pacer` | when the next round is due, when to park, how late it is |
//! | `round` | the context of one round, and what it collects |
//! | `watched_thread` | one thread of the service: its slot, its investigation, its announcements |
//! | `detect` | from readings of a slot to observations of polls; pure |
//! | `investigation` | what is found out about one poll, round by round |
//! | `stack_collector` | the stacks of one poll |
//! | `reader` | reads threads, within the limits of a round |
//! | `capture_budget` | how many stacks may be read |
//! | `post_mortem` | what the clocks tell about a poll that has ended; pure |
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
