use super::arch::{RETURN_ADDRESS, RETURN_ADDRESS_IS_PUSHED};
use super::{Registers, StackCopy};

/// The encoding of the expressions in `.eh_frame`.
const ENCODING: gimli::Encoding = gimli::Encoding {
    address_size: 8,
    format: gimli::Format::Dwarf32,
    version: 4,
};

/// Evaluates a DWARF expression over registers and the stack. Returns `None` if it needs a value
/// that is not known.
pub(super) fn evaluate(
    expression: gimli::Expression<gimli::EndianSlice<'_, gimli::LittleEndian>>,
    registers: &Registers,
    stack: &StackCopy,
    initial: Option<u64>,
) -> Option<u64> {
    const MAX_OPERATIONS: u32 = 256;
    let mut evaluation = expression.evaluation(ENCODING);
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
                let value = if number == RETURN_ADDRESS && RETURN_ADDRESS_IS_PUSHED {
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
