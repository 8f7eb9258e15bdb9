#!/usr/bin/env python3
"""House rules that a machine can check. Usage: check.py PROJECT_ROOT; exit 1 when one is broken.

Each rule is a function from the project's files to a list of findings ("file:line: what").
"""

import re
import sys
from pathlib import Path

FUNCTION_LINES_MAX = 100
FILE_LINES_MAX = 900

# The rooms of storage/, from the ground: each may use those before it. What a store is made of (storage/core.h) is seen by all.
STORAGE_ROOMS = ["db", "jobs", "repositories", "blobs", "images", "lifecycle", "upkeep"]
STORAGE = [f"storage/{room}" for room in STORAGE_ROOMS]

# Folder -> the folders whose headers it may include (itself always).
MAY_INCLUDE = {
    "protocol": [],
    "storage": [*STORAGE, "protocol"],
    **{f"storage/{room}": [*STORAGE[:floor], "protocol"] for floor, room in enumerate(STORAGE_ROOMS)},
    "server/http": ["protocol"],
    "server/registry": ["server", "server/http", "storage", *STORAGE, "protocol"],
    "server/ecr": ["server", "server/http", "storage", *STORAGE, "protocol"],
    "server/admin": ["server", "server/http", "storage", *STORAGE, "protocol"],
    "server": ["server/http", "server/registry", "server/ecr", "server/admin", "storage", *STORAGE, "protocol"],
    "server/archive": ["server", "server/http", "storage", *STORAGE, "protocol"],
    "server/upkeep": ["server", "server/admin", "server/archive", "storage", *STORAGE, "protocol"],
    "server/policy": ["server", "storage", *STORAGE, "protocol"],
    "server/explain": ["server", "storage", *STORAGE, "protocol"],
}

# Header of a library -> the only folders that may use it.
LIBRARY_HOMES = {
    r"event2/": ["server/http"],
    r"llhttp": ["server/http"],
    r"openssl/(ssl|x509)": ["server/http"],
    r"sqlite3": ["storage", *STORAGE],
    r"cjson/": ["protocol", "server/ecr", "server/admin"],
    r"zlib": ["server/http", "server/archive", *STORAGE],
}

BANNED = r"\b(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|alloca|gmtime|localtime)\s*\("


def sources(root):
    for folder in ("protocol", "storage", "server", "tests"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            yield path


def folder_of(path, root):
    return str(path.parent.relative_to(root))


def numbered(path):
    return enumerate(path.read_text(encoding="utf-8").splitlines(), 1)


def check_includes(root):
    for path in sources(root):
        folder = folder_of(path, root)
        allowed = MAY_INCLUDE.get(folder)
        if allowed is None:
            continue
        for number, line in numbered(path):
            match = re.match(r'#include "(.+)/[^/]+"', line)
            shared = folder in STORAGE and line == '#include "storage/core.h"'
            if match and match[1] != folder and match[1] not in allowed and not shared:
                yield f"{path}:{number}: {folder} must not include from {match[1]}"


def check_libraries(root):
    for path in sources(root):
        folder = folder_of(path, root)
        if folder not in MAY_INCLUDE:
            continue
        for number, line in numbered(path):
            match = re.match(r'#include [<"](.+)[>"]', line)
            for pattern, homes in LIBRARY_HOMES.items():
                if match and re.match(pattern, match[1]) and folder not in homes:
                    yield f"{path}:{number}: {match[1]} belongs to {', '.join(homes)}"


def check_banned(root):
    for path in sources(root):
        for number, line in numbered(path):
            match = re.search(BANNED, line)
            if match and not line.lstrip().startswith(("*", "/*")):
                yield f"{path}:{number}: {match[1]} is banned"


def check_lengths(root):
    for path in sources(root):
        start = None
        count = 0
        for count, line in numbered(path):
            if line == "{":
                start = count
            elif line == "}" and start:
                if count - start > FUNCTION_LINES_MAX:
                    yield f"{path}:{start}: function of {count - start} lines"
                start = None
        if count > FILE_LINES_MAX:
            yield f"{path}: {count} lines"


def check_whitespace(root):
    for path in sources(root):
        for number, line in numbered(path):
            if line != line.rstrip():
                yield f"{path}:{number}: trailing blanks"


def check_unit_tests(root):
    for path in sorted((root / "protocol").glob("*.c")):
        if not (root / "tests/unit/protocol" / f"test_{path.name}").exists():
            yield f"{path}: tests/unit/protocol has no test_{path.name}"


def check_options_documented(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    for number, line in numbered(root / "server" / "config.c"):
        match = re.match(r'    \{"([a-z-]+)", ', line)
        if match and f"--{match[1]}" not in readme:
            yield f"server/config.c:{number}: README.md does not mention --{match[1]}"


# "ecr-behaviour 2.3 and 5", "ecr-behaviour 2.7 to 2.12", "ecr-behaviour 2, S4" (a text of an error): also over the end of a line.
SECTION = r"(?:\d+(?:\.\d+[a-z]?)?|S\d+b?)"
REFERENCE = re.compile(rf"ecr-behaviour\b(?!\.md)(?:\s+({SECTION}(?:(?:,\s+|\s+and\s+|\s+to\s+){SECTION})*))?")


def texts(root):
    """Files in which a reference may stand."""
    for folder in ("protocol", "storage", "server", "tests", "testdata"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".py", ".json", ".md") and path.name != "check.py":
                yield path
    yield from sorted(root.glob("*.md"))
    yield from sorted((root / "docs").glob("*.md"))


def check_behaviour_references(root):
    """Every "ecr-behaviour N.N" names a section of docs/ecr-behaviour.md, whose own head only explains them."""
    document = root / "docs" / "ecr-behaviour.md"
    known = document.read_text(encoding="utf-8")
    sections = set(re.findall(rf"^#+ ({SECTION})\.? ", known, re.M)) | set(re.findall(r"^\| (S\d+b?) \|", known, re.M))
    for path in texts(root):
        text = path.read_text(encoding="utf-8", errors="replace")
        if path == document or "ecr-behaviour" not in text:
            continue
        # A comment goes on in its next line: without the star, and with as many characters.
        joined = re.sub(r"\n[ \t]*\*?", lambda match: " " * len(match[0]), text)
        for match in REFERENCE.finditer(joined):
            number = text.count("\n", 0, match.start()) + 1
            if not match[1]:
                yield f"{path}:{number}: ecr-behaviour without a section"
            for section in re.findall(SECTION, match[1] or ""):
                if section not in sections:
                    yield f"{path}:{number}: ecr-behaviour has no section {section}"


RULES = [
    check_includes,
    check_libraries,
    check_banned,
    check_lengths,
    check_whitespace,
    check_unit_tests,
    check_options_documented,
    check_behaviour_references,
]


def main():
    root = Path(sys.argv[1]).resolve()
    findings = [finding for rule in RULES for finding in rule(root)]
    for finding in findings:
        print(finding)
    print(f"lint: {len(RULES)} rules, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
