#!/usr/bin/env bash
# The README's test command; then what depends on optimisation, in release;
# then everything again with tokio's unstable figures.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

step cargo test
step cargo test --release --test allocations --test idle --test stuck --test watchdog
RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR=target/unstable step cargo test --tests
