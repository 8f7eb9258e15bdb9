"""Holds every answer of the ECR API against protocol/model/ecr.json.

Importing this is enough: each boto3 client that support.aws makes afterwards has its answers checked as they came over
the wire, before the SDK drops what it does not know. support.api checks the hand-made requests the same way.
"""

import json
import re
from datetime import datetime

from . import aws
from .binary import SOURCE

MODEL = json.loads((SOURCE / "protocol/model/ecr.json").read_text())
CONTENT_TYPE = "application/x-amz-json-1.1"
REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

# What the front end of every AWS JSON service may answer, whatever the operation declares.
FRONT_END_ERRORS = {
    "MissingAuthenticationTokenException", "IncompleteSignatureException", "UnrecognizedClientException",
    "InvalidSignatureException", "ExpiredTokenException", "UnknownOperationException", "SerializationException",
    "AccessDeniedException", "ThrottlingException", "RequestEntityTooLargeException", "ServiceUnavailable",
}
# What was answered in this session: (operation, name of the error); operations that succeeded, and that had a next page.
SEEN_ERRORS, SEEN_SUCCESS, SEEN_PAGES = set(), set(), set()
_PYTHON_TYPES = {
    "structure": dict, "map": dict, "list": list, "string": str, "blob": str, "boolean": bool, "integer": int,
    "long": int, "double": (int, float), "timestamp": (int, float),
}


def check_value(shape_name, value, where):
    """Fails unless the JSON value has the shape: type, bounds, pattern, enumeration, no member beyond the known."""
    shape = MODEL["shapes"][shape_name]
    kind = shape["type"]
    right_type = isinstance(value, _PYTHON_TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")
    assert right_type, f"{where} is not a {kind}: {value!r}"
    if kind == "structure":
        for name, member in value.items():
            assert name in shape["members"], f"{where}.{name} is not in the model"
            check_value(shape["members"][name]["shape"], member, f"{where}.{name}")
        for name in shape.get("required", ()):
            assert name in value, f"{where}.{name} is missing"
    elif kind == "list":
        for index, element in enumerate(value):
            check_value(shape["member"]["shape"], element, f"{where}[{index}]")
    elif kind == "map":
        for key, element in value.items():
            check_value(shape["value"]["shape"], element, f"{where}[{key!r}]")
    elif kind == "string":
        if "enum" in shape:
            assert value in shape["enum"], f"{where} is none of {shape['enum']}: {value!r}"
        if "pattern" in shape:
            assert re.fullmatch(shape["pattern"], value), f"{where} does not match {shape['pattern']}: {value!r}"
    if kind in ("string", "integer", "long"):  # the bounds of lists are meant for requests: answers have empty ones
        size = len(value) if kind == "string" else value
        assert shape.get("min", size) <= size <= shape.get("max", size), f"{where} is out of bounds: {size}"


def check_error(operation, status, document):
    """Fails unless it is an error that the operation declares, with no more members than that has."""
    name = document.get("__type")
    members = {"message"}
    if name in MODEL["shapes"]:
        shape = MODEL["shapes"][name]
        assert shape.get("exception"), f"{name} is not an exception"
        assert operation is None or name in MODEL["operations"][operation]["errors"], (
            f"{operation} does not declare {name}")
        assert status == (500 if shape.get("fault") else 400), f"{name} came with status {status}"
        SEEN_ERRORS.add((operation, name))
        members = set(shape["members"])
    else:
        assert name in FRONT_END_ERRORS, f"{name!r} is an error of nobody's"
    unknown = set(document) - {"__type"} - members
    assert not unknown, f"{name} has the members {unknown}"
    assert isinstance(document.get("message", ""), str)


def check_answer(operation, status, headers, body):
    """Fails unless the answer is what the model says of the operation (None: of none that the model knows)."""
    assert headers.get("Content-Type") == CONTENT_TYPE, f"{operation}: {dict(headers)}"
    assert REQUEST_ID.fullmatch(headers.get("x-amzn-RequestId", "")), f"{operation}: {dict(headers)}"
    document = json.loads(body)
    assert isinstance(document, dict), f"{operation}: {document!r}"
    if status == 200:
        check_value(MODEL["operations"][operation]["output"], document, operation)
        SEEN_SUCCESS.add(operation)
        if "nextToken" in document:
            SEEN_PAGES.add(operation)
    else:
        check_error(operation, status, document)
    return document


def _check_sdk_answer(operation_model, response_dict, **_):
    status, headers, body = (response_dict[key] for key in ("status_code", "headers", "body"))
    check_answer(operation_model.name, status, headers, body)


aws._session.events.register("before-parse.ecr", _check_sdk_answer)


def seconds(when):
    """A time that boto3 made a datetime of, as seconds since 1970."""
    assert isinstance(when, datetime)
    return when.timestamp()
