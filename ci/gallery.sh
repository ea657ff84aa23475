#!/usr/bin/env bash
# Tests the gallery with real PostgreSQL and Redis: the verdict on every row, over HTTP and in a
# real browser, and the command `compare`.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

# Rows are timed, so the build and the servers' start come before the tests, which run one at a time.
build=(cargo test --locked -p gallery)
step "${build[@]}" --no-run
services=$(examples/gallery/services.sh start)
trap 'examples/gallery/services.sh stop' EXIT
eval "$services"
step "${build[@]}" -- --test-threads=1 --nocapture
examples/gallery/services.sh stop
[ ! -e target/gallery-services ] || { echo "services.sh stop did not remove its directory" >&2; exit 1; }
