"""The commands of README.md, to be run as they are printed."""

import re

from support.binary import SOURCE

PRINTED_ADDRESS = "127.0.0.1:5001"


def blocks(section, language=""):
    """The fenced blocks of a section (its heading's text), in order; fails when there is none."""
    text = (SOURCE / "README.md").read_text()
    body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert body, f"README.md has no section '{section}'"
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", body[1], re.DOTALL | re.MULTILINE)
    found = [block for name, block in fenced if name == language]
    assert found, f"README.md has no commands in '{section}'"
    return found
