#!/usr/bin/env bash
# What the manifest promises: dependencies that the stated Rust version can
# build, and the oldest tokio. (Clippy's incompatible_msrv checks our own use of
# std; no older toolchain is installed here to build with.)
set -euo pipefail
cd "$(dirname "$0")/.."

cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu |
    python3 ci/msrv.py tower-runtime-health

target=$PWD/target/oldest
oldest=$(sed -n 's/^tokio = { version = "\([0-9.]*\)", default.*/\1/p' Cargo.toml)
source ci/library-copy.sh
cd "$copy"
cargo update --quiet --package tokio --precise "$oldest"
echo "--- tokio $oldest"
CARGO_TARGET_DIR=$target cargo check
