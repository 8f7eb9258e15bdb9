"""A light client of both APIs, for load: one kept connection, every answer as it is, and nothing that costs time."""

import hashlib
import hmac
import http.client
import json
from datetime import datetime, timezone

from support.api import TARGET_PREFIX, authorization


def signature(credentials, method, host, path, query, headers, body, service="ecr", region="us-east-1"):
    """The headers that SigV4 adds to a request made now; `query` is already in its canonical order."""
    access_key, secret = credentials
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    signed = {name.lower(): value for name, value in headers} | {"host": host, "x-amz-date": now}
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{' '.join(signed[name].split())}\n" for name in sorted(signed))
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}".encode(
        "utf-8", "surrogatepass")
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    proof = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return [("X-Amz-Date", now), ("Authorization", f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, "
                                  f"SignedHeaders={names}, Signature={proof}")]


class Answer:
    """status, headers (any case), body (bytes)."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Client:
    """`login` is an Authorization header for the registry, or None; `credentials` (access key, secret) sign calls of the
    API, without them the signature is that of nothing; `host` is a name to ask by, such as one of ECR's.

    An OSError, or an http.client.HTTPException, means that the server has gone: what was asked may have happened.
    """

    def __init__(self, port, login=None, credentials=None, host=None, timeout=60):
        self.login, self.credentials, self.host = login, credentials, host or f"127.0.0.1:{port}"
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def close(self):
        self.connection.close()

    def request(self, method, path, body=b"", headers=()):
        headers = {"Host": self.host} | dict(headers)
        if self.login and path.startswith("/v2/"):
            headers.setdefault("Authorization", self.login)
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def api(self, operation, **document):
        """(status, what the answer's JSON holds)."""
        body = json.dumps(document).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", f"{TARGET_PREFIX}.{operation}")]
        if self.credentials:
            headers += signature(self.credentials, "POST", self.host, "/", "", headers, body)
        else:
            headers.append(("Authorization", authorization()))
        answer = self.request("POST", "/", body, headers)
        return answer.status, answer.json()

    def log_in(self):
        """Takes a token for what it asks of the registry from now on."""
        status, document = self.api("GetAuthorizationToken")
        assert status == 200, document
        self.login = "Basic " + document["authorizationData"][0]["authorizationToken"]
        return self

    # -- pushing and pulling --------------------------------------------------------------------------------------------

    def push_blob(self, repository, blob):
        """The last answer: 201 when it is there."""
        started = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        if started.status != 202:
            return started
        location = started.headers["Location"]
        location = location if location.startswith("/") else "/" + location.split("/", 3)[3]
        sent = self.request("PATCH", location, blob.data, {"Content-Type": "application/octet-stream"})
        if sent.status != 202:
            return sent
        return self.request("PUT", f"{location}?digest={blob.digest}")

    def push(self, repository, image, reference=None, attempts=20):
        """The last answer: 201 when the image is acknowledged. Collections without grace may take its layers in between:
        then they are sent again."""
        for _ in range(attempts):
            for blob in image.blobs:
                if self.request("HEAD", f"/v2/{repository}/blobs/{blob.digest}").status == 200:
                    continue
                answer = self.push_blob(repository, blob)
                if answer.status != 201:
                    return answer
            answer = self.put_manifest(repository, image, reference)
            if answer.status != 404 or b"MANIFEST_BLOB_UNKNOWN" not in answer.body:
                return answer
        return answer

    def put_manifest(self, repository, image, reference=None):
        return self.request(
            "PUT", f"/v2/{repository}/manifests/{reference or image.digest}", image.manifest,
            {"Content-Type": image.media_type})

    def get_manifest(self, repository, reference, media_type):
        return self.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": media_type})

    def read_whole(self, repository, image, reference=None):
        """Fails unless the image is there as it was pushed, byte for byte with its layers."""
        answer = self.get_manifest(repository, reference or image.digest, image.media_type)
        assert answer.status == 200, f"{repository}@{image.digest} as {reference}: {answer}"
        assert answer.body == image.manifest, f"{repository}@{image.digest} as {reference}: another manifest"
        for blob in image.blobs:
            answer = self.request("GET", f"/v2/{repository}/blobs/{blob.digest}")
            assert answer.status == 200, f"{repository}@{image.digest}: the layer {blob.digest}: {answer}"
            assert answer.body == blob.data, f"{repository}@{image.digest}: other bytes of the layer {blob.digest}"

    def tags_by_digest(self, repository):
        """{digest: set of tags} of every image, {} when there is no such repository."""
        found, more = {}, {}
        while True:
            status, document = self.api("DescribeImages", repositoryName=repository, maxResults=1000, **more)
            if status == 400 and document["__type"] == "RepositoryNotFoundException":
                return {}
            assert status == 200, document
            for one in document["imageDetails"]:
                found[one["imageDigest"]] = set(one.get("imageTags", ()))
            if "nextToken" not in document:
                return found
            more = {"nextToken": document["nextToken"]}
