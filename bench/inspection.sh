#!/usr/bin/env bash
# What it costs to inspect a stuck thread, and what the watchdog costs beside a busy
# service. Both are measured by the crate's own tests: no rival does the like.
set -euo pipefail
cd "$(dirname "$0")/.."

measure() { cargo test --locked --release --quiet "$@" 2>/dev/null; }

echo "## An inspection of a blocked thread"
echo
echo "Medians of 500, in µs. A thread of its own reads the names. *First names* is the"
echo "very first inspection (which reads the executable's symbols), then the first at new code."
echo
measure --lib what_a_capture_costs -- --ignored --nocapture | grep '^|'
echo
echo "### The watchdog"
echo
echo "With a service under one client's load, at the default threshold:"
measure --test exclusive -- watchdog_cost:: --nocapture | grep 'of a core'
