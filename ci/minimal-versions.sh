#!/usr/bin/env bash
# The library builds with the oldest version of each dependency that its manifest allows.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$PWD/target/oldest
source ci/library-copy.sh

cd "$copy"
# The flag is unstable in cargo, and takes any toolchain that is told to allow it.
RUSTC_BOOTSTRAP=1 cargo update --quiet -Z direct-minimal-versions
oldest=$(sed -n 's/^tokio = { version = "\([0-9.]*\)", default.*/\1/p' Cargo.toml)
cargo tree --depth 1 --edges normal --all-features | tee tree.txt
grep -q "tokio v$oldest" tree.txt || { echo "tokio is not at its oldest version, $oldest"; exit 1; }
CARGO_TARGET_DIR=$target cargo check --all-features
