#!/usr/bin/env bash
# The demo as a user runs it: what it prints, what promtool says to its page,
# how it ends on Ctrl-C and with a port in use.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "demo: $*" >&2; cat "$out" "$log" >&2; exit 1; }

cargo build --locked --release --example demo
demo=target/release/examples/demo
out=$(mktemp) log=$(mktemp) page=$(mktemp)
pid=
cleanup() { [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -f "$out" "$log" "$page"; }
trap cleanup EXIT

# Starts it on free ports and waits until it has said which. What it prints
# and what it logs are kept apart: events come from threads of their own.
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
[[ $(sed -n 1p "$out") == "app http://"* ]] || fail "its first line is not the app's"
[[ $(sed -n 2p "$out") == "metrics http://"* ]] || fail "its second line is not the metrics'"
metrics=$(sed -n 's/^metrics //p' "$out")

sleep 6
curl --fail --silent "$metrics/metrics" >"$page"
if ! remarks=$(promtool check metrics <"$page" 2>&1) || [ -n "$remarks" ]; then
    fail "promtool says: $remarks"
fi
for name in requests_total poll_duration_seconds_bucket blocking_polls_total stalled_polls \
    blocking_queue_wait_seconds_count scheduler_lag_seconds_count worker_busy_seconds_total; do
    grep -q "^runtime_health_$name" "$page" || fail "no $name on its page"
done
wait "$pid" || fail "it ended with an error"
pid=
for route in /hello /ping/terrible /video/inline /lock /slow; do
    grep -q "^$route " "$out" || fail "no row for $route in its table"
done
grep -q 'WARN.*a handler blocks the executor.*route="/ping/terrible"' "$log" || fail "no log event"
cat "$log" "$out"

# Ctrl-C.
start --for 0 --no-traffic
kill -INT "$pid"
wait "$pid" || fail "Ctrl-C did not end it cleanly"
pid=

# A port in use: one line, no panic.
start --for 20 --no-traffic
app=$(sed -n 's,^app http://,,p' "$out")
metrics=$(sed -n 's,^metrics http://,,p' "$out")
for taken in "--app $app --metrics 127.0.0.1:0" "--app 127.0.0.1:0 --metrics $metrics"; do
    # shellcheck disable=SC2086
    if message=$("$demo" $taken 2>&1); then fail "it started on a port in use"; fi
    [[ $(wc -l <<<"$message") == 1 && $message == *"in use"* ]] || fail "it said: $message"
    echo "$message"
done
