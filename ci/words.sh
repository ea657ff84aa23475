#!/usr/bin/env bash
# Old names and phrases are gone from the sources and the pages: ci/words.txt says which.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 ci/words.py
