"""ListImageReferrers (ecr-behaviour 2.3): filters, pages, what is told."""

import pytest
from support.api import call, pages
from support.aws import refused
from support.images import OCI_MANIFEST, oci_artifact, oci_image
from support.refusals import invalid, not_found

SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"
NOWHERE = "sha256:" + "0" * 64


def referrers(ecr, repository, subject, **more):
    return ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": subject}, **more)


@pytest.fixture
def subject(registry, repository):
    image = oci_image()
    registry.push_image(repository, image, "v1")
    return image


def push_referrers(registry, repository, subject, *types, **members):
    made = [oci_artifact(kind, subject=subject, **members) for kind in types]
    for artifact in made:
        registry.push_image(repository, artifact)
    return sorted(made, key=lambda artifact: artifact.digest)


def test_what_is_told(ecr, registry, repository, subject):
    artifact, = push_referrers(
        registry, repository, subject, SBOM, annotations={"org.example.by": "me", "empty": ""})
    answer = referrers(ecr, repository, subject.digest)
    assert answer["referrers"] == [{
        "digest": artifact.digest, "mediaType": OCI_MANIFEST, "artifactType": SBOM, "size": artifact.size,
        "annotations": {"org.example.by": "me", "empty": ""}, "artifactStatus": "ACTIVE"}]
    assert "nextToken" not in answer


def test_subjects_without_referrers(ecr, repository, subject):
    for digest in (subject.digest, NOWHERE, "md5:" + "0" * 32):
        assert referrers(ecr, repository, digest)["referrers"] == []


def test_a_subject_that_comes_later(ecr, registry, repository):
    image = oci_image()
    artifact, = push_referrers(registry, repository, image, SBOM)
    assert referrers(ecr, repository, image.digest)["referrers"][0]["digest"] == artifact.digest


def test_filter_by_type(ecr, registry, repository, subject):
    made = push_referrers(registry, repository, subject, SBOM, SIGNATURE, SBOM, "application/vnd.example.other")

    def found(*types):
        answer = referrers(ecr, repository, subject.digest, filter={"artifactTypes": list(types)})
        return [referrer["digest"] for referrer in answer["referrers"]]

    assert found() == [artifact.digest for artifact in made]
    for types in ((SBOM,), (SBOM, SIGNATURE), ("application/vnd.nothing",)):
        assert found(*types) == [
            artifact.digest for artifact in made if artifact.document["artifactType"] in types]


def test_filter_by_status(drydock, ecr, registry, repository, subject):
    artifact, = push_referrers(registry, repository, subject, SBOM)

    def found(*statuses):
        return [
            [referrer["artifactStatus"] for referrer in referrers(
                ecr, repository, subject.digest, filter={"artifactStatus": status})["referrers"]]
            for status in statuses]

    def move(target):
        ecr.update_image_storage_class(
            repositoryName=repository, imageId={"imageTag": "v1"}, targetStorageClass=target)

    every = ("ACTIVE", "ARCHIVED", "ACTIVATING", "ANY")
    assert found(*every) == [["ACTIVE"], [], [], ["ACTIVE"]]
    move("ARCHIVE")
    assert found(*every) == [[], ["ARCHIVED"], [], ["ARCHIVED"]]
    assert referrers(ecr, repository, subject.digest)["referrers"] == []
    index = registry.request("GET", f"/v2/{repository}/referrers/{subject.digest}").json()
    assert index["manifests"] == []
    move("STANDARD")
    assert found(*every) == [[], [], ["ACTIVATING"], ["ACTIVATING"]]
    drydock.advance(61)
    assert found(*every) == [["ACTIVE"], [], [], ["ACTIVE"]]


def test_pages(ecr, registry, repository, subject):
    made = push_referrers(registry, repository, subject, *[SBOM] * 23)
    for size in (1, 5, 50):
        found = list(pages(
            ecr.list_image_referrers, "referrers", repositoryName=repository,
            subjectId={"imageDigest": subject.digest}, maxResults=size))
        assert all(len(page) == size for page in found[:-1])
        assert [r["digest"] for page in found for r in page] == [artifact.digest for artifact in made]
    first = referrers(ecr, repository, subject.digest)
    assert len(first["referrers"]) == 20
    assert len(referrers(ecr, repository, subject.digest, nextToken=first["nextToken"])["referrers"]) == 3


def test_a_token_is_good_for_one_list(ecr, registry, repository, subject):
    push_referrers(registry, repository, subject, SBOM, SBOM)
    token = referrers(ecr, repository, subject.digest, maxResults=1)["nextToken"]
    for wrong in (lambda: referrers(ecr, repository, NOWHERE, nextToken=token),
                  lambda: referrers(ecr, repository, subject.digest, nextToken=token, filter={"artifactTypes": [SBOM]}),
                  lambda: referrers(ecr, repository, subject.digest, nextToken=token + "x")):
        with refused("InvalidParameterException") as error:
            wrong()
        assert error.message == invalid("NextToken", "Invalid next token provided")


def test_both_doors_tell_the_same(ecr, registry, repository, subject):
    push_referrers(registry, repository, subject, SBOM, SIGNATURE)
    index = registry.request("GET", f"/v2/{repository}/referrers/{subject.digest}").json()
    assert {entry["digest"] for entry in index["manifests"]} == {
        referrer["digest"] for referrer in referrers(ecr, repository, subject.digest)["referrers"]}


def test_repositories_that_are_not_there(ecr):
    with refused("RepositoryNotFoundException") as error:
        referrers(ecr, "nobody/here", NOWHERE)
    assert error.message == not_found("nobody/here")


@pytest.mark.parametrize("members", [
    {}, {"subjectId": {}}, {"subjectId": {"imageDigest": "nothing"}},
    {"subjectId": {"imageDigest": NOWHERE}, "maxResults": 0}, {"subjectId": {"imageDigest": NOWHERE}, "maxResults": 51},
    {"subjectId": {"imageDigest": NOWHERE}, "filter": {"artifactTypes": ["x"] * 6}},
    {"subjectId": {"imageDigest": NOWHERE}, "filter": {"artifactTypes": [""]}},
    {"subjectId": {"imageDigest": NOWHERE}, "filter": {"artifactStatus": "GONE"}},
])
def test_parameters_are_checked(drydock, repository, members):
    answer = call(drydock, "ListImageReferrers", {"repositoryName": repository} | members)
    assert answer.code in ("InvalidParameterException", "ValidationException")
