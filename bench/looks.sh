#!/usr/bin/env bash
# What it costs to look at a stuck thread, and the watchdog to watch a busy
# service: measured inside the crate, where no rival has the like.
set -euo pipefail
cd "$(dirname "$0")/.."

measure() { cargo test --locked --release --quiet "$@" 2>/dev/null; }

echo "## A look at a blocked thread"
echo
echo "Medians of 500, in µs. Names are read by a thread of their own; *first names* is the"
echo "first look of all (with the symbols of the executable), then the first at new code."
echo
measure --lib what_a_look_costs -- --ignored --nocapture | grep '^|'
echo
echo "### The watchdog"
echo
echo "Beside a service under one client's load, at the default threshold:"
measure --test watching -- --nocapture | grep 'of a core'
