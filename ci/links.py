"""Fails where a relative link of a Markdown page leads to no file of the tree, to no
heading of that file, or by a label that the page does not define. A link to the sources of
the published package counts as one to the file.

With --packaged, reads from standard input which files a package has, and fails where the
README or the guide links to another one."""

import pathlib
import re
import subprocess
import sys
import urllib.parse

FENCE = re.compile(r"^( *)(```+|~~~+).*?^ *\2 *$", re.S | re.M)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.S)
INLINE = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINED = re.compile(r"^ {0,3}\[([^\]]+)\]:[ \t]*(\S+)", re.M)
USED = re.compile(r"\[([^\[\]]+)\]\[([^\[\]]*)\]")
HTML = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=\"([^\"]+)\"")

SOURCE = "https://docs.rs/crate/tower-runtime-health/latest/source/"


def blank(match):
    """As much text without links, so that lines stay the same."""
    return re.sub(r"[^\n]", "x", match[0])


def anchors(text):
    """The names by which the forges link to headings."""
    found, seen = set(), {}
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)? *$", FENCE.sub(blank, text), re.M):
        words = re.sub(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        found.add(f"{name}-{count}" if count else name)
    found.update(re.findall(r"<[^>]+\b(?:id|name)=\"([^\"]+)\"", text))
    return found


def broken(path, tree, read):
    """Line and reason of each link of the page that leads nowhere. `tree` has the files and
    folders, `read` gives the text of one."""
    text = read(path)
    # Code inside a link's text is not needed for where the link leads.
    prose = CODE.sub(blank, FENCE.sub(blank, text))
    line = lambda at: text.count("\n", 0, at) + 1
    labels = {label.lower() for label, _ in DEFINED.findall(text)}
    # In the text as written: a label may be code, as in [`this`][].
    for match in USED.finditer(FENCE.sub(blank, text)):
        if prose[match.start()] == "[" and (match[2] or match[1]).lower() not in labels:
            yield line(match.start()), f"no label [{match[2] or match[1]}]"
    targets = [(match.start(), match[1]) for match in [*INLINE.finditer(prose), *HTML.finditer(prose)]]
    targets += [(match.start(), match[2]) for match in DEFINED.finditer(prose)]
    for at, target in targets:
        target = target.replace(SOURCE, "/")
        if re.match(r"[a-z][a-z0-9+.-]*:|//", target):
            continue
        name, _, anchor = urllib.parse.unquote(target).partition("#")
        parts = [] if name.startswith("/") else list(pathlib.PurePosixPath(path).parent.parts)
        for part in pathlib.PurePosixPath(name.lstrip("/")).parts:
            if part != "..":
                parts.append(part)
            elif parts:
                parts.pop()
            else:
                parts = ["outside of the tree"]
                break
        file = "/".join(parts) if name else path
        if file not in tree:
            yield line(at), f"{target}: no such file"
        elif anchor and file.endswith(".md") and anchor not in anchors(read(file)):
            yield line(at), f"{target}: no such heading"


def self_test():
    pages = {
        "README.md": "# A `b` c!\n[1](#a-b-c) [2](docs/x.md#y) [3][l] ![4](p.png) `[5](not)`\n\n[l]: docs/x.md\n",
        "docs/x.md": "## Y\n## Y\n[1](#y-1) [2](../README.md#a-b-c)\n```\n# z\n[3](not)\n```\n",
        "bad.md": "[1](not.md)\n[2](docs/x.md#z)\n[3][none]\n[4](../up.md)\n[5]: not.png\n<img src=\"not.png\">\n[`k`](docs/not.md)\n"
        f"[8]({SOURCE}not.rs)\n[9]({SOURCE}docs/x.md)\n",
    }
    tree = {*pages, "p.png"}
    for page in ["README.md", "docs/x.md"]:
        if found := list(broken(page, tree, pages.get)):
            sys.exit(f"sound links are refused: {page}: {found}")
    lines = sorted(line for line, _ in broken("bad.md", tree, pages.get))
    if lines != [1, 2, 3, 4, 5, 6, 7, 8]:
        sys.exit(f"broken links are not found: only lines {lines}")


def main():
    self_test()
    packaged = sys.argv[1:] == ["--packaged"]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    if packaged:
        listed = sys.stdin.read().splitlines()
    files = [path for path in listed if pathlib.Path(path).exists()]
    tree = {*files, *(str(parent) for path in files for parent in pathlib.PurePosixPath(path).parents)}
    # Fragments of a page that xtask or the gallery puts together lie elsewhere than they end.
    pages = [path for path in files if path.endswith(".md") and not path.startswith("examples/gallery/src/")]
    if packaged:
        # What the others say of tests and of the bench needs the tree.
        pages = [path for path in pages if path == "README.md" or path.startswith("docs/")]
    required = {"README.md", "COMPARE.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"}
    if missing := required - set(files):
        sys.exit(f"no {', '.join(sorted(missing))}")
    count = 0
    for page in pages:
        for line, reason in sorted(broken(page, tree, lambda path: pathlib.Path(path).read_text())):
            print(f"{page}:{line}: {reason}")
            count += 1
    print(f"--- {len(pages)} pages: {count} broken links")
    sys.exit(count > 0)


main()
