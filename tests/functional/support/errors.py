"""The table of errors (protocol/errors.c), as the registry says them."""

import re
from dataclasses import dataclass

from .binary import SOURCE

_STRING = r'"((?:[^"\\]|\\.)*)"'
_ENTRY = re.compile(
    r'\[(ERR_\w+)\] = \{"\w+",\s*\d+,\s*(?:"(\w+)"|NULL),\s*(\d+),\s*(.*?),\s*SAID_BY_\w+\},\n', re.DOTALL)
_PLACEHOLDER = re.compile(r"\{(?:repository|registry|digest|tag|digests|member|detail|upload)\}")


@dataclass(frozen=True)
class Entry:
    """One error: status and code (None: plain text) in profile ecr, and, where the specification has others, in oci."""

    name: str
    faces: dict
    message: str

    def says(self, profile, status, code, message):
        pattern = "".join(".*" if _PLACEHOLDER.fullmatch(part) else re.escape(part)
                          for part in re.split(f"({_PLACEHOLDER.pattern})", self.message))
        return self.faces[profile] == (status, code) and re.fullmatch(pattern, message, re.DOTALL) is not None

    def literal(self):
        """How much of its message is given: of two that fit, the one with more is meant."""
        return len(_PLACEHOLDER.sub("", self.message))


def _text(expression, macros):
    """The string that literals and macros side by side stand for."""
    parts = re.findall(rf"{_STRING}|(\w+)", expression)
    return "".join(macros[name] if name else _unescape(literal) for literal, name in parts)


def _unescape(literal):
    return re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), literal)


def table():
    """{name: Entry}."""
    source = (SOURCE / "protocol/errors.c").read_text()
    macros = {name: _unescape(text) for name, text in re.findall(rf"#define (\w+)\s*\\?\s*{_STRING}\n", source)}
    spec = {name: (int(status), code) for name, code, status in re.findall(
        r'\{(ERR_\w+), \{"(\w+)", (\d+)\}\}', source)}
    entries = {}
    for name, code, status, message in _ENTRY.findall(source):
        faces = {"ecr": (int(status), code or None)}
        faces["oci"] = spec.get(name, faces["ecr"])
        entries[name] = Entry(name, faces, _text(message, macros))
    assert len(entries) == source.count("\t[ERR_"), "an entry is not of the form that this reads"
    return entries


def meant(entries, profile, status, code, message):
    """The names of the entries that this answer is: more than one where they say the same."""
    fitting = [entry for entry in entries.values() if entry.says(profile, status, code, message)]
    most = max((entry.literal() for entry in fitting), default=0)
    return {entry.name for entry in fitting if entry.literal() == most}
