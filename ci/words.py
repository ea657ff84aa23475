"""Fails where the text of the project has a name or a phrase of ci/words.txt. Prints each
place and what to write instead."""

import pathlib
import re
import subprocess
import sys

# Not the changelog, which names what was renamed.
TREES = ["src", "xtask/src", "examples", "docs", "dashboards/*.md", "*.md", ":!CHANGELOG.md"]


def load(path):
    words = []
    for line in pathlib.Path(path).read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, instead, example = line.split("\t")
            words.append((re.compile(pattern), instead, example))
    return words


def hits(text, words):
    """Line, phrase and replacement. A phrase may continue on the next line of a comment."""
    # Of the same length, so that positions stay those of the text.
    joined = re.sub(r"\n[ \t]*(?://[/!]?)?[ \t]?", lambda gap: " " + "\0" * (len(gap[0]) - 1), text)
    positions = [at for at, char in enumerate(joined) if char != "\0"]
    joined = joined.replace("\0", "")
    for pattern, instead, _ in words:
        for match in pattern.finditer(joined):
            yield text.count("\n", 0, positions[match.start()]) + 1, match[0], instead


def self_test(words):
    for word in words:
        if not list(hits(word[2], [word])):
            sys.exit(f"{word[0].pattern!r} does not find its example {word[2]!r}")
    planted = "/// It says\n    /// who\n    /// holds the threads of a HealthLayer.\n"
    found = [(line, phrase) for line, phrase, _ in hits(planted, words)]
    if sorted(found) != [(2, "who holds"), (3, "HealthLayer")]:
        sys.exit(f"the planted phrases are not found: {found}")
    if list(hits("/// A RuntimeHealthLayer; Times the worker parked.\n", words)):
        sys.exit("a text without old words is refused")


def main():
    words = load("ci/words.txt")
    self_test(words)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *TREES],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()
    files = [path for path in map(pathlib.Path, listed) if path.suffix in (".rs", ".md") and path.exists()]
    if len(files) < 200:
        sys.exit(f"only {len(files)} files to search")
    count = 0
    for path in files:
        for line, phrase, instead in sorted(hits(path.read_text(), words)):
            print(f"{path}:{line}: {phrase!r}: {instead}")
            count += 1
    print(f"--- {len(words)} phrases in {len(files)} files: {count} hits")
    sys.exit(count > 0)


main()
