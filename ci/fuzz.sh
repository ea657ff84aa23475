#!/usr/bin/env bash
# Fuzzes the walk up a stack and the decoder of prologues, for so many seconds,
# beginning with the inputs kept in fuzz/corpus.
#
#   ci/fuzz.sh [seconds]   60 unless told
#   ci/fuzz.sh --keep      adds what runs since have found to fuzz/corpus
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

cargo fmt --check
# What `cargo fuzz` passes, but for what needs a nightly compiler.
coverage=(-C passes=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=(-C "llvm-args=-sanitizer-coverage-$option")
done
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="${coverage[*]} -C codegen-units=1 --cfg runtime_health_fuzz" \
    cargo build --locked --release --target "$host"
walk=target/$host/release/walk
found=target/found
mkdir -p "$found"

if [ "${1:-}" = --keep ]; then
    exec "$walk" -merge=1 corpus/walk "$found"
fi
# Prints the input and where it was saved if it fails. Lines of progress only
# for what is new tell nothing here.
"$walk" -max_total_time="${1:-60}" -timeout=20 -max_len=4096 -artifact_prefix=target/ \
    -print_final_stats=1 "$found" corpus/walk 2>&1 | grep -v '^#[0-9]*[[:space:]]*\(NEW\|REDUCE\|RELOAD\)'
