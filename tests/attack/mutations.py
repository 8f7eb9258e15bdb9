"""What becomes of a valid request: its parts first (and what is signed is signed after that), then the bytes on the wire."""

import copy
import itertools
import json
import re

TEXTS = ["", " ", "x" * 300, "x" * 70_000, "\u0000", "\ud800", "\u202e", "é" * 100, "%00", "%2e%2e/", "../../../etc/passwd",
         "a" * 64 + "/" * 200, "sha256:" + "0" * 64, "sha256:" + "g" * 64, "sha512:" + "0" * 128, "*", "?" * 1000, "\\", "'\"",
         "arn:aws:iam::*:*", "{\"a\":" * 500, "${aws:username}", "2026-01-01T00:00:00Z", "-1", "1e999"]
NUMBERS = [0, -1, 1, 2**31, 2**53, 2**63, 2**64, -2**63, 1.5, 1e308, -1e308, 10**40]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G", "M" * 3000, ""]
STRANGE_MEMBERS = [  # of other operations, or of none
    ("repositoryName", "team/app"), ("registryId", "111122223333"), ("imageTag", "v1"), ("nextToken", "x"), ("maxResults", 1),
    ("force", True), ("policyText", "{}"), ("__type", "ServerException"), ("", ""), ("no", {"such": []})]
LARGEST = 3 << 20  # characters of JSON: more than any but an operation with a manifest or a part takes
VERSIONS = ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.1 ", "HTTP/11", ""]
FIELDS = [
    ("Host", "evil.example"), ("Host", ""), ("Host", "111122223333.dkr.ecr.eu-west-1.amazonaws.com"), ("Host", "a" * 5000),
    ("Host", "[::1]:80"), ("Host", "api.ecr.us-west-2.localhost"), ("Content-Length", "0"), ("Content-Length", "5"),
    ("Content-Length", "+5"), ("Content-Length", "-1"), ("Content-Length", "0x10"), ("Content-Length", "18446744073709551616"),
    ("Content-Length", "9223372036854775807"), ("Content-Length", "5, 5"), ("Content-Length", "1 2"), ("Content-Length", ""),
    ("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "Chunked"), ("Transfer-Encoding", "chunked, chunked"),
    ("Transfer-Encoding", "gzip, chunked"), ("Transfer-Encoding", "identity"), ("Transfer-Encoding", "chunked\t;x"),
    ("Expect", "100-continue"), ("Expect", "200-ok"), ("Connection", "close, keep-alive"), ("Connection", "upgrade"),
    ("Upgrade", "h2c"), ("Range", "bytes=0-0,5-9"), ("Range", "bytes=-1"), ("Range", "bytes=99999999999999999999-"),
    ("Range", "bytes=5-2"), ("Range", "lines=1-2"), ("Range", "bytes=" + "0-0," * 2000), ("Content-Range", "0-4"),
    ("Content-Range", "bytes 5-2/*"), ("Content-Range", "99999999999999999999-99999999999999999999"),
    ("Content-Type", "text/plain"), ("Content-Type", "application/json; charset=" + "x" * 500), ("Content-Type", ""),
    ("Content-Encoding", "gzip"), ("Accept", ""), ("Accept", "*/*;q=0"), ("Accept", "a/b," * 3000), ("Accept-Encoding", "gzip"),
    ("Authorization", "Basic"), ("Authorization", "Basic ===="), ("Authorization", "Basic QVdTOg=="), ("Authorization", "Bearer x"),
    ("Authorization", "AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=;;;, Signature="), ("Authorization", "Basic " + "A" * 9000),
    ("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site"), ("X-Forwarded-Host", "evil.example"),
    ("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."), ("X-Amz-Target", "x"), ("X-Amz-Date", "yesterday"),
    ("X-Amz-Security-Token", "A" * 3000), ("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), ("If-None-Match", "*"), ("Cookie", "a=b"),
    ("X", "\x00"), ("X y", "z"), ("", "z"), ("X:", "z"), ("X", "\xff\xfe"), ("Trailer", "Content-Length")]
QUERIES = ["n=0", "n=-1", "n=99999999999999999999", "n=1&n=2", "last=%00", "last=" + "a" * 9000, "digest=sha256:x", "digest=",
           "tag=" + "&tag=".join(f"t{i}" for i in range(200)), "from=../x", "mount=%zz", "artifactType=%ff", "a" * 20_000, "&&&=&",
           "Action=GetCallerIdentity", "Action=GetCallerIdentity&Action=AssumeRole", "X-Amz-Signature=0", "%", "%2"]


# -- JSON -----------------------------------------------------------------------------------------------------------------

def nodes(value, path=()):
    """The path of each value inside, the whole one's first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(items):
        yield from nodes(one, (*path, key))


def replaced(value, path, change):
    if not path:
        return change(value)
    value[path[0]] = replaced(value[path[0]], path[1:], change)
    return value


def other_value(dice, old, many):
    """`many`: how often a value may be repeated."""
    kind = dice.randrange(8)
    if kind == 0:
        return dice.choice(TEXTS)
    if kind == 1:
        return dice.choice(NUMBERS)
    if kind == 2:
        return dice.choice((None, True, False, [], {}, [[]], {"": ""}))
    if kind == 3:
        return [copy.deepcopy(old) for _ in range(dice.choice((0, 2, many)))] if len(str(old)) < 300 else [old, None]
    if kind == 4:
        return {f"k{i}": copy.deepcopy(old) for i in range(dice.choice((1, many)))} if len(str(old)) < 300 else {"k": old}
    if kind == 5 and isinstance(old, str) and old:
        at = dice.randrange(len(old))
        return old[:at] + dice.choice(("", "\x00", "%", "/", "é", "\ud800", old)) + old[at + dice.randint(0, 1):]
    if kind == 6 and isinstance(old, (int, float)):
        return -old if dice.random() < 0.3 else old + dice.choice((-1, 1, 0.5))
    return str(old) if dice.random() < 0.5 else old


def spoil_text(dice, text):
    """JSON that says a thing twice, or badly, or is none."""
    kind, at = dice.randrange(9), dice.randrange(len(text) + 1)
    if kind == 0:
        return re.sub(r'"(\w+)": ', dice.choice((r'"\1": 1, "\1": ', r'"\1": null, "\1": ')), text, count=dice.choice((0, 1)))
    if kind == 1:
        return text[:at]
    if kind == 2:
        return text + dice.choice((text, "}", "\x00", " " * 70_000, "//"))
    if kind == 3:
        depth = dice.choice((10, 200, 2000, 100_000))
        return text.replace("{", '{"deep": ' + "[" * depth + "]" * depth + ", ", 1)
    if kind == 4:
        return "[" * dice.choice((5, 1000, 200_000)) + text
    if kind == 5:
        return re.sub("[a-zA-Z]", lambda letter: f"\\u{ord(letter[0]):04x}", text)
    if kind == 6:
        return "\ufeff" + text
    if kind == 7:
        return re.sub(r"\d+", dice.choice(("1e400", "01", "NaN", "1" * 5000, "-0", "1.0")), text, count=1)
    return text[:at] + dice.choice(("\\u0000", "\\ud800", "\n", ",", '"', "\\", "\t")) + text[at:]


def spoil_json(dice, body):
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body  # spoilt before
    for turn in range(dice.choice((0, 1, 1, 1, 2, 5))):
        path = dice.choice(list(itertools.islice(nodes(document), 200)))
        if path and dice.random() < 0.15:
            document = replaced(document, path[:-1], lambda parent: _without(parent, path[-1]))
        else:
            document = replaced(document, path, lambda old: other_value(dice, old, 3 if turn else dice.choice((101, 1001, 5000))))
    if isinstance(document, dict) and dice.random() < 0.2:
        document |= [dice.choice(STRANGE_MEMBERS)]
    text = json.dumps(document)
    if dice.random() < 0.3:
        text = spoil_text(dice, text)
    return text[:LARGEST].encode("utf-8", "surrogatepass")


def _without(parent, key):
    parent.pop(key)
    return parent


# -- the parts of a request -----------------------------------------------------------------------------------------------

def spoil_target(dice, target):
    path, mark, query = target.partition("?")
    kind, at = dice.randrange(12), dice.randrange(max(1, len(path)))
    if kind <= 2:
        count = 1 if kind else dice.randint(0, len(path))
        for at in sorted(dice.sample(range(len(path)), min(count, len(path))), reverse=True):
            path = path[:at] + "%" + dice.choice((f"{ord(path[at]):02X}", f"{ord(path[at]):02x}")) + path[at + 1:]
    elif kind == 3:
        path = path[:at] + dice.choice(("%00", "%2F", "%2f", "%", "%zz", "%252F", "%C0%AF", "%FF", "%0D%0A", "+", ";")) + path[at:]
    elif kind == 4:
        path = path[:at] + dice.choice(("/", "//", "/../", "/./", "..", "\\", "#", "\t", "é", "a" * 300)) + path[at:]
    elif kind == 5:
        path = path[:at] + path[at + dice.randint(1, 5):]
    elif kind == 6:
        path = dice.choice(("http://127.0.0.1", "http://evil.example", "https://a@b:c", "HTTP://api.ecr.us-west-2.localhost")) + path
    elif kind == 7:
        return dice.choice(("*", "", "/", "//", "http://", "a", "?", "/" + "a/" * 4000, "/" + "x" * 100_000, "/v2/" + "a/" * 300))
    elif kind == 8:
        path = dice.choice((path.upper(), path.swapcase(), path + "/", path.replace("/", "//"), path * 2))
    elif kind == 9:
        query, mark = "&".join(filter(None, (query, dice.choice(QUERIES)))), "?"
    elif kind == 10:
        query, mark = dice.choice(QUERIES), "?"
    else:
        query = re.sub(r"=([^&]*)", lambda value: "=" + dice.choice(TEXTS[:12] + [value[1] * 2]), query)
    return path + mark + query


def spoil_fields(dice, headers):
    at = dice.randrange(len(headers)) if headers else None
    kind = dice.randrange(7) if headers else 0
    if kind <= 2:
        headers.insert(dice.randint(0, len(headers)), list(dice.choice(FIELDS)))
    elif kind == 3:
        headers.append(list(headers[at]))
    elif kind == 4:
        del headers[at]
    elif kind == 5:
        value = headers[at][1]
        cut = dice.randint(0, len(value))
        headers[at][1] = value[:cut] + dice.choice(("", ",", "\x00", "\xe9", "=", "/" * 500, value)) + value[cut + dice.randint(0, 3):]
    else:
        headers += [[f"X-{i}", "v" * dice.choice((1, 100))] for i in range(dice.choice((10, 90, 700)))]


def spoil_parts(dice, request):
    """Some of: method, target, fields, body. True when its framing may no longer be what a server waits for."""
    framing = False
    for _ in range(dice.choice((0, 1, 1, 1, 2, 3))):
        kind = dice.randrange(8 if request.body else 5)
        if kind <= 1:
            request.target = spoil_target(dice, request.target)
        elif kind <= 3:
            before = [name.lower() for name, _ in request.headers]
            spoil_fields(dice, request.headers)
            after = [name.lower() for name, _ in request.headers]
            framing |= any(after.count(name) != before.count(name) for name in (
                "content-length", "transfer-encoding", "expect", "host", "upgrade", ""))
        elif kind == 4:
            request.method = dice.choice(METHODS)
            framing = True
        elif request.body[:1] in b"{[":
            request.body = spoil_json(dice, request.body)
        else:
            request.body = spoil_bytes(dice, request.body)
    return framing


# -- the bytes on the wire ------------------------------------------------------------------------------------------------

def chunks(dice, body):
    """A chunked body, and whether it is one as RFC 9112 wants it."""
    parts, well = [], True
    while body:
        size = dice.choice((1, 7, 1000, 70_000))
        piece, body = body[:size], body[size:]
        extension = dice.choice((b"", b"", b"", b";a=b", b";" + b"x" * 3000, b' ; a="b"'))
        count, end = b"%x" % len(piece), b"\r\n"
        if dice.random() < 0.02:
            well = False
            count = dice.choice((b"0x5", b"-1", b"+5", b"", b"fffffffffffffffff", b"7fffffffffffffff", b"g", b"0" * 300 + count))
        if dice.random() < 0.02:
            well, end = False, dice.choice((b"XX", b"\n", b"\r", b""))
        parts.append(count + extension + b"\r\n" + piece + end)
        if len(parts) > 50:
            parts.append(b"%x\r\n%s\r\n" % (len(body), body) if body else b"")
            break
    trailer = dice.choice((b"", b"", b"", b"X: y\r\n", b"Content-Length: 5\r\n", b"X" * 20_000 + b": y\r\n"))
    return b"".join(parts) + b"0\r\n" + trailer + b"\r\n", well and not trailer


def spoil_bytes(dice, data):
    data = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        at = dice.randint(0, len(data))
        kind = dice.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at:at] = bytes([dice.choice(b"\x00\r\n :%/,;\x7f\xff\t")]) * dice.choice((1, 1, 3, 200))
        elif kind == 2:
            del data[at:at + dice.choice((1, 2, 50))]
        elif kind == 3:
            data[at:at] = data[max(0, at - 30):at]
        elif at < len(data):
            data[at] = dice.randrange(256)
    return bytes(data)


def spoil_lines(dice, head):
    lines = head.split(b"\r\n")
    at = dice.randrange(len(lines))
    kind = dice.randrange(7)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        lines[at] = dice.choice((b" ", b"\t", b"\r", b"\x00")) + lines[at]
    elif kind == 3:
        return dice.choice((b"\n", b"\r", b"\r\r\n", b"\n\r")).join(lines)
    elif kind == 4:
        lines.insert(0, dice.choice((b"", b"\r\n" * 50, b"PRI * HTTP/2.0", b"\x16\x03\x01\x02\x00\x01")))
    elif kind == 5:
        lines[0] = lines[0].replace(b" ", dice.choice((b"  ", b"\t", b"")), 1)
    else:
        words = lines[0].rsplit(b" ", 1)
        lines[0] = words[0] + b" " + dice.choice(VERSIONS).encode()
    return b"\r\n".join(lines)


def on_the_wire(dice, request, host, spoil=True):
    """The request's bytes, and whether a server must answer them whole as they are."""
    headers, body, well = [["Host", host], *request.headers], request.body, True
    framed = any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers)
    if not framed and body and dice.random() < (0.3 if spoil else 0):
        headers.append(["Transfer-Encoding", "chunked"])
        body, well = chunks(dice, body)
    elif not framed and (body or request.method in ("POST", "PUT", "PATCH")):
        headers.append(["Content-Length", str(len(body))])
    lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    head = "\r\n".join(lines).encode("utf-8", "surrogatepass")
    if spoil and dice.random() < 0.15:
        head, well = spoil_lines(dice, head), False
    data = head + b"\r\n\r\n" + body
    if spoil and dice.random() < 0.1:
        data, well = spoil_bytes(dice, data[:8000]) + data[8000:], False
    if spoil and dice.random() < 0.05:
        data, well = data[:dice.randint(0, len(data))], False
    return data, well
