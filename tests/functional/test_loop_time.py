"""No request holds an event loop: what a request may cost is bounded by its own size or by a page, and what is large is worked on
beside the loop.

Every server of the functional tests is held against that: its log must not say "busy loop" (support/server.py). Here are the
requests that would make it say so. Processor time is measured, never how long something took.
"""

import base64
import http.client
import json
import os
import socket
import struct
from contextlib import contextmanager

from support.api import TARGET_PREFIX, authorization, call, post
from support.images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, docker_image, oci_artifact, oci_image

http.client._MAXHEADERS = 1000  # an answer names each tag that was set in a header of its own

MIB = 1 << 20
TOO_LARGE = "The answer would be larger than 16 MiB. Ask for fewer items at a time."


@contextmanager
def little_work(server, seconds=1.5):
    """It costs the server less processor time than this, with sanitizers: each of these once took many times as much."""
    before = server.cpu_seconds()
    yield
    assert server.cpu_seconds() - before < seconds


def padded(size, make=oci_image):
    """An image whose manifest has about so many bytes."""
    return make(annotations={"padding": "x" * (size - 2000)})


def push(registry, repository, image, *tags):
    """By digest, with hundreds of tags at once."""
    for blob in image.blobs:
        assert registry.push_blob(repository, blob.data).status_code == 201
    for at in range(0, len(tags), 500):
        query = "&".join(f"tag={tag}" for tag in tags[at:at + 500])
        path = f"/v2/{repository}/manifests/{image.digest}?{query}"
        answer = registry.request("PUT", path, data=image.manifest, headers={"Content-Type": image.media_type})
        assert answer.status_code == 201, answer.text


def batch_get(server, repository, *ids, **more):
    return call(server, "BatchGetImage", {"repositoryName": repository, "imageIds": list(ids)} | more)


# -- answers are summed before they are written -------------------------------------------------------------------------

def test_a_large_manifest_of_a_thousand_tags(drydock, registry, repository):
    image = padded(4 * MIB)
    push(registry, repository, image, *(f"t{n}" for n in range(1000)))
    with little_work(drydock):
        answer = batch_get(drydock, repository, {"imageDigest": image.digest})
    assert (answer.status, answer.code, answer.message) == (400, "LimitExceededException", TOO_LARGE)
    with little_work(drydock):
        answer = batch_get(drydock, repository, *({"imageTag": f"t{n}"} for n in range(100)))
    assert (answer.status, answer.code, answer.message) == (400, "LimitExceededException", TOO_LARGE)
    answer = batch_get(drydock, repository, {"imageTag": "t7"})
    assert answer.document["images"][0]["imageManifest"].encode() == image.manifest


def test_the_same_id_many_times(drydock, registry, repository):
    """Each has its entry, as ever; what it stands for is read once."""
    image = oci_image()
    push(registry, repository, image, *(f"t{n}" for n in range(1000)))
    ids = [{"imageDigest": image.digest}] * 20 + [{"imageTag": "t5"}] * 20 + [{"imageTag": "missing"}] * 20
    with little_work(drydock):
        answer = batch_get(drydock, repository, *ids)
    tags = [entry["imageId"]["imageTag"] for entry in answer.document["images"]]
    assert tags == sorted(f"t{n}" for n in range(1000)) * 20 + ["t5"] * 20
    assert [failure["failureCode"] for failure in answer.document["failures"]] == ["ImageNotFound"] * 20


def test_a_manifest_is_converted_once(drydock, registry, repository):
    """Named a hundred times it costs what it costs once, and counts once towards what one request may have converted."""
    image = padded(MIB)
    push(registry, repository, image, *(f"t{n}" for n in range(100)))
    with little_work(drydock, 3):
        answer = batch_get(
            drydock, repository, *({"imageTag": f"t{n}"} for n in range(100)), acceptedMediaTypes=[DOCKER_MANIFEST])
    assert answer.status == 200
    assert len({entry["imageManifest"] for entry in answer.document["images"]}) == 1
    assert len(answer.document["images"]) == 100


# -- large bodies are read beside the loop ------------------------------------------------------------------------------

def escaped(text):
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def test_large_bodies(drydock, registry, repository):
    """As large as they may be, and as dear: every character escaped; a manifest of nothing but line ends."""
    image = padded(4 * MIB)
    for blob in image.blobs:
        registry.push_blob(repository, blob.data)
    body = '{"repositoryName": "%s", "imageTag": "v1", "imageManifest": "%s"}' % (
        repository, escaped(image.manifest.decode()))
    answer = call(drydock, "PutImage", body.encode())
    assert answer.document["image"]["imageManifest"].encode() == image.manifest

    lines = b"\n" * (3 * MIB) + oci_image().manifest
    refused = registry.put_manifest(repository, "lines", lines, OCI_MANIFEST)
    assert refused.status_code in (400, 404)
    many = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        {"mediaType": OCI_MANIFEST, "size": 1, "digest": image.digest}] * 20000}).encode()
    refused = registry.put_manifest(repository, "many", many, OCI_INDEX)
    assert refused.status_code in (201, 400, 404)

    upload = call(drydock, "InitiateLayerUpload", {"repositoryName": repository}).document["uploadId"]
    part = base64.b64encode(os.urandom(20 * MIB)).decode()
    answer = call(drydock, "UploadLayerPart", {
        "repositoryName": repository, "uploadId": upload, "partFirstByte": 0, "partLastByte": 20 * MIB - 1,
        "layerPartBlob": part})
    assert answer.document["lastByteReceived"] == 20 * MIB - 1
    spaces = b" " * (MIB - 2) + b"[]"
    assert call(drydock, "DescribeRepositories", spaces).code == "SerializationException"


def test_large_manifests_are_given(drydock, registry, repository):
    """A large one in the other media type, many at once, and those of referrers, whose annotations are looked up."""
    image = padded(4 * MIB, docker_image)
    push(registry, repository, image, "v1")
    answer = registry.get_manifest(repository, "v1", accept=[OCI_MANIFEST])
    assert answer.headers["Content-Type"] == OCI_MANIFEST
    head = registry.get_manifest(repository, "v1", accept=[OCI_MANIFEST], method="HEAD")
    assert head.headers["Docker-Content-Digest"] == answer.headers["Docker-Content-Digest"]
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]
    artifacts = [oci_artifact("application/vnd.example", subject=image, annotations={
        "padding": "\n\"" * (800 << 10), "number": str(n)}) for n in range(3)]
    for artifact in artifacts:
        registry.push_image(repository, artifact)
    assert batch_get(drydock, repository, *({"imageDigest": one.digest} for one in artifacts)).status in (200, 400)
    path = f"/v2/{repository}/referrers/{image.digest}"
    seen = []
    while path:
        answer = registry.request("GET", path)
        seen += [one["annotations"]["number"] for one in answer.json()["manifests"]]
        path = answer.links["next"]["url"] if "next" in answer.links else None
    assert sorted(seen) == ["0", "1", "2"]


def test_clients_that_leave_while_their_body_is_read(drydock, registry, repository):
    image = padded(3 * MIB)
    body = '{"repositoryName": "%s", "imageManifest": "%s"}' % (repository, escaped(image.manifest.decode()))
    head = (f"POST / HTTP/1.1\r\nHost: {drydock.host}\r\nX-Amz-Target: {TARGET_PREFIX}.PutImage\r\n"
            f"Authorization: {authorization()}\r\nContent-Length: {len(body)}\r\n\r\n")
    for number in range(4):
        connection = socket.create_connection(("127.0.0.1", drydock.port))
        connection.sendall(head.encode() + body.encode())
        if number % 2:  # a reset, not just an end
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert call(drydock, "DescribeImages", {"repositoryName": repository}).document == {"imageDetails": []}
    drydock.check()


# -- heads --------------------------------------------------------------------------------------------------------------

def test_signed_headers_named_thousands_of_times(drydock):
    """The same field over and over would be copied each time; AWS wants the names sorted, and each once."""
    signed = authorization().replace("SignedHeaders=host;", "SignedHeaders=" + "a;" * 8000 + "host;")
    with little_work(drydock, 0.5):
        for _ in range(5):
            answer = post(drydock, b"{}", f"{TARGET_PREFIX}.DescribeRepositories", signed=signed,
                          headers={"a": "x" * 14000}, operation="DescribeRepositories")
            assert (answer.status, answer.code) == (400, "IncompleteSignatureException")


# -- metrics ------------------------------------------------------------------------------------------------------------

def test_how_busy_the_loops_were_is_told(drydock, anonymous):
    call(drydock, "DescribeRepositories", b" " * 900_000 + b"{}")
    text = anonymous.request("GET", "/metrics").text
    metrics = dict(line.split(" ") for line in text.splitlines() if not line.startswith("#"))
    assert metrics["drydock_loop_busy_turns_total"] == "0"
    assert int(metrics["drydock_loop_longest_turn_microseconds"]) > 0
