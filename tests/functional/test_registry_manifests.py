"""Manifests by tag and by digest: PUT, GET, HEAD, DELETE (OCI distribution-spec; ecr-behaviour 6.2, 6.6)."""

import hashlib
import json

import pytest
import requests
from support.cases import cases
from support.images import (
    DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Image, digest_of, docker_image, docker_list, oci_artifact, oci_image,
    oci_index)
from support.refusals import ACCOUNT, TAG_PATTERN, invalid, name_invalid, refusal

NOWHERE = "sha256:" + "0" * 64
NOT_FOUND = (404, "MANIFEST_UNKNOWN", "Requested image not found")
KINDS = {
    "docker image": lambda: docker_image(layers=2),
    "docker list": lambda: docker_list([docker_image(), docker_image(architecture="arm64")]),
    "oci image": lambda: oci_image(layers=2),
    "oci image without layers": lambda: oci_image(layers=0),
    "oci index": lambda: oci_index([oci_image(), docker_image()]),
    "oci index of nothing": lambda: oci_index([]),
    "artifact": lambda: oci_artifact("application/vnd.example.sbom"),
    "referrer": lambda: oci_artifact("application/vnd.example.sbom", subject=oci_image()),
}


def push_parts(registry, repository, image):
    """Everything but the manifest itself."""
    for child in image.children:
        registry.push_image(repository, child)
    for blob in image.blobs:
        assert registry.push_blob(repository, blob.data).status_code == 201


def as_it_stands(registry, method, path):
    """A request for a path that a client library would rather write otherwise."""
    body = b"x" if method in ("PUT", "PATCH") else None
    request = registry.session.prepare_request(requests.Request(method, f"{registry.url}/v2/", data=body))
    request.url = f"{registry.url}/v2/{path}"
    return registry.session.send(request, timeout=30)


# -- PUT, GET, HEAD ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("by", ["tag", "digest"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(registry, repository, kind, by):
    image = KINDS[kind]()
    push_parts(registry, repository, image)
    reference = "v1" if by == "tag" else image.digest
    put = registry.put_manifest(repository, reference, image.manifest, image.media_type)
    assert (put.status_code, put.content) == (201, b"")
    assert put.headers["Location"] == f"/v2/{repository}/manifests/{image.digest}"
    assert put.headers["Docker-Content-Digest"] == image.digest
    subject = image.document.get("subject")
    assert put.headers.get("OCI-Subject") == (subject and subject["digest"])

    for asked in {reference, image.digest}:
        get = registry.get_manifest(repository, asked)
        head = registry.get_manifest(repository, asked, method="HEAD")
        assert (get.status_code, get.content) == (200, image.manifest)
        assert (head.status_code, head.content) == (200, b"")
        assert get.headers["Content-Type"] == image.media_type
        assert get.headers["Content-Length"] == str(image.size)
        assert get.headers["Docker-Content-Digest"] == image.digest
        assert get.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
        assert {**get.headers, "Date": ""} == {**head.headers, "Date": ""}
    assert registry.tags(repository).json()["tags"] == (["v1"] if by == "tag" else [])


def test_the_bytes_are_kept(registry, repository):
    """Whatever blanks, order or escapes a client uses: the digest is of these bytes."""
    image = oci_image(annotations={"who": "Zoë \U0001f680 \u2028"})
    push_parts(registry, repository, image)
    texts = [
        json.dumps(image.document).encode(), json.dumps(image.document, indent="\t", ensure_ascii=False).encode(),
        json.dumps(image.document, separators=(",", ":")).encode(), b"\r\n " + image.manifest + b"\n\n",
        json.dumps(image.document | {"unknown": [1.50, 1e3, None]}).encode()]
    for number, text in enumerate(texts):
        response = registry.put_manifest(repository, f"v{number}", text, image.media_type)
        assert (response.status_code, response.headers["Docker-Content-Digest"]) == (201, digest_of(text))
        assert registry.get_manifest(repository, f"v{number}").content == text
        assert registry.get_manifest(repository, digest_of(text)).content == text


@pytest.mark.parametrize("content_type, kept", [
    (OCI_MANIFEST, OCI_MANIFEST), (DOCKER_MANIFEST, DOCKER_MANIFEST), (OCI_MANIFEST + "; charset=utf-8", OCI_MANIFEST),
    ("application/json", OCI_MANIFEST), (None, OCI_MANIFEST)])
def test_the_media_type(registry, repository, content_type, kept):
    """That of Content-Type; without one that says what it is, what the members tell."""
    image = oci_image()
    push_parts(registry, repository, image)
    bare = json.dumps({name: value for name, value in image.document.items() if name != "mediaType"}).encode()
    headers = {"Content-Type": content_type} if content_type else {}
    response = registry.request("PUT", f"{repository}/manifests/v1", data=bare, headers=headers)
    assert response.status_code == 201, response.text
    assert registry.get_manifest(repository, "v1").headers["Content-Type"] == kept


def test_sha512_references(ecr, registry, repository):
    image = oci_image()
    push_parts(registry, repository, image)
    digest = "sha512:" + hashlib.sha512(image.manifest).hexdigest()
    response = registry.put_manifest(repository, digest, image.manifest, image.media_type)
    assert (response.status_code, response.headers["Docker-Content-Digest"]) == (201, digest)
    assert registry.get_manifest(repository, digest).content == image.manifest
    assert refusal(registry.get_manifest(repository, image.digest)) == NOT_FOUND
    assert ecr.list_images(repositoryName=repository)["imageIds"] == [{"imageDigest": digest}]


def test_the_same_again(ecr, registry, repository):
    """The API would refuse it; a docker push that changes nothing succeeds."""
    image = oci_image()
    for _ in range(3):
        registry.push_image(repository, image, "v1", "v2", image.digest)
    ids = ecr.list_images(repositoryName=repository)["imageIds"]
    assert ids == [{"imageDigest": image.digest, "imageTag": tag} for tag in ("v1", "v2")]


def test_a_tag_moves(ecr, registry, repository):
    old, new = oci_image(), docker_image()
    registry.push_image(repository, old, "latest", "old")
    registry.push_image(repository, new, "latest")
    assert registry.get_manifest(repository, "latest").content == new.manifest
    assert registry.get_manifest(repository, "old").content == old.manifest
    registry.push_image(repository, new, "old")
    assert registry.get_manifest(repository, old.digest).content == old.manifest
    details = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert {detail["imageDigest"]: detail.get("imageTags") for detail in details} == {
        old.digest: None, new.digest: ["latest", "old"]}


def test_immutable_tags(ecr, registry):
    ecr.create_repository(
        repositoryName="app", imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}])
    old, new = oci_image(), oci_image()
    registry.push_image("app", old, "v1", "dev-1")
    push_parts(registry, "app", new)
    assert refusal(registry.put_manifest("app", "v1", new.manifest, new.media_type)) == (
        400, "TAG_INVALID",
        "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the tag is "
        "immutable.")
    assert refusal(registry.get_manifest("app", new.digest)) == NOT_FOUND, "a refused push leaves nothing"
    registry.push_image("app", old, "v1")
    registry.push_image("app", new, "dev-1", "v2", new.digest)
    assert registry.get_manifest("app", "v1").content == old.manifest


# -- refusals ---------------------------------------------------------------------------------------------------------

REFUSED = cases("refused-manifests")


@pytest.mark.parametrize("name", REFUSED)
def test_refused_manifests(ecr, registry, repository, name):
    """testdata/refused-manifests/: ECR calls it a parameter of its API that is invalid."""
    case = REFUSED[name]
    for reference in ("v1", digest_of(case.sent)):
        response = registry.put_manifest(repository, reference, case.sent, case.fields["content-type"])
        assert refusal(response) == (405, "UNSUPPORTED", case.fields["refused"])
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_missing_layers(ecr, registry, repository):
    image = oci_image(layers=3)
    registry.push_blob(repository, image.layers[1].data)
    missing = ", ".join([image.config.digest, image.layers[0].digest, image.layers[2].digest])
    for reference in ("v1", image.digest):
        assert refusal(registry.put_manifest(repository, reference, image.manifest, image.media_type)) == (
            404, "MANIFEST_BLOB_UNKNOWN",
            f"Layers with digests '[{missing}]' required for pushing image into repository with name '{repository}' in "
            f"the registry with id '{ACCOUNT}' do not exist")
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    registry.push_image(repository, image, "v1")


def test_missing_children(ecr, registry, repository):
    there, missing = oci_image(), oci_image()
    registry.push_image(repository, there)
    ecr.create_repository(repositoryName="other")
    registry.push_image("other", missing)
    for build in (oci_index, docker_list):
        index = build([there, missing])
        assert refusal(registry.put_manifest(repository, "v1", index.manifest, index.media_type)) == (
            404, "MANIFEST_BLOB_UNKNOWN",
            f"Images with digests '[{missing.digest}]' required for pushing image into repository with name "
            f"'{repository}' in the registry with id '{ACCOUNT}' do not exist")
    assert registry.tags(repository).json()["tags"] == []


def test_a_blob_is_no_child_and_a_manifest_no_layer(registry, repository):
    """Children are images of this repository, layers its blobs: the one does not stand for the other."""
    image = oci_image()
    registry.push_image(repository, image)
    assert registry.head_blob(repository, image.digest).status_code == 404
    assert registry.get_manifest(repository, image.config.digest).status_code == 404
    blob = Image(image.document, OCI_MANIFEST)
    blob.digest, blob.size = image.layers[0].digest, image.layers[0].size
    index = oci_index([blob])
    assert refusal(registry.put_manifest(repository, "v1", index.manifest, OCI_INDEX))[:2] == (
        404, "MANIFEST_BLOB_UNKNOWN")


def test_another_digest(registry, repository):
    image, other = oci_image(), oci_image()
    push_parts(registry, repository, image)
    for digest in (other.digest, NOWHERE, "sha512:" + "0" * 128):
        assert refusal(registry.put_manifest(repository, digest, image.manifest, image.media_type)) == (
            400, "MANIFEST_INVALID",
            f"The image with digest '{digest}' in repository '{repository}' and registry ID '{ACCOUNT}' does not match "
            "the image digest that Amazon ECR has calculated.")
    assert refusal(registry.get_manifest(repository, image.digest)) == NOT_FOUND


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("reference", [
    "t" * 129, "a+b", ".a", "-a", "a b", "a%20b", "é", "a%ff", "t" * 4000, "sha256:abc", "sha256:" + "A" * 64,
    "md5:d41d8cd98f00b204e9800998ecf8427e", ":", "a:b"])
def test_references_that_are_none(registry, repository, method, reference):
    image = oci_image()
    if method == "PUT":
        response = registry.put_manifest(repository, reference, image.manifest, image.media_type)
    else:
        response = registry.request(method, f"{repository}/manifests/{reference}")
    assert response.status_code == 400
    if method == "HEAD":
        return
    status, code, message = refusal(response)
    if ":" in reference:
        assert code == "DIGEST_INVALID"
    else:
        assert (code, message) == (
            "TAG_INVALID", invalid("imageTag", f"must satisfy regular expression '{TAG_PATTERN}'"))


@pytest.mark.parametrize("reference", [
    "a", "_", "T.a-g_9", "t" * 128, "sha256-" + "0" * 64, "latest", "manifests", "blobs"])
def test_good_tags(registry, repository, reference):
    image = oci_image()
    registry.push_image(repository, image, reference)
    assert registry.pull_image(repository, reference) == image.manifest


@pytest.mark.parametrize("name", [
    "Team/app", "team/App", "a..b", "a/../b", "../../etc", "..", "a//b", "a_-b", "-a", "a-", "a" * 257, "a%20b", "x",
    "%2e%2e/%2e%2e", "a%c0%af", "team/app/", "/team/app"])
def test_names_that_are_none(registry, repository, name):
    """By every route; ECR calls it a parameter that is invalid."""
    paths = [
        ("GET", "manifests/v1"), ("PUT", "manifests/v1"), ("DELETE", "manifests/v1"), ("GET", "tags/list"),
        ("GET", f"blobs/{NOWHERE}"), ("POST", "blobs/uploads/"),
        ("PATCH", "blobs/uploads/00000000-0000-4000-8000-000000000000")]
    for method, path in paths:
        assert refusal(as_it_stands(registry, method, f"{name}/{path}")) == name_invalid(), f"{method} {path}"


@pytest.mark.parametrize("name", [
    "ab", "a/b", "a.b", "a_b", "a__b", "a--b-c", "team/web-app/api.v2/x__y", "blobs/uploads",
    "manifests/tags/list", "a" * 256])
def test_names_that_are_good(ecr, registry, name):
    """Also those made of the words that paths are made of."""
    ecr.create_repository(repositoryName=name)
    image = oci_image()
    registry.push_image(name, image, "v1", "list", "uploads")
    for reference in ("v1", "list", image.digest):
        assert registry.pull_image(name, reference) == image.manifest
    assert registry.tags(name).json() == {"name": name, "tags": ["list", "uploads", "v1"]}


@pytest.mark.parametrize("path", [
    "team/app/manifests/a%00b", "team/app/manifests/%zz", "team%00/tags/list", "team/app/blobs/uploads/%", "%2"])
def test_escapes_that_are_none(registry, repository, path):
    for method in ("GET", "PUT", "DELETE"):
        assert refusal(as_it_stands(registry, method, path))[0] in (400, 404, 405)


def test_unknown_manifests(ecr, registry, repository):
    image = oci_image()
    ecr.create_repository(repositoryName="other")
    registry.push_image("other", image, "v1")
    for reference in ("v1", "latest", image.digest, NOWHERE, "sha512:" + "0" * 128):
        assert refusal(registry.get_manifest(repository, reference)) == NOT_FOUND
        assert refusal(registry.request("DELETE", f"{repository}/manifests/{reference}")) == NOT_FOUND
        head = registry.get_manifest(repository, reference, method="HEAD")
        assert (head.status_code, head.content) == (404, b"")


def test_no_repository(registry):
    image = oci_image()
    text = f"The repository with name 'team/none' does not exist in the registry with id '{ACCOUNT}'"
    for response in (
            registry.get_manifest("team/none", "v1"), registry.get_manifest("team/none", NOWHERE),
            registry.put_manifest("team/none", "v1", image.manifest, image.media_type),
            registry.request("DELETE", "team/none/manifests/v1"), registry.tags("team/none")):
        assert refusal(response) == (404, "NAME_UNKNOWN", text)


def test_too_large(registry, repository):
    image = oci_image()
    push_parts(registry, repository, image)
    for size, expected in (((4 << 20), 201), ((4 << 20) + 1, 413)):
        fill = size - len(json.dumps(image.document | {"annotations": {"fill": ""}}))
        manifest = json.dumps(image.document | {"annotations": {"fill": "x" * fill}}).encode()
        assert len(manifest) == size
        for body in (manifest, iter([manifest])):
            response = registry.put_manifest(repository, "large", body, image.media_type)
            assert response.status_code == expected
    assert refusal(response) == (413, "SIZE_INVALID", "The request body is larger than this request may have")
    assert registry.get_manifest(repository, "large").headers["Content-Length"] == str(4 << 20)


@pytest.mark.parametrize("method", ["POST", "PATCH", "OPTIONS"])
def test_other_methods(registry, repository, method):
    for path in ("manifests/v1", "tags/list"):
        response = registry.request(method, f"{repository}/{path}", data=b"x")
        assert refusal(response) == (405, "UNSUPPORTED", "This method is not allowed here")


# -- DELETE -----------------------------------------------------------------------------------------------------------

def test_delete(ecr, registry, repository):
    image = oci_image()
    registry.push_image(repository, image, "v1", "v2")
    response = registry.request("DELETE", f"{repository}/manifests/v1")
    assert (response.status_code, response.content) == (202, b"")
    assert registry.tags(repository).json()["tags"] == ["v2"]
    assert registry.request("DELETE", f"{repository}/manifests/{image.digest}").status_code == 202
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    for reference in ("v2", image.digest):
        assert refusal(registry.get_manifest(repository, reference)) == NOT_FOUND
    registry.push_image(repository, image, "v1")
    assert registry.request("DELETE", f"{repository}/manifests/v1").status_code == 202
    assert refusal(registry.get_manifest(repository, image.digest)) == NOT_FOUND, "the last tag takes the image along"


def test_children_are_protected(registry, repository):
    index = oci_index([oci_image(), oci_image()])
    registry.push_image(repository, index, "multi")
    child = index.children[0].digest
    assert refusal(registry.request("DELETE", f"{repository}/manifests/{child}")) == (
        405, "UNSUPPORTED", f"Requested image referenced by manifest list: [{index.digest}]")
    assert registry.pull_image(repository, "multi") == index.manifest
    assert registry.request("DELETE", f"{repository}/manifests/multi").status_code == 202
    assert registry.request("DELETE", f"{repository}/manifests/{child}").status_code == 202
