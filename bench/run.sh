#!/bin/sh
# Builds the bench, runs it, and writes RESULTS.md. Stop other work before: the
# load of the machine is written down, but cannot be taken out of the figures.
# Where the medians are far from the least samples on an idle machine, something
# outside of it uses the cores too.
set -eu
cd "$(dirname "$0")"

load() { cut -d ' ' -f 1-3 /proc/loadavg; }
version() {
    # The last one: where others use an older one, it comes first.
    awk -v name="\"$1\"" '$1 == "name" && $3 == name { getline; found = $3 } END { gsub("\"", "", found); print found }' Cargo.lock
}
commit() {
    git rev-parse --short HEAD 2>/dev/null || return 0
    test -z "$(git status --porcelain -- .. ':!.' 2>/dev/null)" || echo "with changes"
}

export CARGO_TARGET_DIR="$PWD/target"
cargo build --release --locked
tables=$(mktemp)
trap 'rm -f "$tables"' EXIT
before=$(load)
"$CARGO_TARGET_DIR/release/tower-runtime-health-bench" >"$tables"

{
    echo "# What the layer costs"
    echo
    echo "Written by \`bench/run.sh\`; the code says what each contender does."
    echo
    echo "| | |"
    echo "|---|---|"
    echo "| date | $(date -u +%Y-%m-%d) |"
    echo "| machine | $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u), $(nproc) CPUs$(grep -qw hypervisor /proc/cpuinfo && echo ' of a virtual machine') |"
    echo "| clock source of the system | $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource) |"
    echo "| load average before, after | $before; $(load) |"
    echo "| rustc | $(rustc --version | cut -d ' ' -f 2-) |"
    echo "| profile | release with codegen-units = 1, no LTO, the system's allocator |"
    echo "| tower-runtime-health | $(version tower-runtime-health), commit $(commit | paste -s -d ' ') |"
    for crate in tokio-metrics axum-prometheus metrics-exporter-prometheus axum tower http tokio quanta; do
        echo "| $crate | $(version "$crate") |"
    done
    echo
    cat "$tables"
    echo
    bash looks.sh
} >RESULTS.md
cat RESULTS.md
