#!/usr/bin/env bash
# Licences, sources and duplicates of the dependency tree. Advisories need a
# database from the network: `cargo deny check advisories` at home.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-deny >/dev/null; then
    cargo install --quiet --locked cargo-deny
fi
cargo deny --all-features check bans licenses sources
