//! Runs the stack walk and the prologue decoder on random input. Neither may panic, and both
//! must terminate.
//!
//! A case is completely determined by its input bytes. `ci/fuzz.sh` finds inputs with a
//! coverage-guided fuzzer and keeps those that reach more code in `fuzz/corpus`. A test tries
//! random ones.

use std::cell::RefCell;
use std::time::Duration;

use gimli::UnwindContext;

use crate::capture::Confidence;
use crate::capture::linux::modules::Modules;
use crate::capture::linux::unwind::arch::prologue;
use crate::capture::linux::unwind::{Registers, StackCopy, Unwinder};
use crate::clock::Clock;
use crate::slot::StackAnchor;

/// The longest time that a walk may take. It is a few thousand times the usual one, to allow for
/// a busy machine and an unoptimised build.
const MAX_TIME: Duration = Duration::from_secs(5);

/// The source of all decisions. Returns zeros once it is used up.
struct Bytes<'b>(&'b [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let (byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *byte
    }

    fn next(&mut self) -> u64 {
        u64::from_le_bytes([(); 8].map(|()| self.byte()))
    }

    /// Returns a number below `end`. Consumes only as many bytes as that needs.
    fn below(&mut self, end: u64) -> u64 {
        let mut number = u64::from(self.byte());
        let mut bound = 1_u64 << 8;
        while bound < end {
            number = number << 8 | u64::from(self.byte());
            bound <<= 8;
        }
        number % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// The data that all cases share.
struct Fuzzer {
    modules: Modules,
    context: UnwindContext<usize>,
    /// Addresses of functions and return addresses.
    code: Vec<u64>,
    clock: Clock,
}

impl Fuzzer {
    fn new() -> Self {
        let mut modules = Modules::default();
        modules.refresh();
        // The return addresses on this thread's own stack.
        let local = 0_u64;
        let start = &raw const local as u64 & !7;
        let mut bytes = vec![0; 1 << 16];
        let copied = crate::sys::memory::read(start, &mut bytes);
        let words = bytes[..copied].chunks_exact(8);
        let mut code: Vec<_> = words
            .map(|word| word.try_into().map_or(0, u64::from_le_bytes))
            .filter(|word| modules.find(*word).is_some())
            .collect();
        code.extend([
            prologue::decode as *const () as u64,
            Self::new as *const () as u64,
            libc::usleep as *const () as u64,
            libc::getaddrinfo as *const () as u64,
            libc::qsort as *const () as u64,
            libc::printf as *const () as u64,
        ]);
        Self {
            modules,
            context: UnwindContext::new(),
            code,
            clock: Clock::new(),
        }
    }

    fn address(&self, source: &mut Bytes<'_>) -> u64 {
        let known = source.pick(&self.code);
        match source.below(4) {
            0 | 1 => known,
            // Nearby addresses: other functions, and the middle of instructions.
            2 => known.wrapping_add(source.below(0x4_0000)),
            _ => known.wrapping_sub(source.below(0x4_0000)),
        }
    }

    fn word(&self, source: &mut Bytes<'_>, start: u64, length: u64) -> u64 {
        match source.below(8) {
            0..3 => self.address(source),
            // An address in the same stack, like a frame pointer.
            3..6 => start.wrapping_add(source.below(length.max(1) * 2) & !7),
            6 => source.pick(&[0, 1, 7, 8, u64::MAX, u64::MAX - 7, 1 << 63, 1 << 47]),
            _ => source.next(),
        }
    }

    /// Walks one random stack.
    fn walk(&mut self, source: &mut Bytes<'_>) {
        let length = match source.below(8) {
            0 => source.below(64),
            1 => source.below(1 << 17),
            _ => source.below(4096),
        };
        let start = match source.below(8) {
            0 => source.next(),
            1 => u64::MAX - source.below(length + 128),
            2 => source.below(256),
            _ => 0x7f00_0000_0000 + (source.below(1 << 30) & !15),
        };
        let bytes: Vec<u8> = (0..length.div_ceil(8))
            .flat_map(|_| self.word(source, start, length).to_le_bytes())
            .take(length as usize)
            .collect();
        let anchor = StackAnchor {
            stack: match source.below(8) {
                0 => source.next(),
                1 => u64::MAX,
                2 => start,
                _ => start.wrapping_add(source.below(length + 64) & !7),
            },
            code: self.address(source),
        };
        let code = match source.below(8) {
            0 => source.pick(&[0, 1, u64::MAX]),
            1 => source.next(),
            _ => self.address(source),
        };
        let registers = if source.one_in(2) {
            Registers::blocked(start, code)
        } else {
            let mut values: Vec<_> = (0..16)
                .map(|number| (number, self.word(source, start, length)))
                .collect();
            values[7].1 = start;
            values.push((16, code));
            Registers::sampled(&values).unwrap_or_else(|| Registers::blocked(start, code))
        };
        let stack = StackCopy { start, bytes };
        let began = self.clock.ticks();
        let mut unwinder = Unwinder {
            modules: &mut self.modules,
            context: &mut self.context,
        };
        let walk = unwinder.walk(registers, &stack, anchor);
        let took = self.clock.duration(self.clock.ticks() - began);
        assert!(took < MAX_TIME, "a walk took {took:?}");
        assert!(walk.frames.len() <= 4096, "{} frames", walk.frames.len());
        if walk.confidence == Confidence::Exact {
            // An exact walk must end in the anchor's function.
            let last = walk.frames.last();
            assert!(last.is_some_and(|(module, code)| {
                module.has_code_at(*code) && module.has_code_at(anchor.code)
            }));
        }
    }
}

/// Decodes one random prologue, which contains whole instructions.
fn decode(source: &mut Bytes<'_>) {
    const FORMS: [&[u8]; 10] = [
        &[0x55],
        &[0x41, 0x57],
        &[0x48, 0x83, 0xec, 0x28],
        &[0x48, 0x81, 0xec, 0xff, 0xff, 0xff, 0xff],
        &[0x48, 0x83, 0xc4, 0x80],
        &[0x48, 0x83, 0xe4, 0xc0],
        &[0x48, 0x81, 0xe4, 0, 0xf0, 0xff, 0xff],
        &[0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0],
        &[0xb8, 0xff, 0xff, 0xff, 0xff, 0xe8, 0, 0, 0, 0],
        &[0x48, 0x29, 0xc4],
    ];
    let mut code = Vec::new();
    for _ in 0..source.below(24) {
        if source.one_in(6) {
            code.extend(source.next().to_le_bytes());
        } else {
            code.extend_from_slice(source.pick(&FORMS));
        }
        if source.one_in(4) {
            let at = source.below(code.len() as u64) as usize;
            code[at] = source.next() as u8;
        }
    }
    code.truncate(source.below(code.len() as u64 + 1) as usize);
    let stack = match source.below(3) {
        0 => source.next(),
        1 => u64::MAX - source.below(4096),
        _ => 0x7f00_0000_0000,
    };
    let (first, later) = prologue::decode(&code);
    for prologue in later.into_iter().chain([first]) {
        assert!(prologue.candidates(stack).count() <= 512);
    }
}

/// Runs one case.
pub(crate) fn run(bytes: &[u8]) {
    thread_local! {
        static FUZZER: RefCell<Fuzzer> = RefCell::new(Fuzzer::new());
    }
    let source = &mut Bytes(bytes);
    if source.one_in(8) {
        decode(source);
    } else {
        FUZZER.with_borrow_mut(|fuzzer| fuzzer.walk(source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    #[test]
    fn neither_walk_nor_decoder_panics_or_hangs() {
        const TIME: Duration = Duration::from_secs(2);
        let clock = Clock::new();
        let seed = u64::from(std::process::id()) ^ clock.ticks();
        eprintln!("seed {seed:#018x}");
        let mut state = seed;
        let end = clock.ticks() + clock.ticks_in(TIME);
        let mut cases = 0_u64;
        while clock.ticks() < end {
            let words = random(&mut state) % 256;
            let bytes: Vec<_> = (0..words)
                .flat_map(|_| random(&mut state).to_le_bytes())
                .collect();
            run(&bytes);
            cases += 1;
        }
        eprintln!("{cases} cases");
    }
}
