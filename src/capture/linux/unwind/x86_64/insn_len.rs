//! Lengths of the instructions that GCC puts between those of a prologue. What they do does
//! not matter, if they leave the stack pointer unchanged.
//!
//! The encodings are from Intel's manual, volume 2, chapter 2 and appendix A. An unknown
//! instruction ends the decoding; nothing is guessed.

const RSP: u8 = 4;

/// Skips an instruction that neither branches nor changes the stack pointer. Returns the code
/// after it.
pub(super) fn skip(code: &[u8]) -> Option<&[u8]> {
    let (is_short, code) = match code {
        [0x66, rest @ ..] => (true, rest),
        [0xf2 | 0xf3, rest @ ..] => (false, rest),
        _ => (false, code),
    };
    let (rex, code) = match code {
        [rex @ 0x40..=0x4f, rest @ ..] => (*rex, rest),
        _ => (0, code),
    };
    let immediate = if is_short { 2 } else { 4 };
    let (opcode, rest) = code.split_first()?;
    let is_rsp = |register: u8, extended: u8| register & 7 == RSP && rex & extended == 0;
    match *opcode {
        // mov r, imm
        0xb8..=0xbf if !is_rsp(*opcode, 1) => rest.get(if rex & 8 != 0 { 8 } else { immediate }..),
        0xb0..=0xb7 if !is_rsp(*opcode, 1) => rest.get(1..),
        // nop, cdqe, cqo
        0x90 | 0x98 | 0x99 => Some(rest),
        // Arithmetic and test on the accumulator.
        0xa8 => rest.get(1..),
        0xa9 => rest.get(immediate..),
        op @ 0x00..=0x3f if op & 7 == 4 => rest.get(1..),
        op @ 0x00..=0x3f if op & 7 == 5 => rest.get(immediate..),
        // Arithmetic, mov, test, lea, movsxd between a register and a register or memory.
        op @ 0x00..=0x3f if op & 7 < 4 => operands(rest, rex, true, 0),
        0x84 | 0x85 | 0x88..=0x8b | 0x8d | 0x63 => operands(rest, rex, true, 0),
        0x69 => operands(rest, rex, true, immediate),
        0x6b => operands(rest, rex, true, 1),
        // The same and shifts with a constant; mov of a constant.
        0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 => operands(rest, rex, false, 1),
        0x81 | 0xc7 => operands(rest, rex, false, immediate),
        0xd0..=0xd3 => operands(rest, rex, false, 0),
        // test has a constant; not, neg, mul, div have none.
        op @ (0xf6 | 0xf7) => {
            let is_test = (rest.first()? >> 3) & 7 < 2;
            let constant = if op == 0xf6 { 1 } else { immediate };
            operands(rest, rex, false, if is_test { constant } else { 0 })
        }
        0x0f => {
            let (opcode, rest) = rest.split_first()?;
            match opcode {
                // cmov, imul, movzx, movsx
                0x40..=0x4f | 0xaf | 0xb6 | 0xb7 | 0xbe | 0xbf => operands(rest, rex, true, 0),
                // nop, set
                0x1f | 0x90..=0x9f => operands(rest, rex, false, 0),
                // Moves and logic of vector registers.
                0x10..=0x17
                | 0x28
                | 0x29
                | 0x54..=0x57
                | 0x6c..=0x6f
                | 0x7e
                | 0x7f
                | 0xd6
                | 0xef => operands(rest, rex, false, 0),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Skips a ModRM byte with its SIB byte and displacement, and an immediate. Returns `None` if an
/// operand is the stack pointer itself. As an address it is allowed.
fn operands(code: &[u8], rex: u8, has_register: bool, immediate: usize) -> Option<&[u8]> {
    let (modrm, rest) = code.split_first()?;
    let (mode, register, memory) = (modrm >> 6, (modrm >> 3) & 7, modrm & 7);
    if has_register && register == RSP && rex & 4 == 0 {
        return None;
    }
    if mode == 3 {
        let is_rsp = memory == RSP && rex & 1 == 0;
        return rest.get(immediate..).filter(|_| !is_rsp);
    }
    let (base, rest) = if memory == 4 {
        let (scaled, rest) = rest.split_first()?;
        (scaled & 7, rest)
    } else {
        (memory, rest)
    };
    let displacement = match mode {
        0 if base == 5 => 4,
        0 => 0,
        1 => 1,
        _ => 4,
    };
    rest.get(displacement..)?.get(immediate..)
}

#[cfg(test)]
mod tests {
    use super::skip;

    #[test]
    fn the_length_of_each_instruction_form_is_known() {
        for code in [
            &[0x48, 0x89, 0xcb][..],                             // mov rbx, rcx
            &[0x66, 0x89, 0x45, 0xee],                           // mov [rbp-0x12], ax
            &[0x83, 0xfe, 0x01],                                 // cmp esi, 1
            &[0x19, 0xc0],                                       // sbb eax, eax
            &[0x89, 0x7d, 0xe8],                                 // mov [rbp-0x18], edi
            &[0x31, 0xc0],                                       // xor eax, eax
            &[0x48, 0x8d, 0x05, 1, 2, 3, 4],                     // lea rax, [rip+…]
            &[0x48, 0x8b, 0x44, 0x24, 0x08],                     // mov rax, [rsp+8]
            &[0xba, 0xff, 0xff, 0xff, 0xff],                     // mov edx, -1
            &[0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8],               // movabs rax, …
            &[0x48, 0xc7, 0x85, 1, 2, 3, 4, 5, 6, 7, 8],         // mov qword [rbp+…], …
            &[0x66, 0xc7, 0x45, 0xee, 1, 0],                     // mov word [rbp-…], 1
            &[0xf6, 0x47, 0x10, 0x01],                           // test byte [rdi+16], 1
            &[0x48, 0xf7, 0xd8],                                 // neg rax
            &[0x0f, 0xb6, 0x07],                                 // movzx eax, byte [rdi]
            &[0xf3, 0x0f, 0x6f, 0x04, 0x25, 1, 2, 3, 4],         // movdqu xmm0, [abs]
            &[0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0][1..], // mov rax, [0x28]
            &[0x4c, 0x8b, 0x24, 0x24],                           // mov r12, [rsp]
        ] {
            let mut followed = code.to_vec();
            followed.extend([0xcc, 0xcc]);
            assert_eq!(skip(&followed), Some(&[0xcc, 0xcc][..]), "{code:x?}");
            for length in 0..code.len() {
                assert_eq!(skip(&code[..length]), None, "{code:x?} cut to {length}");
            }
        }
    }

    #[test]
    fn branches_and_changes_of_the_stack_pointer_are_not_skipped() {
        for code in [
            &[0xe8, 0, 0, 0, 0, 0][..],   // call
            &[0x74, 0x05, 0],             // je
            &[0x0f, 0x84, 0, 0, 0, 0, 0], // je, far
            &[0xc3, 0],                   // ret
            &[0x53, 0],                   // push rbx
            &[0x5b, 0],                   // pop rbx
            &[0x48, 0x83, 0xec, 0x18, 0], // sub rsp, 0x18
            &[0x48, 0x29, 0xc4, 0],       // sub rsp, rax
            &[0x48, 0x8d, 0x65, 0xf8, 0], // lea rsp, [rbp-8]
            &[0x48, 0x89, 0xec, 0],       // mov rsp, rbp
            &[0xff, 0xd0, 0],             // call rax
            &[0xff, 0x75, 0x08, 0],       // push [rbp+8]
        ] {
            assert_eq!(skip(code), None, "{code:x?}");
        }
    }
}
