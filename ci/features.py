"""Fails if a package has a feature that is not on by default. Runs `cargo metadata`."""

import json
import subprocess
import sys

command = ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"]
meta = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
[features] = [package["features"] for package in meta["packages"] if package["name"] == sys.argv[1]]

on, todo = set(), ["default"]
while todo:
    name = todo.pop()
    if name in features and name not in on:
        on.add(name)
        todo += features[name]

off = sorted(set(features) - on)
print(f"--- {len(features)} features, not on by default: {', '.join(off) or 'none'}")
sys.exit(bool(off))
