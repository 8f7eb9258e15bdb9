"""Referrers: paging, filters, subjects that come later or go (OCI distribution-spec "Listing Referrers")."""

import hashlib
import json
import re

import pytest
from support.images import OCI_INDEX, OCI_MANIFEST, oci_artifact, oci_image, oci_index
from support.waiting import wait_until

REPOSITORY = "team/app"
SBOM, SIGNATURE = "application/vnd.example.sbom+json", "application/vnd.example.signature"


@pytest.fixture(params=["ecr", "oci"])
def registry(request, make_server):
    server = make_server("--profile", request.param)
    server.ecr().create_repository(repositoryName=REPOSITORY)
    client = server.registry()
    client.absolute_links = request.param == "ecr"
    client.ecr = server.ecr()
    yield client
    client.close()


def referrers(registry, digest, **query):
    """(descriptors of all pages, how many pages, the filters that were applied)."""
    found, pages, path = [], 0, f"/v2/{REPOSITORY}/referrers/{digest}"
    while path:
        answer = registry.request("GET", path, params=query)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, OCI_INDEX), answer.text
        document = answer.json()
        assert (document["schemaVersion"], document["mediaType"]) == (2, OCI_INDEX)
        found, pages, query = found + document["manifests"], pages + 1, {}
        link = answer.headers.get("Link")
        path = re.fullmatch(r'<(.+)>; rel="next"', link)[1] if link else None
        assert not path or path.startswith("http://" if registry.absolute_links else "/v2/")
    return found, pages, answer.headers.get("OCI-Filters-Applied")


def push_many(registry, subject, count):
    """Half of them with a tag: paging must not care. One blob for all: they differ in an annotation."""
    pushed = []
    first = oci_artifact(SBOM, subject)
    registry.push_image(REPOSITORY, first)
    for number in range(count):
        document = first.document | {
            "artifactType": SBOM if number % 3 else SIGNATURE, "annotations": {"number": str(number)}}
        manifest = json.dumps(document).encode()
        reference = f"t{number}" if number % 2 else None
        if not reference:
            reference = "sha256:" + hashlib.sha256(manifest).hexdigest()
        answer = registry.put_manifest(REPOSITORY, reference, manifest, OCI_MANIFEST)
        assert (answer.status_code, answer.headers["OCI-Subject"]) == (201, subject.digest)
        pushed.append((answer.headers["Docker-Content-Digest"], document["artifactType"], str(number), len(manifest)))
    return first, pushed


def test_pages(registry):
    subject = oci_image()
    first, pushed = push_many(registry, subject, 119)
    found, pages, applied = referrers(registry, subject.digest)
    assert (len(found), pages, applied) == (120, 3, None)
    assert [one["digest"] for one in found] == sorted(one["digest"] for one in found)
    told = {(one["digest"], one["artifactType"], one["annotations"]["number"], one["size"])
            for one in found if one["digest"] != first.digest}
    assert told == set(pushed)
    found, pages, applied = referrers(registry, subject.digest, artifactType=SIGNATURE, n="10")
    assert [one["artifactType"] for one in found] == [SIGNATURE] * 40
    assert (pages, applied) == (4, "artifactType")
    found, pages, _ = referrers(registry, subject.digest, artifactType=SBOM, n="50")
    assert (len(found), pages) == (80, 2)


def test_no_annotations_no_artifact_type(registry):
    subject = oci_image()
    plain = oci_image(subject=subject.descriptor())
    registry.push_image(REPOSITORY, plain)
    index = oci_index([], subject=subject.descriptor())
    registry.push_image(REPOSITORY, index)
    found = {one["digest"]: one for one in referrers(registry, subject.digest)[0]}
    assert found[plain.digest] == plain.descriptor(artifactType=plain.config.media_type)
    assert found[index.digest] == index.descriptor()


def test_the_subject_may_come_later_and_go_first(registry):
    subject = oci_image()
    artifact = oci_artifact(SBOM, subject)
    assert referrers(registry, subject.digest)[0] == []
    registry.push_image(REPOSITORY, artifact, "sbom")
    assert [one["digest"] for one in referrers(registry, subject.digest)[0]] == [artifact.digest]
    registry.push_image(REPOSITORY, subject, "v1")
    assert registry.request("DELETE", f"{REPOSITORY}/manifests/{subject.digest}").status_code == 202
    assert [one["digest"] for one in referrers(registry, subject.digest)[0]] == [artifact.digest]
    assert registry.request("DELETE", f"{REPOSITORY}/manifests/{artifact.digest}").status_code == 202
    assert referrers(registry, subject.digest)[0] == []


def test_large_annotations_end_a_page_early(registry):
    subject = oci_image()
    artifact = oci_artifact(SBOM, subject)
    registry.push_image(REPOSITORY, artifact)
    for number in range(9):
        document = artifact.document | {"annotations": {"number": str(number), "large": "x" * 1_000_000}}
        assert registry.put_manifest(
            REPOSITORY, f"t{number}", json.dumps(document).encode(), OCI_MANIFEST).status_code == 201
    found, pages, _ = referrers(registry, subject.digest)
    assert len(found) == 10 and pages >= 2


def test_manifests_are_kept_byte_for_byte(registry):
    image = oci_image()
    for blob in image.blobs:
        registry.push_blob(REPOSITORY, blob.data)
    text = json.dumps(image.document | {"x-unknown": [1.50, {"b": None, "a": "\u00e9"}]}, ensure_ascii=False, indent=7)
    sent = (text + "\n \t").encode()
    assert registry.put_manifest(REPOSITORY, "v1", sent, OCI_MANIFEST).status_code == 201
    assert registry.get_manifest(REPOSITORY, "v1").content == sent


def test_a_pull_is_remembered_a_look_is_not(registry):
    image = oci_image()
    registry.push_image(REPOSITORY, image, "v1")

    def pulled():
        return registry.ecr.describe_images(repositoryName=REPOSITORY)["imageDetails"][0].get("lastRecordedPullTime")

    assert registry.get_manifest(REPOSITORY, "v1", method="HEAD").status_code == 200
    registry.tags(REPOSITORY)
    assert pulled() is None
    registry.pull_image(REPOSITORY, "v1")
    wait_until(pulled)


def test_a_failed_put_with_tags_sets_none(registry):
    lacking = oci_image()
    path = f"{REPOSITORY}/manifests/{lacking.digest}?tag=a&tag=b"
    answer = registry.request("PUT", path, data=lacking.manifest, headers={"Content-Type": OCI_MANIFEST})
    assert answer.status_code == 404
    registry.push_image(REPOSITORY, lacking)
    answer = registry.request("PUT", path, data=lacking.manifest, headers={"Content-Type": OCI_MANIFEST})
    assert (answer.status_code, answer.headers["OCI-Tag"]) == (201, "a, b")
    assert registry.tags(REPOSITORY).json()["tags"] == ["a", "b"]
