"""Fails if the public API uses a type or trait of another crate that the list does not
allow, or if the list allows one that is not used. Takes rustdoc's JSON and the list. A line
of the list is a path and covers what is below it; std, core and alloc are always allowed."""

import json
import pathlib
import sys

FREE = {"std", "core", "alloc"}


def referred(node):
    """The ids of the types and traits a part of an item names."""
    if isinstance(node, list):
        for part in node:
            yield from referred(part)
    elif isinstance(node, dict):
        if isinstance(node.get("id"), int) and ("path" in node or "source" in node):
            yield node["id"]
        for part in node.values():
            yield from referred(part)


def used(docs):
    """Each external path the public items name, with an item that does."""
    index, paths = docs["index"], docs["paths"]
    skipped = set()
    for item in index.values():
        implementation = item["inner"].get("impl")
        # Auto traits, and what another crate implements for every type.
        if implementation and (implementation["is_synthetic"] or implementation["blanket_impl"]):
            skipped.update([item["id"], *implementation["items"]])
    found = {}
    for item in index.values():
        if item["crate_id"] != 0 or item["id"] in skipped:
            continue
        for id in referred(item["inner"]):
            summary = paths.get(str(id))
            if summary and summary["crate_id"] != 0 and summary["path"][0] not in FREE:
                place = item["span"] and f"{item['span']['filename']}:{item['span']['begin'][0]}"
                found.setdefault("::".join(summary["path"]), place or item["name"])
    return found


def compare(found, allowed):
    """The paths found that nothing allows; what is allowed and not found."""
    covers = lambda prefix, path: path == prefix or path.startswith(prefix + "::")
    refused = {path for path in found if not any(covers(prefix, path) for prefix in allowed)}
    unused = {prefix for prefix in allowed if not any(covers(prefix, path) for path in found)}
    return refused, unused


def main():
    docs = json.loads(pathlib.Path(sys.argv[1]).read_text())
    lines = pathlib.Path(sys.argv[2]).read_text().splitlines()
    allowed = [line for line in lines if line and not line.startswith("#")]
    found = used(docs)
    refused, unused = compare(found, allowed)
    for path in sorted(refused):
        print(f"{found[path]}: {path} is not in {sys.argv[2]}")
    for prefix in sorted(unused):
        print(f"{sys.argv[2]}: the public API does not use {prefix}")
    # The check notices when any one of the lines is missing.
    for prefix in allowed:
        rest = [other for other in allowed if other != prefix]
        if prefix not in unused and not compare(found, rest)[0]:
            sys.exit(f"{sys.argv[2]}: {prefix} is not needed: another line covers it")
    print(f"--- {len(found)} external types and traits, {len(allowed)} lines: {len(refused)} not allowed")
    sys.exit(bool(refused or unused or not found))


main()
