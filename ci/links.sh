#!/usr/bin/env bash
# Every relative link of every page leads to a file of the tree and to a heading of it.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 ci/links.py
