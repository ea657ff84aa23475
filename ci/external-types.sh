#!/usr/bin/env bash
# The public API uses only those types of other crates that ci/external-types.txt allows.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=$PWD/target/external-types
docs=$CARGO_TARGET_DIR/doc/tower_runtime_health.json
# Never the one of an earlier run.
rm -f "$docs"
# The stable compiler writes JSON, too, when told that it may.
RUSTC_BOOTSTRAP=1 cargo rustdoc --locked --lib --all-features -- -Z unstable-options --output-format json
python3 ci/external_types.py "$docs" ci/external-types.txt
