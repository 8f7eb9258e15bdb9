r"""Cases kept as files in testdata/: what is sent, and the expected answer beside it.

    # a comment
    name: value         a field; which ones there are depends on the folder
    > bytes             what is sent, with \r \n \t \0 \\ and \xHH; nothing is added at the end of a line
    < 404               an answer on the wire (testdata/wire/): its status,
    <   Name: value     headers that it must have,
    <   | body          and its whole body, with the same escapes, when that matters
    < closed            the connection ends; without this line it must answer a further request
"""

import re

from .binary import SOURCE

_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


def _unescape(text):
    parts = re.split(r"\\(x[0-9a-fA-F]{2}|.)", text)
    data = b""
    for plain, escape in zip(parts[::2], parts[1::2] + [None]):
        data += plain.encode()
        if escape:
            data += bytes.fromhex(escape[1:]) if escape[0] == "x" and len(escape) == 3 else _ESCAPES[escape]
    return data


class ExpectedAnswer:
    def __init__(self, status):
        self.status, self.headers, self.body = status, [], None


class Case:
    """fields {name: value}, sent (bytes), answers (list of ExpectedAnswer), closed (bool)."""

    def __init__(self, path):
        self.fields, self.sent, self.answers, self.closed = {}, b"", [], False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert self._read(line), f"{path}:{number}: not a line of a case"

    def _read(self, line):
        if line == "" or line.startswith("#"):
            return True
        if line.startswith("> "):
            self.sent += _unescape(line[2:])
        elif line == "< closed":
            self.closed = True
        elif match := re.fullmatch(r"< (\d{3})", line):
            self.answers.append(ExpectedAnswer(int(match[1])))
        elif match := re.fullmatch(r"<   \| (.*)", line):
            self.answers[-1].body = (self.answers[-1].body or b"") + _unescape(match[1])
        elif match := re.fullmatch(r"<   ([A-Za-z-]+): (.*)", line):
            self.answers[-1].headers.append((match[1], match[2]))
        elif match := re.fullmatch(r"([a-z-]+): (.*)", line):
            self.fields[match[1]] = match[2]
        else:
            return False
        return True


def cases(folder):
    """{name: Case} of testdata/<folder>/*.txt; never empty."""
    found = {path.stem: Case(path) for path in sorted((SOURCE / "testdata" / folder).glob("*.txt"))}
    assert found, f"there are no cases in testdata/{folder}"
    return found
