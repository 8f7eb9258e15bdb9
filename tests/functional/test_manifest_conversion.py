"""Manifests in the other media type, by tag and by what the client accepts, at both doors (ecr-behaviour 6.6, 2.3)."""

import base64
import http.client
import json

import pytest
from support.aws import refused
from support.images import (
    DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Blob, converted, digest_of, docker_image,
    docker_list, oci_artifact, oci_image, oci_index, random_layer)
from support.refusals import refusal
from support.waiting import wait_until

SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
NOT_FOUND = (404, "MANIFEST_UNKNOWN", "Requested image not found")
FORMATS = {"docker": (docker_image, OCI_MANIFEST), "oci": (oci_image, DOCKER_MANIFEST)}
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"

# Each with what it is stored as, which is then not accepted; there is nothing to convert it to.
UNCONVERTIBLE = {
    "oci index": lambda: oci_index([oci_image()]),
    "docker list": lambda: docker_list([docker_image()]),
    "artifact": lambda: oci_artifact("application/vnd.example.sbom"),
    "referrer": lambda: oci_image(subject=oci_image().descriptor()),
    "artifactType": lambda: oci_image(artifactType="application/vnd.example.sbom"),
    "zstd": lambda: oci_image(layers=[random_layer(media_type=ZSTD)]),
    "chart": lambda: oci_image(layers=[Blob(b"chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")]),
}


@pytest.fixture(params=FORMATS)
def image(request, registry, repository):
    made = FORMATS[request.param][0](layers=2)
    registry.push_image(repository, made, "v1")
    return made


@pytest.fixture
def other(image):
    return OCI_MANIFEST if image.media_type == DOCKER_MANIFEST else DOCKER_MANIFEST


def check_given(response, body, media_type, method="GET"):
    assert (response.status_code, response.content) == (200, body if method == "GET" else b"")
    assert response.headers["Content-Type"] == media_type
    assert response.headers["Docker-Content-Digest"] == digest_of(body)
    assert response.headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_by_tag(registry, repository, image, other, method):
    answer = registry.get_manifest(repository, "v1", accept=[SCHEMA_1, other, OCI_INDEX], method=method)
    check_given(answer, converted(image), other, method)


def test_all_its_blobs_are_there(registry, repository, image, other):
    document = registry.get_manifest(repository, "v1", accept=[other]).json()
    named = [document["config"], *document["layers"]]
    assert [blob["digest"] for blob in named] == [blob.digest for blob in image.blobs]
    for blob, known in zip(named, image.blobs):
        assert registry.get_blob(repository, blob["digest"]).content == known.data


def test_what_was_converted_can_be_pushed(registry, repository, image, other):
    """A copy by a client that knows the other format only; what is then stored converts back."""
    body = registry.get_manifest(repository, "v1", accept=[other]).content
    answer = registry.put_manifest(repository, "copy", body, other)
    assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (201, digest_of(body))
    check_given(registry.get_manifest(repository, digest_of(body)), body, other)
    back = registry.get_manifest(repository, "copy", accept=[image.media_type]).json()
    assert back == {name: image.document[name] for name in ("schemaVersion", "mediaType", "config", "layers")}


def test_by_digest_never(registry, repository, image, other):
    answer = registry.get_manifest(repository, image.digest, accept=[other])
    check_given(answer, image.manifest, image.media_type)
    assert refusal(registry.get_manifest(repository, digest_of(converted(image)))) == NOT_FOUND


@pytest.mark.parametrize("accept", [
    None, "", "*/*", "application/*", "{stored}", "{other}, {stored}", "{other};q=1, {stored};q=0.1",
    "text/html, */*;q=0.2", "{other}, application/*;q=0.5"])
def test_the_stored_type_is_accepted(registry, repository, image, other, accept):
    headers = {"Accept": accept and accept.format(stored=image.media_type, other=other)}  # None: without
    answer = registry.request("GET", f"{repository}/manifests/v1", headers=headers)
    check_given(answer, image.manifest, image.media_type)


@pytest.mark.parametrize("accept", ["{other}, {stored};q=0", "{stored};q=0, */*", "{OTHER}"])
def test_the_stored_type_is_not_accepted(registry, repository, image, other, accept):
    accept = accept.format(stored=image.media_type, other=other, OTHER=other.upper())
    answer = registry.request("GET", f"{repository}/manifests/v1", headers={"Accept": accept})
    check_given(answer, converted(image), other)


def raw_get(drydock, path, *accept):
    """A request with a field for each, as docker's engine sends them."""
    connection = http.client.HTTPConnection(drydock.host, timeout=30)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    login = base64.b64encode(":".join(drydock.registry().session.auth).encode()).decode()
    connection.putheader("Authorization", f"Basic {login}")
    for value in accept:
        connection.putheader("Accept", value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"], body


def test_accept_in_several_fields(drydock, repository, image, other):
    path = f"/v2/{repository}/manifests/v1"
    stored = (200, image.media_type, image.manifest)
    assert raw_get(drydock, path, SCHEMA_1, other, image.media_type) == stored
    assert raw_get(drydock, path, OCI_INDEX, "*/*") == stored
    assert raw_get(drydock, path, OCI_INDEX, other) == (200, other, converted(image))
    assert raw_get(drydock, path, f"{other}, */*", f"{image.media_type};q=0") == (200, other, converted(image))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", [SCHEMA_1, "application/json", "image/png", OCI_INDEX, f"{SCHEMA_1}, {DOCKER_LIST}"])
def test_nothing_that_is_accepted(registry, repository, image, accept, method):
    answer = registry.request(method, f"{repository}/manifests/v1", headers={"Accept": accept})
    assert answer.status_code == 404
    if method == "GET":
        assert refusal(answer) == NOT_FOUND


@pytest.mark.parametrize("kind", UNCONVERTIBLE)
def test_not_converted(ecr, registry, repository, kind):
    image = UNCONVERTIBLE[kind]()
    registry.push_image(repository, image, "v1")
    others = [one for one in (DOCKER_MANIFEST, OCI_MANIFEST, DOCKER_LIST, OCI_INDEX) if one != image.media_type]
    assert refusal(registry.get_manifest(repository, "v1", accept=others)) == NOT_FOUND
    answer = ecr.batch_get_image(
        repositoryName=repository, imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=others)
    assert answer["images"] == [] and answer["failures"][0]["failureCode"] == "ImageNotFound"
    assert registry.get_manifest(repository, "v1").content == image.manifest


def test_batch_get_image(ecr, repository, image, other):
    """By tag; the digest is that of the manifest that is given, as the registry says it."""
    answer = ecr.batch_get_image(
        repositoryName=repository, imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=[SCHEMA_1, other])
    given, body = answer["images"][0], converted(image)
    assert answer["failures"] == [] and given["imageManifest"].encode() == body
    assert given["imageManifestMediaType"] == other
    assert given["imageId"] == {"imageTag": "v1", "imageDigest": digest_of(body)}


def test_batch_get_image_by_digest_never(ecr, repository, image, other):
    for image_id in ({"imageDigest": image.digest}, {"imageDigest": image.digest, "imageTag": "v1"}):
        answer = ecr.batch_get_image(
            repositoryName=repository, imageIds=[image_id], acceptedMediaTypes=[other])
        assert answer["images"][0]["imageManifest"].encode() == image.manifest
        assert answer["images"][0]["imageId"]["imageDigest"] == image.digest


def test_a_batch_of_all_kinds(ecr, registry, repository, image, other):
    """One that is stored so, one that is converted, one that cannot be."""
    second = FORMATS["oci" if other == OCI_MANIFEST else "docker"][0]()
    registry.push_image(repository, second, "second")
    registry.push_image(repository, oci_index([]), "index")
    answer = ecr.batch_get_image(
        repositoryName=repository, acceptedMediaTypes=[other],
        imageIds=[{"imageTag": tag} for tag in ("index", "v1", "second", "v1")])
    assert [one["imageId"]["imageTag"] for one in answer["images"]] == ["v1", "second", "v1"]
    assert {one["imageManifestMediaType"] for one in answer["images"]} == {other}
    assert answer["images"][1]["imageManifest"].encode() == second.manifest
    assert [one["imageId"] for one in answer["failures"]] == [{"imageTag": "index"}]


def test_a_request_has_so_much_converted_and_no_more(ecr, registry, repository):
    """Also where nothing comes of it: looking at large manifests takes its time."""
    image = oci_image()
    for blob in image.blobs:
        registry.push_blob(repository, blob.data)
    layers = image.document["layers"] * 20000 + [image.descriptor(mediaType=ZSTD)]
    registry.push_blob(repository, image.manifest)
    for number in range(6):
        body = json.dumps(image.document | {"layers": layers, "annotations": {"number": str(number)}}).encode()
        assert registry.put_manifest(repository, f"v{number}", body, OCI_MANIFEST).status_code == 201
    wanted = {"repositoryName": repository, "acceptedMediaTypes": [DOCKER_MANIFEST]}
    # one that is named often is looked at once
    assert len(ecr.batch_get_image(imageIds=[{"imageTag": "v0"}, {"imageTag": "v1"}] * 50, **wanted)["failures"]) == 100
    with refused("LimitExceededException") as error:
        ecr.batch_get_image(imageIds=[{"imageTag": f"v{number}"} for number in range(6)], **wanted)
    assert error.message == (
        "The manifests to be converted are larger than 16 MiB. Ask for fewer items at a time.")


@pytest.mark.parametrize("door", ["registry", "api"])
def test_it_counts_as_a_pull(ecr, registry, repository, image, other, door):
    if door == "registry":
        registry.get_manifest(repository, "v1", accept=[other])
    else:
        ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=[other])
    detail, = wait_until(lambda: [
        one for one in ecr.describe_images(repositoryName=repository)["imageDetails"] if "lastRecordedPullTime" in one])
    assert detail["imageDigest"] == image.digest


@pytest.mark.parametrize("layers, converts", [(1000, True), (27000, False)])
def test_a_large_manifest(registry, repository, layers, converts):
    """What would be larger than a manifest may be, in the other format's longer words, is not converted."""
    image = oci_image()
    for blob in image.blobs:
        registry.push_blob(repository, blob.data)
    document = image.document | {"layers": image.document["layers"] * layers}
    body = json.dumps(document, separators=(",", ":")).encode()
    assert registry.put_manifest(repository, "v1", body, OCI_MANIFEST).status_code == 201
    answer = registry.get_manifest(repository, "v1", accept=[DOCKER_MANIFEST])
    if converts:
        assert len(answer.json()["layers"]) == layers
    else:
        assert refusal(answer) == NOT_FOUND
