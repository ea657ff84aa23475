#!/usr/bin/env bash
# The tests that need no /proc, for macOS and Windows: the library's own, those over real sockets,
# and whether all else that users build compiles. The documentation's examples are among the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

step cargo test --locked -p tower-runtime-health --lib --no-default-features
step cargo test --locked -p tower-runtime-health --lib --test it
step cargo test --locked -p tower-runtime-health --doc
step cargo build --locked -p tower-runtime-health --examples
