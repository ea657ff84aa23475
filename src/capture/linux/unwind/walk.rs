use std::sync::Arc;

use gimli::{CfaRule, RegisterRule, UnwindContext, UnwindSection};

use super::arch::{
    self, CALLEE_SAVED, FRAME_POINTER, REGISTERS, RETURN_ADDRESS, RETURN_ADDRESS_IS_PUSHED,
    STACK_POINTER,
};
use super::expression::evaluate;
use super::{Registers, StackCopy};
use crate::capture::Confidence;
use crate::capture::linux::module::Module;
use crate::capture::linux::modules::Modules;
use crate::slot::StackAnchor;

/// The most frames of one walk, and the most steps of all its attempts together. Both bound the
/// time of a capture.
const MAX_FRAMES: usize = 4096;
const MAX_STEPS: usize = 2 * MAX_FRAMES;
/// The most steps of all attempts that follow a guess. What they find names no place.
const MAX_GUESSES: usize = 512;
/// How many prologues of one function are read.
const MAX_PROLOGUES: usize = 4;
/// How many words of a stack are tried as a return address, where nothing better is known.
const MAX_SCANNED: u64 = 256;

/// The frames that a walk has passed.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Innermost first. For each frame, its module and the address of an instruction in its
    /// function: the current one, or the call that it waits for.
    pub(crate) frames: Vec<(Arc<Module>, u64)>,
    pub(crate) confidence: Confidence,
}

/// A continuation of the walk that was not tried yet.
struct Branch {
    /// How many frames lead to it.
    frames: usize,
    registers: Registers,
    /// It was found by scanning for a plausible return address.
    scanned: bool,
    /// It is one of several candidates, of which at most one is right.
    doubtful: bool,
}

pub(crate) struct Unwinder<'u> {
    pub(crate) modules: &'u mut Modules,
    pub(crate) context: &'u mut UnwindContext<usize>,
}

/// What the tables say about one frame.
#[expect(
    clippy::large_enum_variant,
    reason = "a temporary value, one for each frame"
)]
enum Step {
    Caller(Registers),
    /// The frame pointer is needed and not known. These are its candidates; `true` marks the
    /// doubtful ones.
    FramePointers(Vec<(u64, bool)>),
    Unknown,
}

impl Unwinder<'_> {
    /// Walks from `registers` to `anchor`.
    pub(crate) fn walk(
        &mut self,
        registers: Registers,
        stack: &StackCopy,
        anchor: StackAnchor,
    ) -> Walk {
        let mut steps = MAX_STEPS;
        let mut frames = Vec::new();
        let start = Branch {
            frames: 0,
            registers,
            scanned: false,
            doubtful: false,
        };
        let mut longest = Vec::new();
        let mut branches = vec![start];
        let mut scanned_from = Some(registers);
        while let Some(branch) = branches.pop() {
            frames.truncate(branch.frames);
            let mut registers = branch.registers;
            let arrived = self.climb(
                &mut registers,
                stack,
                anchor,
                &mut frames,
                &mut steps,
                |at, found| {
                    let known = found.into_iter().map(|(registers, doubtful)| Branch {
                        frames: at,
                        registers,
                        scanned: branch.scanned,
                        doubtful: branch.doubtful || doubtful,
                    });
                    // The most likely one is tried first.
                    branches.extend(known.rev());
                },
            );
            if arrived {
                steps = steps.min(MAX_GUESSES);
                let others = branches.into_iter().filter(|other| other.doubtful);
                let is_sure =
                    !branch.scanned && !self.any_arrives(others, stack, anchor, &mut steps);
                let confidence = if is_sure {
                    Confidence::Exact
                } else {
                    Confidence::Approximate
                };
                return Walk { frames, confidence };
            }
            if frames.len() > longest.len() && !branch.scanned {
                longest.clone_from(&frames);
                scanned_from = Some(registers);
            }
            if steps == 0 {
                break;
            }
            // The tables lead no further: guess where the walk continues, and mark it as
            // scanned.
            if branches.is_empty()
                && let Some(from) = scanned_from.take()
            {
                steps = steps.min(MAX_GUESSES);
                frames.clone_from(&longest);
                self.scan(from, stack, anchor, longest.len(), &mut branches);
            }
        }
        Walk {
            frames: longest,
            confidence: Confidence::Incomplete,
        }
    }

    /// Returns whether another branch also leads to the anchor. Then it is unknown which is
    /// right.
    fn any_arrives(
        &mut self,
        others: impl Iterator<Item = Branch>,
        stack: &StackCopy,
        anchor: StackAnchor,
        steps: &mut usize,
    ) -> bool {
        let mut frames = Vec::new();
        for mut other in others {
            frames.clear();
            let registers = &mut other.registers;
            if self.climb(registers, stack, anchor, &mut frames, steps, |_, _| {}) {
                return true;
            }
        }
        false
    }

    /// Walks as far as the tables lead. Returns whether it arrives at the anchor. `branch_at`
    /// receives the other candidates at a frame, to be tried if this walk fails.
    fn climb(
        &mut self,
        registers: &mut Registers,
        stack: &StackCopy,
        anchor: StackAnchor,
        frames: &mut Vec<(Arc<Module>, u64)>,
        steps: &mut usize,
        mut branch_at: impl FnMut(usize, Vec<(Registers, bool)>),
    ) -> bool {
        loop {
            if *steps == 0 || frames.len() >= MAX_FRAMES {
                return false;
            }
            *steps -= 1;
            // After a call that never returns, the return address may already belong to the
            // next function in memory.
            let lookup = registers.code - u64::from(!frames.is_empty() && registers.code > 0);
            let Some(module) = self.modules.find(lookup) else {
                return false;
            };
            if registers.stack() == anchor.stack && self.is_anchor(&module, lookup, anchor) {
                frames.push((module, lookup));
                return true;
            }
            let step = self.step(&module, lookup, registers, stack);
            if registers.stack() >= anchor.stack {
                return false;
            }
            match step {
                Step::Caller(caller) if caller.stack() <= anchor.stack => {
                    frames.push((module, lookup));
                    *registers = caller;
                }
                Step::FramePointers(found) => {
                    let mut found: Vec<_> = found
                        .into_iter()
                        .map(|(pointer, doubtful)| {
                            let mut known = *registers;
                            known.values[FRAME_POINTER] = Some(pointer);
                            (known, doubtful)
                        })
                        .collect();
                    if found.is_empty() {
                        return false;
                    }
                    (*registers, _) = found.remove(0);
                    branch_at(frames.len(), found);
                }
                Step::Caller(_) | Step::Unknown => return false,
            }
        }
    }

    fn is_anchor(&mut self, module: &Module, lookup: u64, anchor: StackAnchor) -> bool {
        let Some(unwind) = module.unwind() else {
            return false;
        };
        let Some(table) = unwind.header.table() else {
            return false;
        };
        let function = table.fde_for_address(
            &unwind.frames,
            &unwind.bases,
            lookup,
            gimli::EhFrame::cie_from_offset,
        );
        function.is_ok_and(|function| function.contains(anchor.code))
    }

    fn step(
        &mut self,
        module: &Module,
        lookup: u64,
        registers: &Registers,
        stack: &StackCopy,
    ) -> Step {
        self.try_step(module, lookup, registers, stack)
            .unwrap_or(Step::Unknown)
    }

    fn try_step(
        &mut self,
        module: &Module,
        lookup: u64,
        registers: &Registers,
        stack: &StackCopy,
    ) -> Option<Step> {
        let unwind = module.unwind()?;
        let (frames, bases) = (&unwind.frames, &unwind.bases);
        let function = unwind
            .header
            .table()?
            .fde_for_address(frames, bases, lookup, gimli::EhFrame::cie_from_offset)
            .ok()?;
        let mut rows = function.rows(frames, bases, self.context).ok()?;
        // Where the frame pointer was set. Most functions set it once, but the tables repeat
        // it after each early return.
        let mut pointer_set = Vec::new();
        let mut was_by_pointer = false;
        let row = loop {
            let row = rows.next_row().ok()??;
            let by_pointer = matches!(
                row.cfa(),
                CfaRule::RegisterAndOffset { register, .. } if usize::from(register.0) == FRAME_POINTER
            );
            if by_pointer && !was_by_pointer && pointer_set.len() < MAX_PROLOGUES {
                pointer_set.push(row.start_address());
            }
            was_by_pointer = by_pointer;
            if row.contains(lookup) {
                break row.clone();
            }
        };
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                let register = usize::from(register.0);
                match registers.values.get(register)? {
                    Some(value) => value.checked_add_signed(*offset)?,
                    None if register == FRAME_POINTER => {
                        let found = arch::frame_pointers(&pointer_set, lookup, registers.stack());
                        return Some(Step::FramePointers(found));
                    }
                    None => return None,
                }
            }
            CfaRule::Expression(expression) => {
                let expression = expression.get(frames).ok()?;
                evaluate(expression, registers, stack, None)?
            }
        };
        // The stack grows down, and a frame holds at least a return address.
        if cfa <= registers.stack() && registers.stack() != 0 && RETURN_ADDRESS_IS_PUSHED {
            return None;
        }
        let mut caller = Registers {
            values: [None; REGISTERS],
            code: 0,
        };
        let restore = |number: usize| -> Option<u64> {
            let register = gimli::Register(u16::try_from(number).ok()?);
            match row.register(register) {
                // A callee-saved register that is not mentioned still has its value.
                None if CALLEE_SAVED.contains(&number) => registers.values[number],
                Some(RegisterRule::SameValue) => registers.values[number],
                Some(RegisterRule::Offset(offset)) => stack.word(cfa.checked_add_signed(offset)?),
                Some(RegisterRule::ValOffset(offset)) => cfa.checked_add_signed(offset),
                Some(RegisterRule::Register(other)) => {
                    *registers.values.get(usize::from(other.0))?
                }
                Some(RegisterRule::Expression(expression)) => {
                    let expression = expression.get(frames).ok()?;
                    stack.word(evaluate(expression, registers, stack, Some(cfa))?)
                }
                _ => None,
            }
        };
        for &number in CALLEE_SAVED {
            caller.values[number] = restore(number);
        }
        let kept = if RETURN_ADDRESS_IS_PUSHED {
            None
        } else {
            // In a function that calls no other, it is still in its register.
            registers.values[RETURN_ADDRESS]
        };
        caller.code = restore(RETURN_ADDRESS).or(kept)?;
        caller.values[STACK_POINTER] = Some(cfa);
        Some(Step::Caller(caller))
    }

    /// Adds a branch for every plausible return address above `from`. The nearest is tried
    /// first.
    fn scan(
        &mut self,
        from: Registers,
        stack: &StackCopy,
        anchor: StackAnchor,
        frames: usize,
        branches: &mut Vec<Branch>,
    ) {
        let Some(start) = from.stack().checked_next_multiple_of(8) else {
            return;
        };
        for index in (0..MAX_SCANNED).rev() {
            let address = start.saturating_add(index * 8);
            let Some(code) = stack.word(address).filter(|_| address < anchor.stack) else {
                continue;
            };
            if self.modules.find(code).is_none() || !arch::follows_a_call(code) {
                continue;
            }
            let registers = Registers::blocked(address.saturating_add(8), code);
            branches.push(Branch {
                frames,
                registers,
                scanned: true,
                doubtful: false,
            });
        }
    }
}
