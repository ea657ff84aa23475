#!/usr/bin/env bash
# What a fleet costs a real Prometheus: it scrapes synthetic instances
# (src/bin/fleet.rs) every 15 s, with the rules and alerts of dashboards/prometheus, at
# detail full and lean. Prints a table and takes twice the seconds given. Needs
# prometheus and jq.
#
#   bench/fleet.sh [INSTANCES [ROUTES [SECONDS]]]
set -euo pipefail
cd "$(dirname "$0")"

instances=${1:-20} routes=${2:-500} seconds=${3:-360}
target=${CARGO_TARGET_DIR:-$PWD/target}
cargo build --quiet --release --locked --bin fleet

dir=$(mktemp -d)
pids=()
end() { [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true; wait; pids=(); }
trap 'end; rm -rf "$dir"' EXIT

ask() { curl --fail --silent --get "$url/api/v1/query" --data-urlencode "query=$1" | jq -r '.data.result[0].value[1] // "-"'; }

# Runs at one detail and prints a column's values, one a line.
measure() {
    rm -rf "${dir:?}"/*
    : >"$dir/addresses"
    # They end with this shell.
    setpriv --pdeathsig TERM "$target/release/fleet" "$instances" "$routes" "$1" >>"$dir/addresses" &
    pids+=($!)
    until [ "$(wc -l <"$dir/addresses")" = "$instances" ]; do sleep 0.1; done
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    url=http://127.0.0.1:$port
    {
        printf 'global: {scrape_interval: 15s, evaluation_interval: 15s}\n'
        printf 'rule_files: ["%s/../dashboards/prometheus/rules.yml", "%s/../dashboards/prometheus/alerts.yml"]\n' "$PWD" "$PWD"
        printf 'scrape_configs:\n'
        printf -- '- {job_name: self, static_configs: [{targets: ["127.0.0.1:%s"]}]}\n' "$port"
        printf -- '- {job_name: fleet, static_configs: [{targets: [%s]}]}\n' "$(sed 's/.*/"&"/' "$dir/addresses" | paste -sd,)"
    } >"$dir/prometheus.yml"
    setpriv --pdeathsig TERM prometheus --config.file="$dir/prometheus.yml" --web.listen-address="127.0.0.1:$port" \
        --storage.tsdb.path="$dir/data" 2>"$dir/prometheus.log" &
    pids+=($!)
    sleep "$seconds"
    curl --fail --silent --output "$dir/page" --write-out '%{time_total}' "http://$(head -1 "$dir/addresses")/metrics" >"$dir/time"
    ask 'max(scrape_samples_scraped{job="fleet"})'
    du -k --apparent-size "$dir/page" | cut -f1
    ask 'round(1000 * quantile(0.5, scrape_duration_seconds{job="fleet"}))'
    ask 'round(1000 * max(scrape_duration_seconds{job="fleet"}))'
    ask 'prometheus_tsdb_head_series'
    ask 'count({__name__=~"instance.*:.+|job:.+|fleet:.+"})'
    ask 'round(max_over_time(process_resident_memory_bytes{job="self"}[5m]) / 1048576)'
    ask 'round(100 * rate(process_cpu_seconds_total{job="self"}[3m]), 0.1)'
    ask 'round(1000 * sum(prometheus_rule_group_last_duration_seconds))'
    ask 'round(1000 * max(prometheus_rule_group_last_duration_seconds))'
    end
}

names=(
    "series of an instance" "its page, KiB" "scrape, ms, median" "scrape, ms, worst"
    "series in Prometheus, its own included" "of these recorded" "memory of Prometheus, MiB"
    "CPU of Prometheus, % of a core" "evaluation of all rules, ms" "slowest group, ms"
)
mapfile -t full < <(measure full)
mapfile -t lean < <(measure lean)
echo "$instances instances of $routes routes, every 15 s, after $seconds s:"
echo
echo "| | full | lean |"
echo "|---|---|---|"
for at in "${!names[@]}"; do echo "| ${names[at]} | ${full[at]} | ${lean[at]} |"; done
