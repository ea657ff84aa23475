#!/usr/bin/env bash
# Licences, sources and duplicates of the dependency tree. Advisories need a
# database from the network: `cargo deny check advisories` at home.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-deny >/dev/null; then
    # Unoptimised: it is built to be run once.
    cargo install --quiet --locked --debug cargo-deny
fi
cargo deny --all-features check bans licenses sources
