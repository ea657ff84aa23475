//! The computation, and two queues for it: one in the process, one in Redis.

mod cpu;
mod jobs;

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub use cpu::CpuQueue;
pub use jobs::{JobQueue, run_worker};

/// Encodes a video for this long and returns the number of frames.
pub fn encode(time: Duration) -> u64 {
    let started = Instant::now();
    let mut frame: Vec<u8> = (0..64 * 1024).map(|pixel| pixel as u8).collect();
    let mut frames = 0;
    while started.elapsed() < time {
        blur(&mut frame);
        frames += 1;
    }
    black_box(&frame);
    frames
}

#[inline(never)]
fn blur(frame: &mut [u8]) {
    let mut before = 0_u16;
    for pixel in frame {
        before = (before * 3 + u16::from(*pixel)) / 4;
        *pixel = before as u8;
    }
}

/// Computes for as many rounds as take this long on an idle machine.
pub fn compute(time: Duration) {
    black_box(rounds(time.as_millis() as u64 * rounds_in_a_millisecond()));
}

#[inline(never)]
fn rounds(rounds: u64) -> u64 {
    (0..rounds).fold(1, |state, round| black_box(state.wrapping_mul(31) ^ round))
}

/// Measured at the first call.
pub fn rounds_in_a_millisecond() -> u64 {
    const ROUNDS: u64 = 100_000;
    static MEASURED: OnceLock<u64> = OnceLock::new();
    *MEASURED.get_or_init(|| {
        let measure = |_| {
            let started = Instant::now();
            black_box(rounds(ROUNDS));
            started.elapsed()
        };
        let shortest = (0..20).map(measure).min().unwrap_or_default();
        ROUNDS * 1_000_000 / (shortest.as_nanos() as u64).max(1)
    })
}
