#!/usr/bin/env bash
# The README's test command, in debug. Then what depends on optimisation, in release, and what
# reads tokio's unstable figures, with `tokio_unstable`.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    printf '\n--- %s\n' "$*"
    local started=$SECONDS
    "$@"
    printf -- '--- took %d s\n' $((SECONDS - started))
}

# filtered FILTER... -- ARGUMENT...: runs the tests whose names contain one of the filters.
# `cargo test` succeeds if a filter matches no test. This fails.
filtered() {
    local filters=() filter tests
    while [ "$1" != -- ]; do
        filters+=("$1")
        shift
    done
    shift
    tests=$(cargo test "$@" -- --list)
    for filter in "${filters[@]}"; do
        if ! grep -q -- "$filter.*: test\$" <<<"$tests"; then
            echo "cargo test $*: no test matches $filter" >&2
            return 1
        fi
    done
    step cargo test "$@" -- "${filters[@]}"
}

# `ci/corpus.sh` runs each case twenty times in release. In debug, eight times are enough.
RUNTIME_HEALTH_CORPUS_RUNS=8 step cargo test

step cargo test --release --lib --test allocations --test capture_faults --test exclusive

export RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR=target/unstable
# Alone, because the threads of other tests would delay the samples that it compares.
filtered agreement_tests:: -- --lib
step cargo test --lib --test readme -- --skip agreement_tests::
filtered blocking_pool:: metrics_page:: pool_saturated:: pool_threads:: runtime:: -- --test exclusive
