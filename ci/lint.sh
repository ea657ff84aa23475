#!/usr/bin/env bash
# Format, lints and docs, with warnings denied, on every set of features.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

step cargo fmt --all --check
step bash ci/words.sh
step cargo clippy --locked --workspace --all-targets -- -D warnings
# So the default is all there is; a feature that is not needs a line of its own.
python3 ci/features.py tower-runtime-health
# Of the library alone: with a member beside it that member's features are on, too.
for features in "" axum capture flamegraph prometheus rt-multi-thread runtime-metrics serde server; do
    step cargo clippy --locked -p tower-runtime-health --no-default-features \
        --features "$features" -- -D warnings
done
# The prometheus crate has two sets of types; another crate of the build may
# switch the other one on.
step cargo clippy --locked -p tower-runtime-health --features prometheus/protobuf -- -D warnings
RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR=target/unstable \
    step cargo clippy --locked -p tower-runtime-health --lib -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --locked --no-deps
for config in scrape compose edge; do
    step promtool check config --lint-fatal "dashboards/prometheus/$config.yml"
done
