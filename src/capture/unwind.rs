//! The walk up a copied stack.
//!
//! By the unwind tables (DWARF call frame information), with two differences to
//! an ordinary unwinder. A register whose value is not known stays *unknown*
//! until a frame has saved it, instead of being taken for 0. And the walk knows
//! where it has to arrive: at the marker frame, whose stack pointer and function
//! the thread itself has published. What arrives there is proven.

use std::sync::Arc;

use gimli::{CfaRule, RegisterRule, UnwindContext, UnwindSection};

use super::modules::{Module, Modules};
use super::{Confidence, prologue};
use crate::slot::Mark;
use crate::sys::memory;

/// DWARF numbers (System V ABI, x86-64, figure 3.36; AAPCS64 DWARF, 4.1).
#[cfg(target_arch = "x86_64")]
mod arch {
    pub(super) const REGISTERS: usize = 17;
    pub(super) const STACK_POINTER: usize = 7;
    pub(super) const FRAME_POINTER: usize = 6;
    pub(super) const RETURN_ADDRESS: usize = 16;
    /// What a called function leaves as it was.
    pub(super) const SAVED: &[usize] = &[3, 6, 12, 13, 14, 15];
}
// By the manual; not run on such a machine yet.
#[cfg(not(target_arch = "x86_64"))]
mod arch {
    pub(super) const REGISTERS: usize = 33;
    pub(super) const STACK_POINTER: usize = 31;
    pub(super) const FRAME_POINTER: usize = 29;
    pub(super) const RETURN_ADDRESS: usize = 30;
    pub(super) const SAVED: &[usize] = &[19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29];
}
use arch::{FRAME_POINTER, REGISTERS, RETURN_ADDRESS, SAVED, STACK_POINTER};

/// Frames of one walk, and steps of all its attempts together: both bound the
/// time of a look.
const MAX_FRAMES: usize = 4096;
const MAX_STEPS: usize = 2 * MAX_FRAMES;
/// Steps of all attempts that go by a guess: what they find names no place.
const MAX_GUESSES: usize = 512;
/// Beginnings of one function that are read.
const MAX_PROLOGUES: usize = 4;
/// Words of a stack that are tried as a return address, where nothing better
/// is known.
const MAX_SCANNED: u64 = 256;

/// Of the expressions in `.eh_frame`.
const ENCODING: gimli::Encoding = gimli::Encoding {
    address_size: 8,
    format: gimli::Format::Dwarf32,
    version: 4,
};

/// A thread's registers; what is not known is `None`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    values: [Option<u64>; REGISTERS],
    /// The next instruction of this frame.
    code: u64,
}

impl Registers {
    /// Of a thread whose stack and instruction are all that is known.
    pub(crate) fn blocked(stack: u64, code: u64) -> Self {
        let mut values = [None; REGISTERS];
        values[STACK_POINTER] = Some(stack);
        Self { values, code }
    }

    /// Of a sampled thread.
    pub(crate) fn sampled(registers: &[(usize, u64)]) -> Option<Self> {
        const PROGRAM_COUNTER: usize = if cfg!(target_arch = "x86_64") { 16 } else { 32 };
        let mut values = [None; REGISTERS];
        for &(number, value) in registers {
            *values.get_mut(number)? = Some(value);
        }
        let code = values[PROGRAM_COUNTER]?;
        values[STACK_POINTER]?;
        if cfg!(target_arch = "x86_64") {
            values[RETURN_ADDRESS] = None;
        }
        Some(Self { values, code })
    }

    pub(crate) fn stack(&self) -> u64 {
        self.values[STACK_POINTER].unwrap_or(0)
    }

    pub(crate) fn code(&self) -> u64 {
        self.code
    }
}

/// A copied piece of a stack.
#[derive(Debug)]
pub(crate) struct StackCopy {
    pub(crate) start: u64,
    pub(crate) bytes: Vec<u8>,
}

impl StackCopy {
    fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.start)?).ok()?;
        let bytes = self.bytes.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// The frames a walk went through.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Innermost first. An instruction of each frame's function: where the
    /// thread stands, or the call it will return to.
    pub(crate) frames: Vec<(Arc<Module>, u64)>,
    pub(crate) confidence: Confidence,
}

/// A way not tried yet: so many frames, then these registers.
struct Branch {
    frames: usize,
    registers: Registers,
    /// Found by looking for something like a return address.
    scanned: bool,
    /// One of several answers, of which one at most is right.
    doubtful: bool,
}

pub(crate) struct Unwinder<'u> {
    pub(crate) modules: &'u mut Modules,
    pub(crate) context: &'u mut UnwindContext<usize>,
}

/// What one frame's tables say.
#[expect(
    clippy::large_enum_variant,
    reason = "made and used up at once, for each frame"
)]
enum Step {
    Caller(Registers),
    /// The frame pointer is needed and not known; these it may be. Those marked are
    /// further from what prologues look like.
    FramePointers(Vec<(u64, bool)>),
    Unknown,
}

impl Unwinder<'_> {
    /// Walks from `registers` to `mark`.
    pub(crate) fn walk(&mut self, registers: Registers, stack: &StackCopy, mark: Mark) -> Walk {
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
                mark,
                &mut frames,
                &mut steps,
                |at, found| {
                    let known = found.into_iter().map(|(registers, doubtful)| Branch {
                        frames: at,
                        registers,
                        scanned: branch.scanned,
                        doubtful: branch.doubtful || doubtful,
                    });
                    // The likeliest is tried first.
                    branches.extend(known.rev());
                },
            );
            if arrived {
                steps = steps.min(MAX_GUESSES);
                let others = branches.into_iter().filter(|other| other.doubtful);
                let is_sure = !branch.scanned && !self.any_arrives(others, stack, mark, &mut steps);
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
            // Nothing left that the tables know: guess where it goes on, and
            // say so.
            if branches.is_empty()
                && let Some(from) = scanned_from.take()
            {
                steps = steps.min(MAX_GUESSES);
                frames.clone_from(&longest);
                self.scan(from, stack, mark, longest.len(), &mut branches);
            }
        }
        Walk {
            frames: longest,
            confidence: Confidence::Incomplete,
        }
    }

    /// Whether another way leads to the marker, too: then nobody knows which it was.
    fn any_arrives(
        &mut self,
        others: impl Iterator<Item = Branch>,
        stack: &StackCopy,
        mark: Mark,
        steps: &mut usize,
    ) -> bool {
        let mut frames = Vec::new();
        for mut other in others {
            frames.clear();
            let registers = &mut other.registers;
            if self.climb(registers, stack, mark, &mut frames, steps, |_, _| {}) {
                return true;
            }
        }
        false
    }

    /// Goes on as far as the tables lead. True if that is the marker.
    /// `ways` gets further ways from a frame, to be tried if this one fails.
    fn climb(
        &mut self,
        registers: &mut Registers,
        stack: &StackCopy,
        mark: Mark,
        frames: &mut Vec<(Arc<Module>, u64)>,
        steps: &mut usize,
        mut ways: impl FnMut(usize, Vec<(Registers, bool)>),
    ) -> bool {
        loop {
            if *steps == 0 || frames.len() >= MAX_FRAMES {
                return false;
            }
            *steps -= 1;
            // A return address may be the first instruction of what follows
            // the function in memory.
            let lookup = registers.code - u64::from(!frames.is_empty() && registers.code > 0);
            let Some(module) = self.modules.known(lookup) else {
                return false;
            };
            if registers.stack() == mark.stack && self.is_marker(&module, lookup, mark) {
                frames.push((module, lookup));
                return true;
            }
            let step = self.step(&module, lookup, registers, stack);
            if registers.stack() >= mark.stack {
                return false;
            }
            match step {
                Step::Caller(caller) if caller.stack() <= mark.stack => {
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
                    ways(frames.len(), found);
                }
                Step::Caller(_) | Step::Unknown => return false,
            }
        }
    }

    fn is_marker(&mut self, module: &Module, lookup: u64, mark: Mark) -> bool {
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
        function.is_ok_and(|function| function.contains(mark.code))
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
        // Where the frame pointer was set: once in most functions, but the
        // tables say it again behind each early return.
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
                        let found = prologue::pointers(&pointer_set, lookup, registers.stack());
                        return Some(Step::FramePointers(found));
                    }
                    None => return None,
                }
            }
            CfaRule::Expression(expression) => {
                let expression = expression.get(frames).ok()?;
                evaluate(expression, ENCODING, registers, stack, None)?
            }
        };
        // The stack grows down, and a frame holds at least a return address.
        if cfa <= registers.stack() && registers.stack() != 0 && cfg!(target_arch = "x86_64") {
            return None;
        }
        let mut caller = Registers {
            values: [None; REGISTERS],
            code: 0,
        };
        let restore = |number: usize| -> Option<u64> {
            let register = gimli::Register(u16::try_from(number).ok()?);
            match row.register(register) {
                // Not mentioned: kept by a function that must keep it.
                None if SAVED.contains(&number) => registers.values[number],
                Some(RegisterRule::SameValue) => registers.values[number],
                Some(RegisterRule::Offset(offset)) => stack.word(cfa.checked_add_signed(offset)?),
                Some(RegisterRule::ValOffset(offset)) => cfa.checked_add_signed(offset),
                Some(RegisterRule::Register(other)) => {
                    *registers.values.get(usize::from(other.0))?
                }
                Some(RegisterRule::Expression(expression)) => {
                    let expression = expression.get(frames).ok()?;
                    let encoding = ENCODING;
                    stack.word(evaluate(expression, encoding, registers, stack, Some(cfa))?)
                }
                _ => None,
            }
        };
        for &number in SAVED {
            caller.values[number] = restore(number);
        }
        let kept = if cfg!(target_arch = "x86_64") {
            None
        } else {
            // A function that calls nothing leaves it in its register.
            registers.values[RETURN_ADDRESS]
        };
        caller.code = restore(RETURN_ADDRESS).or(kept)?;
        caller.values[STACK_POINTER] = Some(cfa);
        Some(Step::Caller(caller))
    }

    /// Puts every plausible return address above `from` among the ways, the
    /// nearest to be tried first.
    fn scan(
        &mut self,
        from: Registers,
        stack: &StackCopy,
        mark: Mark,
        frames: usize,
        branches: &mut Vec<Branch>,
    ) {
        let Some(start) = from.stack().checked_next_multiple_of(8) else {
            return;
        };
        for index in (0..MAX_SCANNED).rev() {
            let address = start.saturating_add(index * 8);
            let Some(code) = stack.word(address).filter(|_| address < mark.stack) else {
                continue;
            };
            if !self.follows_a_call(code) {
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

    /// Whether the instruction before an address may be a call.
    fn follows_a_call(&mut self, code: u64) -> bool {
        let Some(before) = code.checked_sub(7) else {
            return false;
        };
        if self.modules.known(code).is_none() {
            return false;
        }
        let mut bytes = [0; 7];
        memory::read_exact(before, &mut bytes)
            && (bytes[2] == 0xe8
                // call through a register or memory: ff /2, two to seven bytes
                || (0..6).any(|at| bytes[at] == 0xff && (bytes[at + 1] >> 3) & 7 == 2))
    }
}

/// A DWARF expression over registers and the stack. `None` for anything it
/// needs that is not there.
fn evaluate(
    expression: gimli::Expression<gimli::EndianSlice<'_, gimli::LittleEndian>>,
    encoding: gimli::Encoding,
    registers: &Registers,
    stack: &StackCopy,
    initial: Option<u64>,
) -> Option<u64> {
    const MAX_OPERATIONS: u32 = 256;
    let mut evaluation = expression.evaluation(encoding);
    evaluation.set_max_iterations(MAX_OPERATIONS);
    if let Some(initial) = initial {
        evaluation.set_initial_value(initial);
    }
    let mut result = evaluation.evaluate().ok()?;
    loop {
        result = match result {
            gimli::EvaluationResult::Complete => break,
            gimli::EvaluationResult::RequiresRegister { register, .. } => {
                let number = usize::from(register.0);
                let value = if number == RETURN_ADDRESS && cfg!(target_arch = "x86_64") {
                    Some(registers.code)
                } else {
                    *registers.values.get(number)?
                };
                evaluation
                    .resume_with_register(gimli::Value::Generic(value?))
                    .ok()?
            }
            gimli::EvaluationResult::RequiresMemory { address, .. } => evaluation
                .resume_with_memory(gimli::Value::Generic(stack.word(address)?))
                .ok()?,
            _ => return None,
        };
    }
    match evaluation.result().first()?.location {
        gimli::Location::Address { address } => Some(address),
        _ => None,
    }
}
