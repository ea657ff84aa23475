#!/usr/bin/env bash
# The corpus in builds as services are deployed (in debug `cargo test` runs it):
# in release, and once with fat LTO and panic = "abort", which cargo refuses to
# set for tests, so the compiler is told.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

step cargo test --locked --release --test corpus
host=$(rustc -vV | sed -n 's/^host: //p')
# With a target, what runs in the compiler itself is not built with the flag.
RUSTFLAGS="-C panic=abort" step cargo test --locked --profile corpus-lto --target "$host" \
    --test corpus -- --runs 4
