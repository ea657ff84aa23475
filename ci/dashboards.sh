#!/usr/bin/env bash
# The dashboards, rules and alerts: promtool's tests, the jsonnet entry, and live
# data: demos, one of them faulty, a real Prometheus and a real Alertmanager, all
# on loopback and ports of their choice. --keep: leaves them up until Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n--- %s\n' "$*"; "$@"; }

target=${CARGO_TARGET_DIR:-target}
dir=$(mktemp -d)
pid=
cleanup() { [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$dir"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step promtool test rules dashboards/prometheus/tests/*.yml

echo "--- the jsonnet entry"
mixin='((import "dashboards/mixin.libsonnet") + { _config+:: { pollObjective: 0.99 } })'
for dashboard in dashboards/grafana/*.json; do
    jsonnet -e "$mixin.grafanaDashboards['$(basename "$dashboard")']" |
        diff - <(jsonnet "$dashboard") >/dev/null || { echo "not the same as $dashboard"; exit 1; }
done
jsonnet -e "$mixin.prometheusRules" >"$dir/rules.json"
jsonnet -e "$mixin.prometheusAlerts" >"$dir/alerts.json"
grep -q '"expr": "vector(0.99)"' "$dir/rules.json" || { echo "the objective is not taken over"; exit 1; }
promtool check rules "$dir/rules.json" "$dir/alerts.json"

# The first is that of ci/demo.sh; what the second depends on was built for tests.
step cargo build --locked --release --example demo
RUSTFLAGS="--cfg tokio_unstable" CARGO_TARGET_DIR=$target/unstable \
    step cargo build --locked --example demo
step cargo build --locked -p xtask
echo "--- live"
"$target/debug/xtask" live --demo "$target/release/examples/demo" \
    --unstable "$target/unstable/debug/examples/demo" --dir "$dir" "$@" &
pid=$!
wait "$pid"
pid=
