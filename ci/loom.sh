#!/usr/bin/env bash
# Checks the lock-free protocols under every interleaving loom knows of; then breaks each
# protocol, one ordering at a time, and requires that its model notices.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$PWD/target/loom
mutations=$PWD/ci/loom_mutations.py
source ci/library-copy.sh

cd "$copy"
export RUSTFLAGS="--cfg runtime_health_loom" CARGO_TARGET_DIR=$target CARGO_PROFILE_RELEASE_DEBUG=0
# One file changes from build to build.
export CARGO_INCREMENTAL=1
models=(cargo test --release --lib --no-default-features)
"${models[@]}" loom | tee models.txt
# Of every module that has models, some were run.
for module in $(find src -name loom.rs -printf '%h\n' | sed 's|^src/||; s|/|::|g'); do
    grep -q "^test $module::loom::.* ok$" models.txt || { echo "no model of $module was run"; exit 1; }
done
python3 "$mutations" "${models[@]}"
