//! Computes the frame pointer of a function from its prologue, if only the stack pointer is
//! known.
//!
//! A function that keeps its frame pointer in RBP sets it (`mov rbp, rsp`), then pushes the
//! registers it saves and reserves space for its locals. After that the stack pointer does not
//! change. So RBP is the stack pointer plus what these instructions pushed and subtracted. The
//! forms are those that LLVM and GCC emit. The encodings are from Intel's manual, volume 2.
//!
//! GCC also puts other instructions between those of a prologue. If more of the prologue may
//! follow them, there are several candidates. The walk finds out which one leads to the anchor.

use super::insn_len;
use crate::sys::memory;

/// What a function did to the stack pointer after it set its frame pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prologue {
    /// Bytes pushed before the stack was aligned.
    pushed: u64,
    /// Bytes pushed or subtracted after that.
    lowered: u64,
    /// To how many bytes the stack was aligned in between; 0 if it was not.
    alignment: u64,
}

impl Prologue {
    fn add(&mut self, lowered: u64) {
        let field = if self.alignment == 0 {
            &mut self.pushed
        } else {
            &mut self.lowered
        };
        *field = field.saturating_add(lowered);
    }

    /// Returns the candidates for the frame pointer: one value, or a few if the stack was
    /// aligned.
    pub(crate) fn candidates(self, stack_pointer: u64) -> impl Iterator<Item = u64> {
        let aligned = self.alignment > 0;
        (0..self.alignment.max(1))
            .step_by(8)
            .filter_map(move |slack| {
                stack_pointer
                    .checked_add(self.lowered)?
                    .checked_add(slack)?
                    .checked_add(self.pushed)
            })
            // A call leaves the stack pointer at 8 modulo 16, and the push of RBP at 0.
            .filter(move |pointer| !aligned || pointer % 16 == 0)
    }
}

/// Returns the candidates for the frame pointer, by the instructions from where it was set to
/// where the thread is. `true` marks doubtful ones, which come last.
pub(crate) fn frame_pointers(sets: &[u64], here: u64, stack: u64) -> Vec<(u64, bool)> {
    const LONGEST: u64 = 128;
    let mut certain = Vec::new();
    let mut doubtful = Vec::new();
    for &set in sets {
        let length = here.saturating_sub(set).min(LONGEST);
        let mut code = vec![0; usize::try_from(length).unwrap_or(0)];
        let copied = memory::read(set, &mut code);
        code.truncate(copied);
        let (first, later) = decode(&code);
        certain.extend(first.candidates(stack));
        doubtful.extend(later.into_iter().flat_map(|later| later.candidates(stack)));
    }
    let mut found: Vec<(u64, bool)> = Vec::new();
    for (pointer, is_doubtful) in certain
        .into_iter()
        .map(|pointer| (pointer, false))
        .chain(doubtful.into_iter().map(|pointer| (pointer, true)))
    {
        if found.iter().all(|(known, _)| *known != pointer) {
            found.push((pointer, is_doubtful));
        }
    }
    found
}

/// The most doubtful prologues of one function.
const MAX_LATER: usize = 8;

/// Decodes what follows `mov rbp, rsp`.
///
/// The first result ends at the first instruction that does not belong to a prologue, or at the
/// end of `code`. The others, which are doubtful, skip such instructions up to the first
/// branch.
pub(crate) fn decode(code: &[u8]) -> (Prologue, Vec<Prologue>) {
    let mut prologue = Prologue::default();
    let mut rest = code;
    // `eax` as loaded for a call of a stack probe.
    let mut eax = None;
    while let Some((lowered, after)) = step(rest, &mut prologue, &mut eax) {
        prologue.add(lowered);
        rest = after;
    }
    let first = prologue;
    let mut later = Vec::new();
    while later.len() < MAX_LATER {
        if let Some((lowered, after)) = step(rest, &mut prologue, &mut eax) {
            prologue.add(lowered);
            later.push(prologue);
            rest = after;
        } else if let Some(after) = insn_len::skip(rest) {
            rest = after;
        } else {
            break;
        }
    }
    (first, later)
}

/// Decodes one instruction. Returns by how much it lowers the stack pointer, and the code after
/// it.
fn step<'c>(
    code: &'c [u8],
    prologue: &mut Prologue,
    eax: &mut Option<u64>,
) -> Option<(u64, &'c [u8])> {
    Some(match code {
        // push r64
        [0x50..=0x57, rest @ ..] | [0x41, 0x50..=0x57, rest @ ..] => (8, rest),
        // sub rsp, imm8 | imm32
        [0x48, 0x83, 0xec, by, rest @ ..] if *by < 0x80 => (u64::from(*by), rest),
        [0x48, 0x81, 0xec, a, b, c, d, rest @ ..] => (imm32([*a, *b, *c, *d]), rest),
        // add rsp, -imm8 (a shorter `sub rsp, 128`)
        [0x48, 0x83, 0xc4, by, rest @ ..] if *by >= 0x80 => (256 - u64::from(*by), rest),
        // and rsp, -imm8 | -imm32
        [0x48, 0x83, 0xe4, by, rest @ ..] if prologue.alignment == 0 => {
            prologue.alignment = aligned_to(i64::from(*by as i8))?;
            (0, rest)
        }
        [0x48, 0x81, 0xe4, a, b, c, d, rest @ ..] if prologue.alignment == 0 => {
            prologue.alignment = aligned_to(i64::from(i32::from_le_bytes([*a, *b, *c, *d])))?;
            (0, rest)
        }
        // Probes of a page just reserved: mov qword [rsp], 0; or qword [rsp], 0;
        // test [rsp], rsp.
        [0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0, rest @ ..]
        | [0x48, 0x83, 0x0c, 0x24, 0, rest @ ..]
        | [0x48, 0x85, 0x24, 0x24, rest @ ..] => (0, rest),
        // A loop of probes: r11 = rsp - n, then pages down to r11.
        [0x4c, 0x8d, 0x9c, 0x24, a, b, c, d, rest @ ..] => {
            let by = i32::from_le_bytes([*a, *b, *c, *d]).unsigned_abs();
            (u64::from(by), probe_loop(rest)?)
        }
        [0x49, 0x89, 0xe3, 0x49, 0x81, 0xeb, a, b, c, d, rest @ ..] => {
            (imm32([*a, *b, *c, *d]), probe_loop(rest)?)
        }
        // mov eax, imm32; call __rust_probestack; sub rsp, rax
        [0xb8, a, b, c, d, 0xe8, _, _, _, _, rest @ ..] => {
            *eax = Some(imm32([*a, *b, *c, *d]));
            (0, rest)
        }
        [0x48, 0x29, 0xc4, rest @ ..] => (eax.take()?, rest),
        _ => return None,
    })
}

/// `sub rsp, 4096; mov qword [rsp], 0; cmp rsp, r11; jne` back.
fn probe_loop(code: &[u8]) -> Option<&[u8]> {
    let rest = code.strip_prefix(&[0x48, 0x81, 0xec])?.get(4..)?;
    let rest = rest.strip_prefix(&[0x48, 0xc7, 0x04, 0x24])?.get(4..)?;
    let rest = rest.strip_prefix(&[0x4c, 0x39, 0xdc])?;
    rest.strip_prefix(&[0x75])?.get(1..)
}

fn imm32(bytes: [u8; 4]) -> u64 {
    u64::from(u32::from_le_bytes(bytes))
}

/// Of a mask such as −128: 128.
fn aligned_to(mask: i64) -> Option<u64> {
    let alignment = mask.unsigned_abs();
    (mask < 0 && alignment.is_power_of_two() && alignment <= 4096).then_some(alignment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(code: &[u8]) -> Vec<u64> {
        decode(code).0.candidates(0x1000).collect()
    }

    #[test]
    fn pushes_and_locals_are_added_up() {
        // push r15; push rbx; sub rsp, 0x28; mov [rbp-8], rdi
        let code = [
            0x41, 0x57, 0x53, 0x48, 0x83, 0xec, 0x28, 0x48, 0x89, 0x7d, 0xf8,
        ];
        assert_eq!(one(&code), [0x1000 + 16 + 0x28]);
        // sub rsp, 0x12345
        assert_eq!(
            one(&[0x48, 0x81, 0xec, 0x45, 0x23, 1, 0]),
            [0x1000 + 0x12345]
        );
        assert_eq!(one(&[0x48, 0x83, 0xc4, 0x80]), [0x1000 + 128]);
        assert_eq!(one(&[]), [0x1000]);
    }

    #[test]
    fn stack_probes_count_once() {
        // sub rsp, 4096; mov qword [rsp], 0; sub rsp, 8
        let unrolled = [
            0x48, 0x81, 0xec, 0, 0x10, 0, 0, 0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0, 0x48, 0x83, 0xec,
            8,
        ];
        assert_eq!(one(&unrolled), [0x1000 + 4096 + 8]);
        // lea r11, [rsp - 0x3000]; loop; sub rsp, 0x70
        let looped = [
            0x4c, 0x8d, 0x9c, 0x24, 0, 0xd0, 0xff, 0xff, 0x48, 0x81, 0xec, 0, 0x10, 0, 0, 0x48,
            0xc7, 0x04, 0x24, 0, 0, 0, 0, 0x4c, 0x39, 0xdc, 0x75, 0xef, 0x48, 0x83, 0xec, 0x70,
        ];
        assert_eq!(one(&looped), [0x1000 + 0x3000 + 0x70]);
    }

    #[test]
    fn an_aligned_stack_leaves_a_few_candidates() {
        // push rbx; and rsp, -64; sub rsp, 0x40
        let code = [0x53, 0x48, 0x83, 0xe4, 0xc0, 0x48, 0x83, 0xec, 0x40];
        let base = 0x1000 + 8 + 0x40;
        assert_eq!(one(&code), [base + 8, base + 24, base + 40, base + 56]);
    }

    #[test]
    fn instructions_between_a_prologue_leave_more_candidates() {
        // push rbx; mov rbx, rcx; sub rsp, 0x18; cmp esi, 1; je …; sub rsp, 8
        let code = [
            0x53, 0x48, 0x89, 0xcb, 0x48, 0x83, 0xec, 0x18, 0x83, 0xfe, 1, 0x74, 5, 0x48, 0x83,
            0xec, 8,
        ];
        let (first, later) = decode(&code);
        let pointers = |prologue: Prologue| prologue.candidates(0x1000).collect::<Vec<_>>();
        assert_eq!(pointers(first), [0x1008]);
        assert_eq!(later.len(), 1);
        assert_eq!(pointers(later[0]), [0x1008 + 0x18]);
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let code: Vec<u8> = (0..24)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            let (first, later) = decode(&code);
            assert!(later.len() <= MAX_LATER);
            for prologue in later.into_iter().chain([first]) {
                assert!(prologue.candidates(u64::MAX - 64).count() <= 512);
            }
        }
    }
}
