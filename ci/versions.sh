#!/usr/bin/env bash
# What the manifest promises: dependencies that the stated Rust version can build, and the
# oldest versions it allows. (Clippy's incompatible_msrv checks our own use of std;
# ci/msrv.sh builds with that toolchain where it can be had.)
set -euo pipefail
cd "$(dirname "$0")/.."

cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu |
    python3 ci/msrv.py tower-runtime-health
bash ci/minimal-versions.sh
