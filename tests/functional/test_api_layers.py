"""Layers through the API (ecr-behaviour 2.4): uploading in parts, availability, links to download."""

import base64
import os
import re

import pytest
import requests
from support.api import call
from support.aws import refused
from support.images import docker_image, digest_of, oci_image, random_layer
from support.refusals import ACCOUNT, not_found
from support.registry import error_of

MIB = 1024 * 1024
NOWHERE = "sha256:" + "0" * 64
NO_UPLOAD = "11111111-2222-4333-8444-555555555555"
_plain = requests.Session()
_plain.trust_env = False


def start(ecr, repository):
    answer = ecr.initiate_layer_upload(repositoryName=repository)
    assert answer["partSize"] == 20 * MIB
    return answer["uploadId"]


def part(ecr, repository, upload, first, data, last=None):
    return ecr.upload_layer_part(
        repositoryName=repository, uploadId=upload, partFirstByte=first,
        partLastByte=first + len(data) - 1 if last is None else last, layerPartBlob=data)


def complete(ecr, repository, upload, *digests):
    return ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=list(digests))


def push(ecr, repository, data, size=20 * MIB):
    upload, first = start(ecr, repository), 0
    for first in range(0, len(data), size):
        answer = part(ecr, repository, upload, first, data[first:first + size])
        assert answer["lastByteReceived"] == min(first + size, len(data)) - 1
    return complete(ecr, repository, upload, digest_of(data))["layerDigest"]


def check(ecr, repository, *digests):
    answer = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=list(digests))
    return answer["layers"], answer["failures"]


def push_image(ecr, repository, image, tag="v1"):
    for blob in image.blobs:
        push(ecr, repository, blob.data)
    ecr.put_image(
        repositoryName=repository, imageManifest=image.manifest.decode(), imageManifestMediaType=image.media_type,
        imageTag=tag)


def link_to(ecr, repository, digest):
    return ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)["downloadUrl"]


# -- uploading ----------------------------------------------------------------------------------------------------------

def test_an_image_pushed_through_the_api_alone_is_pulled_by_docker(ecr, registry, repository):
    image = docker_image(layers=2, size=100_000)
    push_image(ecr, repository, image)
    registry.pull_image(repository, "v1")


def test_upload_answers(ecr, repository):
    data = b"one layer"
    upload = start(ecr, repository)
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", upload)
    answer = part(ecr, repository, upload, 0, data)
    del answer["ResponseMetadata"]
    assert answer == {
        "registryId": ACCOUNT, "repositoryName": repository, "uploadId": upload, "lastByteReceived": len(data) - 1}
    answer = complete(ecr, repository, upload, digest_of(data))
    del answer["ResponseMetadata"]
    assert answer == {
        "registryId": ACCOUNT, "repositoryName": repository, "uploadId": upload, "layerDigest": digest_of(data)}


def test_parts_of_twenty_mebibytes(ecr, registry, repository):
    data = os.urandom(45 * MIB + 12345)
    digest = push(ecr, repository, data)
    assert registry.get_blob(repository, digest).content == data


def test_a_part_may_have_twenty_mebibytes_and_no_more(unchecked_ecr, repository):
    upload = start(unchecked_ecr, repository)
    with refused("InvalidParameterException"):
        part(unchecked_ecr, repository, upload, 0, bytes(20 * MIB + 1))
    assert part(unchecked_ecr, repository, upload, 0, bytes(20 * MIB))["lastByteReceived"] == 20 * MIB - 1


def test_only_a_part_may_have_a_body_that_large(drydock, repository):
    body = {"repositoryName": repository, "imageManifest": "x" * (27 * MIB)}
    assert call(drydock, "PutImage", body).code == "RequestEntityTooLargeException"


def test_slashes_may_be_escaped(drydock, ecr, repository):
    data = b"\xff" * 300
    upload = start(ecr, repository)
    text = base64.b64encode(data).decode().replace("/", "\\/")
    body = (f'{{"repositoryName": "{repository}", "uploadId": "{upload}", "partFirstByte": 0, "partLastByte": 299, '
            f'"layerPartBlob": "{text}"}}').encode()
    assert call(drydock, "UploadLayerPart", body).document["lastByteReceived"] == 299
    complete(ecr, repository, upload, digest_of(data))


@pytest.mark.parametrize("first, last, length", [
    (11, 20, 10),  # a gap
    (9, 18, 10),   # an overlap
    (0, 9, 10),    # the same again
    (10, 20, 10),  # more than is sent
    (10, 18, 10),  # less
    (10, 9, 0),    # nothing
])
def test_parts_must_be_contiguous(ecr, repository, first, last, length):
    upload = start(ecr, repository)
    part(ecr, repository, upload, 0, bytes(10))
    with refused("InvalidLayerPartException") as error:
        part(ecr, repository, upload, first, bytes(length), last)
    extra = {name: error.response.get(name) for name in (
        "registryId", "repositoryName", "uploadId", "lastValidByteReceived")}
    assert extra == {
        "registryId": ACCOUNT, "repositoryName": repository, "uploadId": upload, "lastValidByteReceived": 9}
    part(ecr, repository, upload, 10, b"x")  # goes on all the same


def test_a_first_part_begins_at_nothing(ecr, repository):
    upload = start(ecr, repository)
    with refused("InvalidLayerPartException") as error:
        part(ecr, repository, upload, 5, b"later")
    assert "lastValidByteReceived" not in error.response


def test_a_layer_needs_a_byte(ecr, repository):
    upload = start(ecr, repository)
    with refused("EmptyUploadException"):
        complete(ecr, repository, upload, NOWHERE)
    part(ecr, repository, upload, 0, b"x")
    complete(ecr, repository, upload, digest_of(b"x"))


def test_only_the_last_part_may_be_small(ecr, repository):
    upload = start(ecr, repository)
    part(ecr, repository, upload, 0, bytes(5 * MIB - 1))
    part(ecr, repository, upload, 5 * MIB - 1, b"x")
    with refused("LayerPartTooSmallException"):
        complete(ecr, repository, upload, digest_of(bytes(5 * MIB - 1) + b"x"))
    data = os.urandom(5 * MIB) + b"small"
    assert push(ecr, repository, data, size=5 * MIB) == digest_of(data)


def test_the_digest_must_be_that_of_the_bytes(ecr, repository):
    upload = start(ecr, repository)
    part(ecr, repository, upload, 0, b"something")
    with refused("InvalidLayerException"):
        complete(ecr, repository, upload, NOWHERE)
    with refused("UploadNotFoundException"):
        part(ecr, repository, upload, 9, b" more")
    assert check(ecr, repository, NOWHERE)[0][0]["layerAvailability"] == "UNAVAILABLE"


def test_a_layer_that_is_there(ecr, repository):
    push(ecr, repository, b"twice")
    with refused("LayerAlreadyExistsException"):
        push(ecr, repository, b"twice")
    ecr.create_repository(repositoryName="other")
    push(ecr, "other", b"twice")


@pytest.mark.parametrize("digests", [["md5:" + "0" * 32], ["sha256:" + "A" * 64], [digest_of(b"a"), digest_of(b"b")]])
def test_digests_that_cannot_be(ecr, repository, digests):
    upload = start(ecr, repository)
    part(ecr, repository, upload, 0, b"a")
    with refused("InvalidParameterException"):
        complete(ecr, repository, upload, *digests)
    complete(ecr, repository, upload, digest_of(b"a"))


def test_sha512(ecr, registry, repository):
    import hashlib
    digest = "sha512:" + hashlib.sha512(b"long").hexdigest()
    upload = start(ecr, repository)
    part(ecr, repository, upload, 0, b"long")
    assert complete(ecr, repository, upload, digest)["layerDigest"] == digest
    assert registry.get_blob(repository, digest).content == b"long"


def test_uploads_that_are_not_there(ecr, repository):
    ecr.create_repository(repositoryName="other")
    upload = start(ecr, repository)
    for name, wrong in ((repository, NO_UPLOAD), ("other", upload)):
        with refused("UploadNotFoundException") as error:
            part(ecr, name, wrong, 0, b"x")
        assert wrong in error.message
        with refused("UploadNotFoundException"):
            complete(ecr, name, wrong, NOWHERE)


def test_an_upload_is_forgotten_after_a_day(drydock, ecr, repository):
    upload = start(ecr, repository)
    part(ecr, repository, upload, 0, b"x")
    drydock.advance(25 * 3600)
    with refused("UploadNotFoundException"):
        complete(ecr, repository, upload, digest_of(b"x"))


def test_parts_survive_the_process(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    ecr = server.ecr()
    ecr.create_repository(repositoryName="app")
    data = os.urandom(5 * MIB + 100)
    upload = start(ecr, "app")
    part(ecr, "app", upload, 0, data[:5 * MIB])
    server.restart(kill=True)
    ecr = server.ecr()
    part(ecr, "app", upload, 5 * MIB, data[5 * MIB:])
    complete(ecr, "app", upload, digest_of(data))


def test_no_more_parts_than_the_quota(make_server):
    ecr = make_server("--quota", "layer-parts=2").ecr()
    ecr.create_repository(repositoryName="app")
    upload = start(ecr, "app")
    for at in range(2):
        part(ecr, "app", upload, at, b"x")
    with refused("LimitExceededException") as error:
        part(ecr, "app", upload, 2, b"x")
    assert error.message == "The maximum number of parts per layer (2) has been reached"


def test_repositories_that_are_not_there(ecr):
    for request in (
            lambda: start(ecr, "nobody/here"), lambda: part(ecr, "nobody/here", NO_UPLOAD, 0, b"x"),
            lambda: complete(ecr, "nobody/here", NO_UPLOAD, NOWHERE), lambda: check(ecr, "nobody/here", NOWHERE),
            lambda: link_to(ecr, "nobody/here", NOWHERE)):
        with refused("RepositoryNotFoundException") as error:
            request()
        assert error.message == not_found("nobody/here")


@pytest.mark.parametrize("operation, members", [
    ("UploadLayerPart", {"uploadId": "no-uuid", "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "eA=="}),
    ("UploadLayerPart", {"uploadId": NO_UPLOAD, "partFirstByte": -1, "partLastByte": 0, "layerPartBlob": "eA=="}),
    ("UploadLayerPart", {"uploadId": NO_UPLOAD, "partFirstByte": 0, "partLastByte": 0}),
    ("CompleteLayerUpload", {"uploadId": NO_UPLOAD, "layerDigests": []}),
    ("CompleteLayerUpload", {"uploadId": NO_UPLOAD, "layerDigests": ["nothing"]}),
    ("BatchCheckLayerAvailability", {"layerDigests": []}),
    ("BatchCheckLayerAvailability", {"layerDigests": ["x"] * 101}),
    ("GetDownloadUrlForLayer", {"layerDigest": "nothing"}),
    ("InitiateLayerUpload", {"registryId": "1"}),
])
def test_parameters_are_checked(drydock, repository, operation, members):
    assert call(drydock, operation, {"repositoryName": repository} | members).code == "InvalidParameterException"


def test_garbled_base64(drydock, ecr, repository):
    body = {"repositoryName": repository, "uploadId": start(ecr, repository), "partFirstByte": 0, "partLastByte": 0,
            "layerPartBlob": "?"}
    assert call(drydock, "UploadLayerPart", body).code in ("SerializationException", "InvalidParameterException")


# -- both doors ---------------------------------------------------------------------------------------------------------

def test_an_upload_begun_at_one_door_goes_on_at_the_other(ecr, registry, repository):
    data = b"half and half"
    upload = start(ecr, repository)
    part(ecr, repository, upload, 0, data[:4])
    path = f"/v2/{repository}/blobs/uploads/{upload}"
    assert registry.request("GET", path).headers["Range"] == "0-3"
    answer = registry.request("PUT", f"{path}?digest={digest_of(data)}", data=data[4:])
    assert answer.status_code in (201, 400)  # 400: the first part was a small one
    if answer.status_code == 400:
        assert error_of(answer)[0] == "SIZE_INVALID"


def test_a_layer_pushed_at_one_door_is_there_at_the_other(ecr, registry, repository):
    one, other = random_layer(100), random_layer(200_000)
    registry.push_blob(repository, one.data)
    push(ecr, repository, other.data)
    assert registry.get_blob(repository, other.digest).content == other.data
    assert [layer["layerAvailability"] for layer in check(ecr, repository, one.digest, other.digest)[0]] == [
        "AVAILABLE", "AVAILABLE"]


# -- BatchCheckLayerAvailability ----------------------------------------------------------------------------------------

def test_availability(ecr, registry, repository):
    layer = random_layer(1234)
    registry.push_blob(repository, layer.data)
    layers, failures = check(ecr, repository, layer.digest, "", NOWHERE, "nothing", "md5:" + "0" * 32)
    assert layers == [
        {"layerDigest": layer.digest, "layerAvailability": "AVAILABLE", "layerSize": 1234},
        {"layerDigest": NOWHERE, "layerAvailability": "UNAVAILABLE"},
        {"layerDigest": "md5:" + "0" * 32, "layerAvailability": "UNAVAILABLE"},
    ]
    assert [(failure["layerDigest"], failure["failureCode"]) for failure in failures] == [
        ("", "MissingLayerDigest"), ("nothing", "InvalidLayerDigest")]
    ecr.create_repository(repositoryName="other")
    assert check(ecr, "other", layer.digest)[0][0]["layerAvailability"] == "UNAVAILABLE"


# -- GetDownloadUrlForLayer ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [100, 300_000])
def test_a_link_needs_no_login(drydock, ecr, registry, repository, size):
    image = oci_image(layers=1, size=size)
    registry.push_image(repository, image, "v1")
    layer, = image.layers
    link = link_to(ecr, repository, layer.digest)
    assert link.startswith(drydock.url + "/_drydock/layers/")
    answer = _plain.get(link)
    assert answer.status_code == 200 and answer.content == layer.data
    assert answer.headers["Content-Type"] == "application/octet-stream"
    answer = _plain.get(link, headers={"Range": "bytes=10-19"})
    assert answer.status_code == 206 and answer.content == layer.data[10:20]
    assert answer.headers["Content-Range"] == f"bytes 10-19/{size}"
    answer = _plain.get(link, headers={"Range": f"bytes={size}-"})
    assert answer.status_code == 416 and answer.headers["Content-Range"] == f"bytes */{size}"
    answer = _plain.head(link)
    assert answer.status_code == 200 and int(answer.headers["Content-Length"]) == size
    assert _plain.put(link, data=b"x").status_code == 405


def test_a_link_expires(drydock, ecr, registry, repository):
    image = oci_image()
    registry.push_image(repository, image, "v1")
    link = link_to(ecr, repository, image.config.digest)
    drydock.advance(3590)
    assert _plain.get(link).status_code == 200
    drydock.advance(20)
    answer = _plain.get(link)
    assert answer.status_code == 403 and "expired" in answer.text


def test_a_link_cannot_be_made_or_changed(drydock, ecr, registry, repository):
    image = oci_image()
    registry.push_image(repository, image, "v1")
    link = link_to(ecr, repository, image.config.digest)
    token = ecr.list_images(repositoryName=repository, maxResults=1).get("nextToken", "x")
    for wrong in (link[:-1] + ("A" if link[-1] != "A" else "B"), link[:-5], drydock.url + "/_drydock/layers/",
                  drydock.url + "/_drydock/layers/" + token):
        assert _plain.get(wrong).status_code == 403, wrong


def test_a_link_to_what_has_gone(ecr, registry, repository):
    image = oci_image()
    registry.push_image(repository, image, "v1")
    link = link_to(ecr, repository, image.config.digest)
    ecr.delete_repository(repositoryName=repository, force=True)
    assert _plain.get(link).status_code == 404


def test_layers_without_a_link(ecr, registry, repository):
    layer = random_layer()
    registry.push_blob(repository, layer.data)
    with refused("LayerInaccessibleException") as error:
        link_to(ecr, repository, layer.digest)
    assert layer.digest in error.message
    with refused("LayersNotFoundException") as error:
        link_to(ecr, repository, NOWHERE)
    assert error.message == (
        f"The layer with digest '{NOWHERE}' does not exist within the repository with name '{repository}' in the "
        f"registry with id '{ACCOUNT}'")
