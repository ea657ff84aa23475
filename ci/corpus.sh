#!/usr/bin/env bash
# The corpus in builds as services are deployed: in release, and once with fat LTO and
# `panic = "abort"`. (In debug, `cargo test` runs it.)
#
#   ci/corpus.sh --build   builds only
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

if [ "${1:-}" = --build ]; then
    release=(--no-run) lto=(--no-run)
else
    release=() lto=(-- --runs 4)
fi
step cargo test --locked --release --test corpus "${release[@]}"
host=$(rustc -vV | sed -n 's/^host: //p')
# Cargo refuses to set `panic` for tests, so the compiler is told. Because of the target, what
# runs in the compiler itself is built without the flag.
RUSTFLAGS="-C panic=abort" step cargo test --locked --profile corpus-lto --target "$host" \
    --test corpus "${lto[@]}"
