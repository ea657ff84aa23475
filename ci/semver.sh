#!/usr/bin/env bash
# No incompatible change of the public API without a new version: compares it with the tag of
# the last version. Installs cargo-semver-checks if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Without the tags every version would be the first one.
if [ "$(git rev-parse --is-shallow-repository)" != false ]; then
    echo "the clone has not the whole history: fetch it with its tags"
    exit 1
fi
version=$(sed -n 's/^version = "\([0-9.]*\)"$/\1/p' Cargo.toml)
baseline=$(git tag --list 'v[0-9]*' --merged HEAD --sort -version:refname | head -n 1)
if [ -z "$baseline" ]; then
    if [ "$version" != 0.1.0 ]; then
        echo "version $version has no tag of an earlier one to be compared with"
        exit 1
    fi
    echo "--- version $version is the first one: there is no API to be compatible with"
    exit 0
fi
echo "--- version $version, compared with $baseline"
command -v cargo-semver-checks >/dev/null || cargo install --locked cargo-semver-checks
cargo semver-checks --package tower-runtime-health --all-features --baseline-rev "$baseline"
