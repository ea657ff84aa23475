use super::arch::{
    PROGRAM_COUNTER, REGISTERS, RETURN_ADDRESS, RETURN_ADDRESS_IS_PUSHED, STACK_POINTER,
};

/// A thread's registers. Unknown values are `None`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    pub(super) values: [Option<u64>; REGISTERS],
    /// The address of the frame's next instruction.
    pub(super) code: u64,
}

impl Registers {
    /// Returns the registers of a blocked thread, of which only the stack and instruction
    /// pointers are known.
    pub(crate) fn blocked(stack: u64, code: u64) -> Self {
        let mut values = [None; REGISTERS];
        values[STACK_POINTER] = Some(stack);
        Self { values, code }
    }

    /// Returns the registers of a sampled thread.
    pub(crate) fn sampled(registers: &[(usize, u64)]) -> Option<Self> {
        let mut values = [None; REGISTERS];
        for &(number, value) in registers {
            *values.get_mut(number)? = Some(value);
        }
        let code = values[PROGRAM_COUNTER]?;
        values[STACK_POINTER]?;
        if RETURN_ADDRESS_IS_PUSHED {
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
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.start)?).ok()?;
        let bytes = self.bytes.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}
