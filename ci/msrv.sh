#!/usr/bin/env bash
# The library builds with the Rust version that Cargo.toml states: with no feature, with the
# default ones, and with all. Installs that toolchain if it is missing, and fails if it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^rust-version = "\([0-9.]*\)"$/\1/p' Cargo.toml)
rustup run "$version" rustc --version ||
    rustup toolchain install "$version" --profile minimal --no-self-update
# What runs is that version, not one that an override chose instead.
rustup run "$version" rustc --version | grep -F "rustc $version."

export CARGO_TARGET_DIR=target/msrv
for features in --no-default-features --features=default --all-features; do
    printf '\n--- %s\n' "$features"
    rustup run "$version" cargo check --locked -p tower-runtime-health --lib "$features"
done
