#!/usr/bin/env bash
# Builds what the timed checks run, so that none of them competes with a compiler. They pass the
# same arguments to cargo: what is missing here is built there, only later.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

# ci/test.sh
step cargo test --no-run
step cargo test --no-run --release --lib --test allocations --test capture_faults --test exclusive
# ci/corpus.sh
bash ci/corpus.sh --build
# ci/demo.sh, ci/dashboards.sh
step cargo build --locked --release --example demo
step cargo build --locked -p xtask
# ci/gallery.sh
step cargo test --no-run --locked -p gallery
# ci/test.sh and ci/dashboards.sh, with tokio's unstable figures
export RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR=target/unstable
step cargo test --no-run --lib --test readme
step cargo test --no-run --test exclusive
step cargo build --locked --example demo
