//! The walk up a copied stack.
//!
//! It follows the unwind tables (DWARF call frame information). It differs from an ordinary
//! unwinder in two ways. A register whose value is not known stays *unknown* until a frame
//! that saved it is reached; it is never assumed to be 0. And the walk knows where it has to
//! arrive: at the anchor, the frame whose stack pointer and function the thread itself has
//! published. A walk that arrives there is proven.
//!
//! | file | what |
//! |---|---|
//! | `walk` | [`Unwinder`]: the walk and its alternatives |
//! | `registers` | what is known of a thread's registers, and its copied stack |
//! | `expression` | DWARF expressions over both |
//! | `x86_64/`, `aarch64/` | registers, calls and prologues of each architecture |

#[cfg_attr(target_arch = "x86_64", path = "x86_64/mod.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "aarch64/mod.rs")]
pub(crate) mod arch;
mod expression;
mod registers;
mod walk;

pub(crate) use registers::{Registers, StackCopy};
pub(crate) use walk::{Unwinder, Walk};
