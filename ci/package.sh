#!/usr/bin/env bash
# The package can be published: cargo has nothing to say against it, and it has every file
# that the README and the guide link to. Other scripts build and test what is in it.
set -euo pipefail
cd "$(dirname "$0")/.."

package=(-p tower-runtime-health --locked --allow-dirty)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo package "${package[@]}" --no-verify 2>&1 | tee "$log"
# The tests stay out of the package, and the manifest has no address until there is one.
if grep -E '^(warning|error)' "$log" |
    grep -vE '^warning: ignoring test `[a-z_]+` as `tests/[a-z_/.]+` is not included in the published package$' |
    grep -vxF 'warning: manifest has no documentation, homepage or repository'; then
    echo "cargo warns of the package"
    exit 1
fi
cargo package "${package[@]}" --list | python3 ci/links.py --packaged
