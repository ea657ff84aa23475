#!/usr/bin/env bash
# Installs what the checks need beside the Rust toolchain: curl, Python, and
# promtool from Debian's prometheus. Needs root only if one is missing.
set -euo pipefail

missing=()
for tool in curl:curl promtool:prometheus python3:python3; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
promtool --version | head -1
