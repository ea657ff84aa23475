#!/bin/sh
# Builds the bench, runs it and writes RESULTS.md, in about a quarter of an hour. Stop
# other work first: the load of the machine is written down, but it cannot be removed
# from the figures. If the medians are far from the minima on an idle machine, something
# outside of it uses the cores as well. Needs valgrind.
set -eu
cd "$(dirname "$0")"

command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
load() { cut -d ' ' -f 1-3 /proc/loadavg; }
version() {
    # The last one: an older version that a dependency uses comes first.
    awk -v name="\"$1\"" '$1 == "name" && $3 == name { getline; found = $3 } END { gsub("\"", "", found); print found }' Cargo.lock
}
commit() {
    git rev-parse --short HEAD 2>/dev/null || return 0
    test -z "$(git status --porcelain -- .. ':!.' 2>/dev/null)" || echo "with changes"
}

export CARGO_TARGET_DIR="$PWD/target"
cargo build --release --locked
RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR="$PWD/target/unstable" \
    cargo build --release --locked --features task-polls --bin task_polls
tables=$(mktemp)
trap 'rm -f "$tables"' EXIT
before=$(load)
part() { echo "$*" >&2; "$CARGO_TARGET_DIR/release/$@" >>"$tables"; }
part tower-runtime-health-bench
CARGO_TARGET_DIR="$CARGO_TARGET_DIR/unstable" part task_polls
part allocations
part instructions
part service
part scrape
part memory
part watchdog
bash inspection.sh >>"$tables"

{
    echo "# What the layer costs"
    echo
    echo "Written by \`bench/run.sh\`; the code says what each contender does. Missed goals"
    echo "are explained in \`ARCHITECTURE.md\`, *What a poll and a request cost*."
    echo
    echo "| | |"
    echo "|---|---|"
    echo "| date | $(date -u +%Y-%m-%d) |"
    echo "| machine | $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u), $(nproc) CPUs$(grep -qw hypervisor /proc/cpuinfo && echo ' of a virtual machine') |"
    echo "| clock source of the system | $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource) |"
    echo "| load average before, after | $before; $(load) |"
    echo "| rustc | $(rustc --version | cut -d ' ' -f 2-) |"
    echo "| profile | release with codegen-units = 1, no LTO, the system's allocator |"
    echo "| valgrind | $(valgrind --version) |"
    echo "| tower-runtime-health | $(version tower-runtime-health), commit $(commit | paste -s -d ' ') |"
    for crate in tokio-metrics tower-http axum-prometheus metrics-exporter-prometheus \
        opentelemetry-instrumentation-tower opentelemetry_sdk opentelemetry-prometheus hotpath \
        console-subscriber dial9 tokio-blocked axum hyper tower http tokio quanta; do
        echo "| $crate | $(version "$crate") |"
    done
    echo
    cat "$tables"
} >RESULTS.md
cat RESULTS.md
