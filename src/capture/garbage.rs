//! Garbage for the walk and for the decoder of prologues: neither may panic,
//! and both must end.
//!
//! A test like the others, for two seconds; `RUNTIME_HEALTH_FUZZ_SECONDS=60
//! cargo test --release --lib capture::garbage -- --nocapture` is the long run.
//! A case is all in its seed, which a failure prints; those that once failed
//! are kept in `corpus/seeds.txt` and tried first.

use std::time::Duration;

use gimli::UnwindContext;

use super::Confidence;
use super::modules::Modules;
use super::prologue;
use super::unwind::{Registers, StackCopy, Unwinder};
use crate::clock::Clock;
use crate::slot::Mark;

/// Seeds of cases that once failed, one a line, with `#` comments.
const CORPUS: &str = include_str!("corpus/seeds.txt");

/// The longest a walk may take: some thousand times what it does, for a
/// machine that is starved and a build that is not optimised.
const LONGEST: Duration = Duration::from_secs(5);

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// What the cases share.
struct Bench {
    modules: Modules,
    context: UnwindContext<usize>,
    /// Addresses of code: of functions, and behind calls.
    code: Vec<u64>,
    clock: Clock,
}

impl Bench {
    fn new() -> Self {
        let mut modules = Modules::default();
        modules.refresh();
        // Real return addresses: of this test's own stack.
        let local = 0_u64;
        let start = &raw const local as u64 & !7;
        let mut bytes = vec![0; 1 << 16];
        let copied = crate::sys::memory::read(start, &mut bytes);
        let words = bytes[..copied].chunks_exact(8);
        let mut code: Vec<_> = words
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .filter(|word| modules.known(*word).is_some())
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

    fn address(&self, random: &mut Random) -> u64 {
        let known = random.pick(&self.code);
        match random.below(4) {
            0 | 1 => known,
            // Nearby: other functions, and the middle of instructions.
            2 => known.wrapping_add(random.below(0x4_0000)),
            _ => known.wrapping_sub(random.below(0x4_0000)),
        }
    }

    fn word(&self, random: &mut Random, start: u64, length: u64) -> u64 {
        match random.below(8) {
            0..3 => self.address(random),
            // Into the same stack: frame pointers, aligned or not.
            3..6 => start.wrapping_add(random.below(length.max(1) * 2) & !7),
            6 => random.pick(&[0, 1, 7, 8, u64::MAX, u64::MAX - 7, 1 << 63, 1 << 47]),
            _ => random.next(),
        }
    }

    /// One walk over a stack of garbage.
    fn walk(&mut self, seed: u64) {
        let random = &mut Random(seed);
        let length = match random.below(8) {
            0 => random.below(64),
            1 => random.below(1 << 17),
            _ => random.below(4096),
        };
        let start = match random.below(8) {
            0 => random.next(),
            1 => u64::MAX - random.below(length + 128),
            2 => random.below(256),
            _ => 0x7f00_0000_0000 + (random.below(1 << 30) & !15),
        };
        let bytes: Vec<u8> = (0..length.div_ceil(8))
            .flat_map(|_| self.word(random, start, length).to_le_bytes())
            .take(length as usize)
            .collect();
        let mark = Mark {
            stack: match random.below(8) {
                0 => random.next(),
                1 => u64::MAX,
                2 => start,
                _ => start.wrapping_add(random.below(length + 64) & !7),
            },
            code: self.address(random),
        };
        let code = match random.below(8) {
            0 => random.pick(&[0, 1, u64::MAX]),
            1 => random.next(),
            _ => self.address(random),
        };
        let registers = if random.one_in(2) {
            Registers::blocked(start, code)
        } else {
            let mut values: Vec<_> = (0..16)
                .map(|number| (number, self.word(random, start, length)))
                .collect();
            values[7].1 = start;
            values.push((16, code));
            Registers::sampled(&values).unwrap()
        };
        let stack = StackCopy { start, bytes };
        let began = self.clock.ticks();
        let mut unwinder = Unwinder {
            modules: &mut self.modules,
            context: &mut self.context,
        };
        let walk = unwinder.walk(registers, &stack, mark);
        let took = self.clock.duration(self.clock.ticks() - began);
        assert!(took < LONGEST, "a walk took {took:?}");
        assert!(walk.frames.len() <= 4096, "{} frames", walk.frames.len());
        if walk.confidence == Confidence::Exact {
            // Only where it has to arrive: at the marker's function.
            let (module, code) = walk.frames.last().unwrap();
            assert!(module.has_code_at(*code) && module.has_code_at(mark.code));
        }
    }
}

/// One prologue of garbage, with whole instructions in it.
fn decode(seed: u64) {
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
    let random = &mut Random(seed);
    let mut code = Vec::new();
    for _ in 0..random.below(24) {
        if random.one_in(6) {
            code.extend(random.next().to_le_bytes());
        } else {
            code.extend_from_slice(random.pick(&FORMS));
        }
        if random.one_in(4) {
            let at = random.below(code.len() as u64) as usize;
            code[at] = random.next() as u8;
        }
    }
    code.truncate(random.below(code.len() as u64 + 1) as usize);
    let stack = match random.below(3) {
        0 => random.next(),
        1 => u64::MAX - random.below(4096),
        _ => 0x7f00_0000_0000,
    };
    assert!(prologue::decode(&code).candidates(stack).count() <= 512);
}

/// Says which case it was if it fails.
struct Case(u64);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "case {:#018x}: add it to src/capture/corpus/seeds.txt",
                self.0
            );
        }
    }
}

fn run(seed: u64, bench: &mut Bench) {
    let case = Case(seed);
    bench.walk(seed);
    decode(seed);
    drop(case);
}

#[test]
fn neither_walk_nor_decoder_panics_or_hangs() {
    let mut bench = Bench::new();
    let kept = CORPUS
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty());
    for line in kept {
        let seed = u64::from_str_radix(line.trim_start_matches("0x"), 16);
        run(seed.expect("a seed in hexadecimal"), &mut bench);
    }

    let seconds = std::env::var("RUNTIME_HEALTH_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(2, |text| text.parse().expect("a number of seconds"));
    let seed = u64::from(std::process::id()) ^ bench.clock.ticks();
    eprintln!("seed {seed:#018x}, for {seconds} s");
    let mut seeds = Random(seed);
    let end = bench.clock.ticks() + bench.clock.ticks_in(Duration::from_secs(seconds));
    let mut cases = 0_u64;
    while bench.clock.ticks() < end {
        run(seeds.next(), &mut bench);
        cases += 1;
    }
    eprintln!("{cases} cases");
    assert!(cases > 0 || seconds == 0);
}
