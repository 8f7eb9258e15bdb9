"""Servers with --auth iam: who is in the sample file, clients that act as them, and requests signed by hand."""

import json
import xml.etree.ElementTree as tree
from datetime import datetime, timezone
from unittest import mock

import requests
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .api import TARGET_PREFIX
from .aws import registry_login
from .binary import SOURCE
from .server import DOORS_TOKEN

SAMPLE = SOURCE / "testdata/iam/sample.json"
ACCOUNT, REGION, REPOSITORY = "503561414328", "us-east-1", "smart-budget-planner"
ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{REPOSITORY}"


def keys_of(document, account=ACCOUNT):
    """{name: (access key, secret)} of an account's users and roles; "root" is its own."""
    found = {}
    at = document["accounts"][account]
    for name, one in [*at.get("users", {}).items(), *at.get("roles", {}).items(), ("root", at)]:
        for access_key, secret in one.get("accessKeys", {}).items():
            found[name] = access_key, secret
    return found


KEYS = keys_of(json.loads(SAMPLE.read_text()))


def options(path=SAMPLE):
    return "--auth", "iam", "--iam", str(path), "--doors-token", DOORS_TOKEN


def client(server, name, service="ecr", keys=None, region=REGION, validate=True):
    access_key, secret = (keys or KEYS)[name]
    make = server.ecr if service == "ecr" else server.sts
    return make(access_key=access_key, secret_key=secret, region=region, validate=validate)


def login(server, name, keys=None):
    return registry_login(client(server, name, keys=keys))


def registry(server, name, keys=None):
    return server.registry(login(server, name, keys))


def not_allowed(who, action, resource=ARN, because=None):
    """ECR's sentence."""
    because = because or f"no identity-based policy allows the ecr:{action} action"
    return f"User: {who} is not authorized to perform: ecr:{action} on resource: {resource} because {because}"


def user(name, account=ACCOUNT):
    return f"arn:aws:iam::{account}:user/{name}"


def session(role, name, account=ACCOUNT):
    return f"arn:aws:sts::{account}:assumed-role/{role}/{name}"


class Signed:
    """A request to the API, signed as `name` unless credentials are given, which a test may spoil before send()."""

    def __init__(self, server, name="admin", *, operation="DescribeRepositories", body=b"{}", service="ecr",
                 region=REGION, credentials=None, at=None, query=False, expires=60, form=None, headers=None):
        self.server = server
        headers = {"Content-Type": "application/x-amz-json-1.1",
                   "X-Amz-Target": f"{TARGET_PREFIX}.{operation}"} | (headers or {})
        if form is not None:
            headers = {"Content-Type": "application/x-www-form-urlencoded"} if not query else {}
            body = b"" if query else form.encode()
        method = "GET" if query else "POST"
        url = f"{server.url}/?{form}" if query else f"{server.url}/"
        self.request = AWSRequest(method=method, url=url, data=body, headers=headers)
        credentials = credentials or Credentials(*KEYS[name])
        signer = SigV4QueryAuth(credentials, service, region, expires=expires) if query else SigV4Auth(
            credentials, service, region)
        with mock.patch("botocore.auth.get_current_datetime", lambda: at or datetime.now(timezone.utc)):
            signer.add_auth(self.request)
        self.headers, self.body, self.url = dict(self.request.headers.items()), body, self.request.url

    def change(self, part, old, new):
        """Replaces in a header's value, or in the URL."""
        if part == "url":
            assert old in self.url
            self.url = self.url.replace(old, new)
        else:
            assert old in self.headers[part]
            self.headers[part] = self.headers[part].replace(old, new)
        return self

    def send(self):
        session = requests.Session()
        session.trust_env = False
        prepared = requests.Request(self.request.method, self.url, headers=self.headers, data=self.body).prepare()
        prepared.url = self.url
        response = session.send(prepared, timeout=30)
        session.close()
        return response


def error_of(response):
    """(status, code, message) of an answer in either protocol's envelope."""
    if response.headers["Content-Type"] == "text/xml":
        root = tree.fromstring(response.content)
        at = {"sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
        return response.status_code, root.findtext("sts:Error/sts:Code", None, at), root.findtext(
            "sts:Error/sts:Message", None, at)
    document = response.json()
    return response.status_code, document["__type"], document.get("message")
