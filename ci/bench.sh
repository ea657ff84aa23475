#!/usr/bin/env bash
# The bench builds, is clean, and its contenders do the work they claim. Its
# verdicts do not gate: the machine's own noise is larger than what they judge. But
# a pool task that costs twice its budget fails it.
set -euo pipefail
cd "$(dirname "$0")/../bench"

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
cargo run --locked --release -- --short
