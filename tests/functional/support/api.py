"""Requests to the ECR API that an SDK would not send, byte for byte what a test wants; answers are checked as well."""

import json

import requests

from .shapes import MODEL, check_answer

TARGET_PREFIX = MODEL["targetPrefix"]
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"

_session = requests.Session()
_session.trust_env = False


def authorization(access_key=ACCESS_KEY, region="us-east-1", service="ecr"):
    """An Authorization header of SigV4's form; its signature is that of nothing."""
    return (
        f"AWS4-HMAC-SHA256 Credential={access_key}/20260101/{region}/{service}/aws4_request, "
        f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}")


class Answer:
    """status, headers (any case), document (the JSON object); of an error, code and message (None: there is none)."""

    def __init__(self, operation, response):
        self.status, self.headers = response.status_code, response.headers
        self.document = check_answer(operation, response.status_code, response.headers, response.content)
        self.code, self.message = self.document.get("__type"), self.document.get("message")

    def __repr__(self):
        return f"<{self.status} {json.dumps(self.document)[:300]}>"


def post(server, body=b"{}", target=None, signed=authorization(), headers=None, operation=None):
    """POST / with these very bytes. target is the whole X-Amz-Target, signed the Authorization; None leaves it out."""
    sent = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target, "Authorization": signed}
    sent = {name: value for name, value in (sent | (headers or {})).items() if value is not None}
    response = _session.post(f"{server.url}/", data=body, headers=sent, timeout=30)
    return Answer(operation, response)


def call(server, operation, body=b"{}", **settings):
    """An operation with a body of bytes, or of anything that JSON can say."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return post(server, body, f"{TARGET_PREFIX}.{operation}", operation=operation, **settings)


def pages(operation, members, **arguments):
    """Every page of a paginated operation by hand: `members` of each; the last has no nextToken."""
    answer = operation(**arguments)
    yield answer[members]
    while "nextToken" in answer:
        answer = operation(**arguments, nextToken=answer["nextToken"])
        yield answer[members]
