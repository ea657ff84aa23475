#!/usr/bin/env bash
# The README's test command; then what depends on optimisation, in release, and on
# tokio's unstable figures.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

# `ci/corpus.sh` runs each case twenty times, in release: here eight are enough.
RUNTIME_HEALTH_CORPUS_RUNS=8 step cargo test
step cargo test --release --lib --test allocations --test capture_faults --test idle \
    --test pool_saturated --test pool_stuck --test pool_threads --test stuck --test watchdog \
    --test watching
# With tokio's unstable figures: the tests of what reads them.
RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR=target/unstable step cargo test --lib \
    --test blocking_pool --test exporter --test pool_agreement --test pool_saturated \
    --test pool_threads --test readme --test runtime
