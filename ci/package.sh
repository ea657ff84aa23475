#!/usr/bin/env bash
# The package as the registry would get it: cargo warns of nothing but the address of the
# repository, which is not known, and the package has every page and every file that the
# README and the guide link to. Other scripts build and test what is in it.
set -euo pipefail
cd "$(dirname "$0")/.."

package=(--locked --allow-dirty -p tower-runtime-health)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cargo publish --dry-run --no-verify "${package[@]}" 2>&1 | tee "$scratch/log"
if grep -E '^(warning|error)' "$scratch/log" |
    grep -vx -e 'warning: manifest has no documentation, homepage or repository' \
        -e 'warning: aborting upload due to dry run'; then
    echo "cargo warns of the package"
    exit 1
fi

cargo package --list "${package[@]}" >"$scratch/files"
for page in README.md ARCHITECTURE.md CHANGELOG.md COMPARE.md CONTRIBUTING.md SECURITY.md LICENSE \
    $(git ls-files 'docs/*.md' ':(glob)examples/*.rs' dashboards/README.md dashboards/RUNBOOK.md); do
    grep -qxF "$page" "$scratch/files" || { echo "$page is not in the package"; exit 1; }
done
python3 ci/links.py --packaged <"$scratch/files"
