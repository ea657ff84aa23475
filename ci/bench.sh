#!/usr/bin/env bash
# The bench builds, is clean, and its contenders do the work they claim. Instructions gate: at
# most 3 % over bench/budgets.txt. Times do not, because the machine's noise is larger than what
# they compare, with one exception: a pool task that costs twice its budget fails.
#
#   ci/bench.sh --untimed   lints, builds and counts: may run beside other work
#   ci/bench.sh --timed     the rest
set -euo pipefail
cd "$(dirname "$0")/../bench"

step() { printf '\n--- %s\n' "$*"; "$@"; }
bin() { step "target/release/$@"; }

untimed() {
    step cargo fmt --check
    # In the profile of the build, so that macros and build scripts are compiled once.
    step cargo clippy --locked --release --all-targets -- -D warnings
    step cargo test --locked --release --lib
    step cargo build --locked --release --bins
    bin instructions --check
    bin service instructions --check
    bin allocations
    # Compiled here; built and run by bench/run.sh.
    RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR=target/unstable \
        step cargo clippy --locked --features task-polls --bin task_polls -- -D warnings
}

timed() {
    bin tower-runtime-health-bench --short
    bin service cpu --short
    bin service latency --short
    bin scrape --short
    bin memory --short
    bin watchdog --short
}

export CARGO_TARGET_DIR=target
case "${1:-}" in
    --untimed) untimed ;;
    --timed) timed ;;
    "") untimed; timed ;;
    *) echo "unknown argument: $1" >&2; exit 2 ;;
esac
