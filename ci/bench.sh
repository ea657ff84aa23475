#!/usr/bin/env bash
# The bench builds, is clean, and its contenders do the work they claim. Verdicts on
# times do not gate: the machine's own noise is larger than what they judge; but a
# pool task that costs twice its budget fails it. Instructions do: no more than 3 %
# over bench/budgets.txt.
set -euo pipefail
cd "$(dirname "$0")/../bench"
export CARGO_TARGET_DIR=$PWD/target

step() { printf '\n--- %s\n' "$*"; "$@"; }
bin() { step "$CARGO_TARGET_DIR/release/$@"; }

step cargo fmt --check
step cargo clippy --locked --all-targets -- -D warnings
step cargo test --locked --release --lib
step cargo build --locked --release --bins
bin instructions --check
bin service instructions --check
bin tower-runtime-health-bench --short
bin service cpu --short
bin service latency --short
bin scrape --short
bin memory --short
bin watchdog --short
bin allocations

# The rivals that observe every task of a runtime need tokio's unstable figures.
export RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR=$PWD/target/unstable
step cargo clippy --locked --features task-polls --all-targets -- -D warnings
step cargo build --release --locked --features task-polls --bin task_polls
bin task_polls --short
