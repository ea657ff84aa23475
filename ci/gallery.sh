#!/usr/bin/env bash
# The gallery with real PostgreSQL and Redis: the verdict on every row, over HTTP and in a
# real browser; the quoted comparison.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

# So that only one thing runs at a time: each row is timed.
build=(cargo test --locked -p gallery)
step "${build[@]}" --no-run
services=$(examples/gallery/services.sh start)
trap 'examples/gallery/services.sh stop' EXIT
eval "$services"
step "${build[@]}" -- --test-threads=1 --nocapture
examples/gallery/services.sh stop
[ ! -e target/gallery-services ] || { echo "the services left something behind" >&2; exit 1; }
