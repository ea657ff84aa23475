"""Fails if a package that the named one needs to build wants a newer Rust than
it promises. Reads `cargo metadata` from standard input."""

import json
import sys


def version(text):
    return tuple(int(part) for part in (text + ".0.0").split(".")[:3])


meta = json.load(sys.stdin)
packages = {package["id"]: package for package in meta["packages"]}
nodes = {node["id"]: node for node in meta["resolve"]["nodes"]}
[root] = [id for id, package in packages.items() if package["name"] == sys.argv[1]]
promised = packages[root]["rust_version"]

needed, todo = set(), [root]
while todo:
    id = todo.pop()
    if id not in needed:
        needed.add(id)
        for dep in nodes[id]["deps"]:
            if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]):
                todo.append(dep["pkg"])

too_new = [
    f"{packages[id]['name']} {packages[id]['version']} needs Rust {packages[id]['rust_version']}"
    for id in needed
    if packages[id]["rust_version"] and version(packages[id]["rust_version"]) > version(promised)
]
print(f"--- {len(needed)} packages, rust-version {promised}: {len(too_new)} too new")
sys.exit("\n".join(too_new) or 0)
