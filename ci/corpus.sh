#!/usr/bin/env bash
# The corpus in builds as services are deployed: in release, and once with fat LTO and
# panic = "abort". (`cargo test` runs it in debug.) cargo refuses to set panic = "abort" for
# tests, so the flag goes to the compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    printf '\n--- %s\n' "$*"
    local started=$SECONDS
    "$@"
    printf -- '--- took %d s\n' $((SECONDS - started))
}

step cargo test --locked --release --test corpus
host=$(rustc -vV | sed -n 's/^host: //p')
# With `--target`, build scripts and procedural macros are built without the flag.
RUSTFLAGS="-C panic=abort" step cargo test --locked --profile corpus-lto --target "$host" \
    --test corpus -- --runs 4
