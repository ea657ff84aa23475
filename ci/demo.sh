#!/usr/bin/env bash
# Runs the demo as a user does and checks what it prints, its metrics page (with promtool),
# how it ends on Ctrl-C, and its message when a port is in use.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "demo: $*" >&2; cat "$out" "$log" >&2; exit 1; }

cargo build --locked --release --example demo
demo=target/release/examples/demo
out=$(mktemp) log=$(mktemp) page=$(mktemp)
pid=
cleanup() { [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -f "$out" "$log" "$page"; }
trap cleanup EXIT

# Starts it on free ports and waits until it has printed them. Its output and its log go to
# separate files, because other threads write the log.
start() {
    "$demo" --app 127.0.0.1:0 --metrics 127.0.0.1:0 "$@" >"$out" 2>"$log" &
    pid=$!
    for _ in $(seq 100); do
        grep -q '^metrics http' "$out" && return
        sleep 0.1
    done
    fail "it did not start"
}

start --for 12
[[ $(sed -n 1p "$out") == "app http://"* ]] || fail "the first line is not the app's address"
[[ $(sed -n 2p "$out") == "metrics http://"* ]] || fail "the second line is not the address of the metrics"
metrics=$(sed -n 's/^metrics //p' "$out")

sleep 6
curl --fail --silent "$metrics/metrics" >"$page"
if ! remarks=$(promtool check metrics <"$page" 2>&1) || [ -n "$remarks" ]; then
    fail "promtool reports: $remarks"
fi
for name in requests_total poll_duration_seconds_bucket blocking_polls_total stalled_polls \
    blocking_queue_wait_seconds_count scheduler_lag_seconds_count worker_busy_seconds_total; do
    grep -q "^runtime_health_$name" "$page" || fail "the metrics page has no $name"
done
wait "$pid" || fail "it exited with an error"
pid=
for route in /hello /ping/terrible /video/inline /lock /slow; do
    grep -q "^$route " "$out" || fail "the table has no row for $route"
done
grep -q 'WARN.*a handler blocks the executor.*route="/ping/terrible"' "$log" || fail "no log event"
cat "$log" "$out"

# Ctrl-C.
start --for 0 --no-traffic
kill -INT "$pid"
wait "$pid" || fail "Ctrl-C did not end it with exit code 0"
pid=

# A port in use: one line with the reason, no panic.
start --for 20 --no-traffic
app=$(sed -n 's,^app http://,,p' "$out")
metrics=$(sed -n 's,^metrics http://,,p' "$out")
for taken in "--app $app --metrics 127.0.0.1:0" "--app 127.0.0.1:0 --metrics $metrics"; do
    # shellcheck disable=SC2086
    if message=$("$demo" $taken 2>&1); then fail "it started on a port in use"; fi
    [[ $(wc -l <<<"$message") == 1 && $message == *"in use"* ]] || fail "it printed: $message"
    echo "$message"
done
