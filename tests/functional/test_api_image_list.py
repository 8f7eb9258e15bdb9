"""ListImages and DescribeImages (ecr-behaviour 2.3): what they tell of an image, filters, pages."""

import pytest
from support.api import call, pages
from support.aws import refused
from support.images import OCI_INDEX, Image, docker_image, docker_list, oci_artifact, oci_image, oci_index
from support.refusals import ACCOUNT, invalid
from support.shapes import seconds

NOON = 1772366400  # 2026-03-01T12:00:00Z
DAY = 86400
NOWHERE = "sha256:" + "0" * 64


def pairs(image_ids):
    return [(image_id["imageDigest"], image_id.get("imageTag")) for image_id in image_ids]


def digests(details):
    return [detail["imageDigest"] for detail in details]


def describe(ecr, repository, *image_ids, **more):
    named = {"imageIds": list(image_ids)} if image_ids else {}
    return ecr.describe_images(repositoryName=repository, **named, **more)["imageDetails"]


@pytest.fixture
def images(registry, repository):
    """Four images: two tags, one tag, none, none."""
    made = [oci_image() for _ in range(4)]
    for image, tags in zip(made, (("one", "uno"), ("two",), (), ())):
        registry.push_image(repository, image, *tags)
    return made


# -- what is told -----------------------------------------------------------------------------------------------------

def test_details(drydock, ecr, registry, repository):
    drydock.set_clock("2026-03-01T12:00:00Z")
    image = docker_image(layers=3, size=1000)
    registry.push_image(repository, image, "zeta", "alpha")
    detail, = describe(ecr, repository)
    assert NOON <= seconds(detail.pop("imagePushedAt")) < NOON + 60
    assert detail == {
        "registryId": ACCOUNT, "repositoryName": repository, "imageDigest": image.digest,
        "imageTags": ["alpha", "zeta"], "imageSizeInBytes": 3000, "imageManifestMediaType": image.media_type,
        "artifactMediaType": "application/vnd.docker.container.image.v1+json", "imageStatus": "ACTIVE",
    }


def test_details_of_every_kind(ecr, registry, repository):
    small, large = oci_image(layers=1, size=500), docker_image(layers=2, size=2000)
    artifact = oci_artifact("application/vnd.example.sbom", subject=small, size=77)
    index, lists = oci_index([small, large]), docker_list([small])
    for image in (index, lists, artifact):
        registry.push_image(repository, image)
    found = {detail["imageDigest"]: detail for detail in describe(ecr, repository)}
    assert set(found) == {image.digest for image in (small, large, artifact, index, lists)}
    # An index is as large as its largest child.
    assert [found[image.digest]["imageSizeInBytes"] for image in (small, large, artifact, index, lists)] == [
        500, 4000, 77, 4000, 500]
    assert found[index.digest]["imageManifestMediaType"] == OCI_INDEX
    assert "artifactMediaType" not in found[index.digest] and "artifactMediaType" not in found[lists.digest]
    assert found[small.digest]["artifactMediaType"] == "application/vnd.oci.image.config.v1+json"
    assert found[artifact.digest]["artifactMediaType"] == "application/vnd.example.sbom"
    assert found[artifact.digest]["subjectManifestDigest"] == small.digest
    assert all("subjectManifestDigest" not in detail for digest, detail in found.items() if digest != artifact.digest)
    assert all("imageTags" not in detail for detail in found.values())


def test_a_subject_need_not_be_there(ecr, registry, repository):
    artifact = oci_artifact("application/vnd.example.sbom", subject=oci_image())
    registry.push_image(repository, artifact, "sbom")
    detail, = describe(ecr, repository)
    assert detail["subjectManifestDigest"] == artifact.document["subject"]["digest"]


@pytest.mark.parametrize("pull", ["docker by tag", "docker by digest", "BatchGetImage"])
def test_pulls_are_recorded_once_a_day(drydock, ecr, registry, repository, pull):
    def pulled_at():
        """A pull is noted behind its answer, but writes are done in order: once this one is, so is that."""
        repositories = ecr.describe_repositories()["repositories"]
        ecr.create_repository(repositoryName=f"later-{len(repositories)}")
        when = describe(ecr, repository)[0].get("lastRecordedPullTime")
        return when and seconds(when)

    def pull_once():
        if pull == "BatchGetImage":
            ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
        else:
            registry.get_manifest(repository, "v1" if pull == "docker by tag" else image.digest)

    image = oci_image()
    drydock.set_clock("2026-03-01T12:00:00Z")
    registry.push_image(repository, image, "v1")
    registry.get_manifest(repository, "v1", method="HEAD")  # looks, does not pull
    assert pulled_at() is None
    pull_once()
    first = pulled_at()
    assert NOON <= first < NOON + 60
    drydock.advance(DAY - 3600)
    pull_once()
    assert pulled_at() == first
    drydock.advance(7200)
    pull_once()
    assert NOON + DAY + 3600 <= pulled_at() < NOON + DAY + 3660


# -- ids --------------------------------------------------------------------------------------------------------------

def test_describe_by_ids(ecr, repository, images):
    one, two, three, _ = (image.digest for image in images)
    assert digests(describe(ecr, repository, {"imageTag": "two"}, {"imageDigest": one})) == [two, one]
    detail, = describe(ecr, repository, {"imageDigest": one, "imageTag": "uno"})
    assert detail["imageTags"] == ["one", "uno"]
    # One detail for each digest, however often it is asked for.
    asked = [{"imageTag": "uno"}, {"imageDigest": three}, {"imageTag": "one"}, {"imageDigest": one}]
    assert digests(describe(ecr, repository, *asked)) == [one, three]


@pytest.mark.parametrize("image_id", [
    {"imageTag": "three"}, {"imageDigest": NOWHERE}, {"imageDigest": NOWHERE, "imageTag": "one"},
    {"imageDigest": "sha256:short"}, {"imageDigest": "latest"}, {"imageTag": "a b"}])
def test_one_unknown_id_fails_the_call(ecr, repository, images, image_id):
    for ids in ([image_id], [{"imageTag": "one"}, image_id, {"imageTag": "four"}]):
        with refused("ImageNotFoundException") as error:
            describe(ecr, repository, *ids)
        digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
        assert error.message == (
            f"The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository "
            f"with name '{repository}' in the registry with id '{ACCOUNT}'")


# -- filters ----------------------------------------------------------------------------------------------------------

def test_filters(ecr, repository, images):
    one, two, three, four = (image.digest for image in images)
    tagged = sorted([(one, "one"), (one, "uno"), (two, "two")])
    untagged = sorted([(three, None), (four, None)], key=str)
    everything = sorted(tagged + untagged, key=lambda pair: (pair[0], pair[1] or ""))

    def both(**wanted):
        wanted = {"filter": wanted} if wanted else {}
        listed = pairs(ecr.list_images(repositoryName=repository, **wanted)["imageIds"])
        details = describe(ecr, repository, **wanted)
        assert digests(details) == list(dict.fromkeys(digest for digest, _ in listed))
        assert sorted((d["imageDigest"], tag) for d in details for tag in d.get("imageTags", [])) == sorted(
            pair for pair in listed if pair[1])
        return listed

    assert both() == both(tagStatus="ANY") == both(imageStatus="ANY") == both(imageStatus="ACTIVE") == everything
    assert both(tagStatus="TAGGED") == both(tagStatus="TAGGED", imageStatus="ACTIVE") == tagged
    assert both(tagStatus="UNTAGGED") == both(tagStatus="UNTAGGED", imageStatus="ANY") == untagged
    for status in ("ARCHIVED", "ACTIVATING"):
        assert both(imageStatus=status) == both(tagStatus="TAGGED", imageStatus=status) == []


@pytest.mark.parametrize("operation", ["ListImages", "DescribeImages"])
@pytest.mark.parametrize("more, member, text", [
    ({"filter": {"tagStatus": "tagged"}}, "filter.tagStatus",
     "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]"),
    ({"filter": {"imageStatus": "DELETED"}}, "filter.imageStatus",
     "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]"),
    ({"maxResults": 0}, "maxResults", "Member must have value greater than or equal to 1"),
    ({"maxResults": 1001}, "maxResults", "Member must have value less than or equal to 1000"),
    ({"nextToken": "a token of nobody"}, "NextToken", "Invalid next token provided"),
    ({"nextToken": ""}, "NextToken", "Invalid next token provided"),
    ({"repositoryName": None}, "repositoryName", "Member must not be null"),
    ({"repositoryName": "Team"}, "repositoryName", None),
])
def test_lists_refuse(drydock, repository, operation, more, member, text):
    answer = call(drydock, operation, {"repositoryName": repository} | more)
    assert (answer.status, answer.code) == (400, "InvalidParameterException")
    if text:
        assert answer.message == invalid(member, text)
    else:
        assert answer.message.startswith(f"Invalid parameter at '{member}' failed to satisfy constraint: ")


@pytest.mark.parametrize("more, member, text", [
    ({"imageIds": []}, "imageIds", "Member must have length greater than or equal to 1"),
    ({"imageIds": [{"imageTag": "one"}] * 101}, "imageIds", "Member must have length less than or equal to 100"),
    ({"imageIds": [{"imageTag": "one"}], "maxResults": 5}, "maxResults",
     "Member must not be given together with imageIds"),
    ({"imageIds": [{"imageTag": "one"}], "nextToken": "x"}, "nextToken",
     "Member must not be given together with imageIds"),
])
def test_describe_refuses(drydock, repository, images, more, member, text):
    answer = call(drydock, "DescribeImages", {"repositoryName": repository} | more)
    assert (answer.code, answer.message) == ("InvalidParameterException", invalid(member, text))


# -- pages ------------------------------------------------------------------------------------------------------------

@pytest.fixture
def many(registry, repository):
    """101 images that share their blobs; every third has two tags, every third one, every third none."""
    first = oci_image()
    registry.push_image(repository, first, "t000a", "t000b")
    made = {first.digest: ["t000a", "t000b"]}
    for i in range(1, 101):
        image = Image(first.document | {"annotations": {"number": str(i)}}, first.media_type, first.blobs)
        tags = [f"t{i:03}a", f"t{i:03}b"][:2 - i % 3]
        for reference in tags or [image.digest]:
            assert registry.put_manifest(repository, reference, image.manifest, image.media_type).status_code == 201
        made[image.digest] = tags
    return made


def test_pages_of_lists(ecr, repository, many):
    expected = sorted((digest, tag or "") for digest, tags in many.items() for tag in tags or [None])
    assert len(expected) == 34 * 2 + 34 + 33
    for size in (None, 1, 7, 100, 135, 1000):
        limit = {"maxResults": size} if size else {}
        found = list(pages(ecr.list_images, "imageIds", repositoryName=repository, **limit))
        assert {len(page) for page in found[:-1]} <= {size or 100} and 0 < len(found[-1]) <= (size or 100)
        assert [(digest, tag or "") for page in found for digest, tag in pairs(page)] == expected
    found = ecr.get_paginator("list_images").paginate(
        repositoryName=repository, filter={"tagStatus": "UNTAGGED"}, PaginationConfig={"PageSize": 5})
    assert pairs(found.build_full_result()["imageIds"]) == sorted((digest, None) for digest in many if not many[digest])


def test_pages_of_details(ecr, repository, many):
    for size in (None, 1, 7, 100, 101, 1000):
        limit = {"maxResults": size} if size else {}
        found = list(pages(ecr.describe_images, "imageDetails", repositoryName=repository, **limit))
        assert {len(page) for page in found[:-1]} <= {size or 100} and 0 < len(found[-1]) <= (size or 100)
        details = [detail for page in found for detail in page]
        assert digests(details) == sorted(many)
        assert all(detail.get("imageTags", []) == many[detail["imageDigest"]] for detail in details)
    for status, wanted in (("TAGGED", True), ("UNTAGGED", False)):
        found = pages(
            ecr.describe_images, "imageDetails", repositoryName=repository, maxResults=10, filter={"tagStatus": status})
        assert [digest for page in found for digest in digests(page)] == sorted(
            digest for digest, tags in many.items() if bool(tags) == wanted)


@pytest.mark.parametrize("operation", ["list_images", "describe_images"])
@pytest.mark.parametrize("wanted", ["ANY", "TAGGED", "UNTAGGED"])
def test_pages_while_images_come_and_go(ecr, registry, repository, many, operation, wanted):
    """What is there from the first page to the last, and keeps its status, is told exactly once."""
    leaving = sorted(many)[10::9]
    newcomers = [oci_image(size=10) for _ in range(10)]
    staying = [
        digest for digest, tags in many.items()
        if digest not in leaving and (wanted == "ANY" or bool(tags) == (wanted == "TAGGED"))]
    members = "imageIds" if operation == "list_images" else "imageDetails"
    told, left, new = [], iter(leaving), iter(newcomers)
    for page in pages(
            getattr(ecr, operation), members, repositoryName=repository, maxResults=7, filter={"tagStatus": wanted}):
        told += [(one["imageDigest"], one.get("imageTag")) for one in page]
        if going := next(left, None):
            ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": going}])
        if coming := next(new, None):
            registry.push_image(repository, coming, *([coming.digest[-8:]] if wanted != "UNTAGGED" else []))
    assert len(set(told)) == len(told)
    assert {digest for digest, _ in told} >= set(staying)
    if operation == "list_images":
        expected = {(digest, tag) for digest in staying for tag in many[digest] or [None]}
        assert {pair for pair in told if pair[0] in staying} == expected


@pytest.mark.parametrize("operation, other", [("list_images", "describe_images"), ("describe_images", "list_images")])
def test_a_token_is_good_for_its_list_alone(drydock, ecr, registry, repository, images, operation, other):
    ecr.create_repository(repositoryName="other")
    registry.push_image("other", images[0], "one", "uno")
    answer = getattr(ecr, operation)(repositoryName=repository, maxResults=1)
    token = answer["nextToken"]
    getattr(ecr, operation)(repositoryName=repository, nextToken=token)
    ecr.create_repository(repositoryName="gone")
    registry.push_image("gone", oci_index([images[0], images[1]]))
    old = getattr(ecr, operation)(repositoryName="gone", maxResults=1)["nextToken"]
    ecr.delete_repository(repositoryName="gone", force=True)
    ecr.create_repository(repositoryName="gone")
    strangers = [
        lambda: getattr(ecr, operation)(repositoryName="other", nextToken=token),
        lambda: getattr(ecr, operation)(repositoryName=repository, nextToken=token, filter={"tagStatus": "TAGGED"}),
        lambda: getattr(ecr, other)(repositoryName=repository, nextToken=token),
        lambda: getattr(ecr, operation)(repositoryName=repository, nextToken=token[:-2]),
        lambda: getattr(ecr, operation)(repositoryName=repository, nextToken=token.swapcase()),
        lambda: getattr(ecr, operation)(repositoryName="gone", nextToken=old),
    ]
    for stranger in strangers:
        with refused("InvalidParameterException") as error:
            stranger()
        assert error.message == invalid("NextToken", "Invalid next token provided")


def test_a_token_survives_a_restart(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    registry = server.registry()
    for image in (oci_image(), oci_image()):
        registry.push_image("app", image)
    registry.close()
    expected = pairs(server.ecr().list_images(repositoryName="app")["imageIds"])
    token = server.ecr().list_images(repositoryName="app", maxResults=1)["nextToken"]
    server.restart()
    assert pairs(server.ecr().list_images(repositoryName="app", nextToken=token)["imageIds"]) == expected[1:]
