#!/usr/bin/env bash
# Checks the protocols of `src/slot` under every interleaving loom knows of.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$PWD/target/loom
source ci/library-copy.sh

cd "$copy"
RUSTFLAGS="--cfg runtime_health_loom" CARGO_TARGET_DIR=$target \
    cargo test --release --lib --no-default-features slot::loom
