"""The commands of README.md, to be run as they are printed."""

import re

from support.binary import SOURCE

PRINTED_ADDRESS = "127.0.0.1:5001"


def section_text(section):
    """What stands below a heading of the second level, up to the next one."""
    text = (SOURCE / "README.md").read_text()
    body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert body, f"README.md has no section '{section}'"
    return body[1]


def blocks(section, language=""):
    """The fenced blocks of a section (its heading's text), in order; fails when there is none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", section_text(section), re.DOTALL | re.MULTILINE)
    found = [block for name, block in fenced if name == language]
    assert found, f"README.md has no commands in '{section}'"
    return found


def files(section):
    """The JSON files that a section shows, {name: text}: each block with its name and a colon before it."""
    return dict(re.findall(r"^`([\w.-]+)`:\n\n```json\n(.*?)^```$", section_text(section), re.DOTALL | re.MULTILINE))


def examples(section):
    """The commands of a section's console blocks with what is printed below them: [(command, output)]."""
    found = []
    for block in blocks(section, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found
