#!/usr/bin/env bash
# The public API uses only those types of other crates that ci/external-types.txt allows.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# The stable rustdoc writes JSON, too, when told that it may. Only rustdoc is told: some build
# scripts would do something else, and every dependency would be built again.
cat >"$dir/rustdoc" <<'END'
#!/bin/sh
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
END
chmod +x "$dir/rustdoc"
docs=target/doc/tower_runtime_health.json
# Never the one of an earlier run.
rm -f "$docs"
RUSTDOC=$dir/rustdoc CARGO_TARGET_DIR=target cargo rustdoc --locked -p tower-runtime-health --lib \
    --all-features -- -Z unstable-options --output-format json
python3 ci/external_types.py "$docs" ci/external-types.txt
