#!/usr/bin/env bash
# Installs what the checks need beside the Rust toolchain: promtool, from
# Debian's prometheus. Needs root only when it is missing.
set -euo pipefail

if ! command -v promtool >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends prometheus >/dev/null
fi
promtool --version | head -1
