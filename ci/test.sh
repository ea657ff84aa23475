#!/usr/bin/env bash
# The README's test command; the dashboards against the table of metrics; what depends on optimisation, in release;
# then everything again with tokio's unstable figures, the corpus in short.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

step cargo test
step cargo test --locked -p xtask
step cargo test --release --lib --test allocations --test capture_faults --test idle \
    --test pool_saturated --test pool_stuck --test pool_threads --test stuck --test watchdog \
    --test watching
export RUNTIME_HEALTH_CORPUS_RUNS=2
RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR=target/unstable step cargo test --tests
