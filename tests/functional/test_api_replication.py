"""Replication inside the emulator (ecr-behaviour 2.8, 8.2): what is pushed appears where the rules say."""

import pytest
from support.aws import refused
from support.images import oci_image, oci_index
from support.refusals import ACCOUNT, not_found

OTHER_ACCOUNT = "111122223333"
NOWHERE = "sha256:" + "0" * 64


def replicate(ecr, *destinations, prefixes=()):
    rule = {"destinations": [{"region": region, "registryId": account} for region, account in destinations]}
    if prefixes:
        rule["repositoryFilters"] = [{"filter": prefix, "filterType": "PREFIX_MATCH"} for prefix in prefixes]
    ecr.put_replication_configuration(replicationConfiguration={"rules": [rule]})


def status(ecr, repository, **image_id):
    answer = ecr.describe_image_replication_status(repositoryName=repository, imageId=image_id)
    assert answer["repositoryName"] == repository
    return answer["replicationStatuses"]


def images(ecr, repository):
    details = ecr.describe_images(repositoryName=repository)["imageDetails"]
    return {detail["imageDigest"]: detail.get("imageTags", []) for detail in details}


@pytest.fixture
def west(drydock):
    return drydock.ecr(region="us-west-2")


def test_a_push_appears_in_another_region_and_account(drydock, ecr, west, registry, repository):
    other = drydock.ecr(region="eu-west-1", access_key=OTHER_ACCOUNT)
    replicate(ecr, ("us-west-2", ACCOUNT), ("eu-west-1", OTHER_ACCOUNT))
    image = oci_image(layers=2, size=100_000)
    registry.push_image(repository, image, "v1")
    for there in (west, other):
        assert images(there, repository) == {image.digest: ["v1"]}
        found, = there.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"]
        assert found["imageManifest"] == image.manifest.decode()
        layers = there.batch_check_layer_availability(
            repositoryName=repository, layerDigests=[blob.digest for blob in image.blobs])["layers"]
        assert {layer["layerAvailability"] for layer in layers} == {"AVAILABLE"}
    assert status(ecr, repository, imageTag="v1") == [
        {"region": "eu-west-1", "registryId": OTHER_ACCOUNT, "status": "COMPLETE"},
        {"region": "us-west-2", "registryId": ACCOUNT, "status": "COMPLETE"}]
    assert status(west, repository, imageDigest=image.digest) == []


def test_through_the_api_too(ecr, west, registry, repository):
    image = oci_image()
    registry.push_image(repository, image)  # before there is a rule: never copied for that
    replicate(ecr, ("us-west-2", ACCOUNT))
    assert status(ecr, repository, imageDigest=image.digest) == []
    with refused("RepositoryNotFoundException"):
        images(west, repository)
    ecr.put_image(
        repositoryName=repository, imageManifest=image.manifest.decode(), imageManifestMediaType=image.media_type,
        imageTag="now")
    assert images(west, repository) == {image.digest: ["now"]}


def test_an_index_comes_with_its_images(ecr, west, registry, repository):
    children = [oci_image(), oci_image()]
    for child in children:
        registry.push_image(repository, child)
    replicate(ecr, ("us-west-2", ACCOUNT))
    index = oci_index(children)
    registry.push_image(repository, index, "multi")
    assert images(west, repository) == {index.digest: ["multi"]} | {child.digest: [] for child in children}


def test_prefixes(ecr, west, registry):
    replicate(ecr, ("us-west-2", ACCOUNT), prefixes=["prod", "qa/"])
    for name, copied in (("prod/app", True), ("production", True), ("qa/x", True), ("qa", False), ("dev/prod", False)):
        ecr.create_repository(repositoryName=name)
        registry.push_image(name, oci_image(), "v1")
        names = [r["repositoryName"] for r in west.describe_repositories()["repositories"]]
        assert (name in names) == copied, name


def test_never_chained(drydock, ecr, west, registry, repository):
    replicate(ecr, ("us-west-2", ACCOUNT))
    replicate(west, ("eu-west-1", ACCOUNT))
    registry.push_image(repository, oci_image(), "v1")
    assert len(images(west, repository)) == 1
    assert drydock.ecr(region="eu-west-1").describe_repositories()["repositories"] == []


def test_a_moved_tag_and_deletes(ecr, west, registry, repository):
    replicate(ecr, ("us-west-2", ACCOUNT))
    first, second = oci_image(), oci_image()
    registry.push_image(repository, first, "latest")
    registry.push_image(repository, second, "latest")
    assert images(west, repository) == {first.digest: [], second.digest: ["latest"]}
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": second.digest}])
    assert images(west, repository) == {first.digest: [], second.digest: ["latest"]}


def test_an_immutable_tag_stays(ecr, west, registry, repository):
    west.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
    replicate(ecr, ("us-west-2", ACCOUNT))
    first, second = oci_image(), oci_image()
    registry.push_image(repository, first, "v1")
    registry.push_image(repository, second, "v1")
    assert images(west, repository) == {first.digest: ["v1"], second.digest: []}
    assert status(ecr, repository, imageTag="v1")[0]["status"] == "COMPLETE"


def test_a_copy_that_cannot_be_made(make_server):
    server = make_server("--quota", "repositories=1")
    ecr, west, registry = server.ecr(), server.ecr(region="us-west-2"), server.registry()
    ecr.create_repository(repositoryName="app")
    west.create_repository(repositoryName="full")
    replicate(ecr, ("us-west-2", ACCOUNT))
    image = oci_image()
    registry.push_image("app", image, "v1")
    registry.close()
    assert images(ecr, "app") == {image.digest: ["v1"]}
    assert status(ecr, "app", imageTag="v1") == [
        {"region": "us-west-2", "registryId": ACCOUNT, "status": "FAILED", "failureCode": "LimitExceededException"}]


def test_a_repository_by_its_template(ecr, west, registry, repository):
    west.create_repository_creation_template(
        prefix="team", appliedFor=["REPLICATION"], imageTagMutability="IMMUTABLE")
    replicate(ecr, ("us-west-2", ACCOUNT))
    registry.push_image(repository, oci_image(), "v1")
    made, = west.describe_repositories()["repositories"]
    assert made["imageTagMutability"] == "IMMUTABLE"


def test_archived_at_the_destination(drydock, ecr, west, registry, repository):
    replicate(ecr, ("us-west-2", ACCOUNT))
    image = oci_image()
    registry.push_image(repository, image, "v1")
    west.update_image_storage_class(repositoryName=repository, imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE")
    assert images(west, repository) == {}
    registry.push_image(repository, image, "v2")
    assert images(west, repository) == {image.digest: ["v1", "v2"]}


def test_a_restored_image_is_copied(drydock, ecr, west, registry, repository):
    image = oci_image()
    registry.push_image(repository, image, "v1")
    for target in ("ARCHIVE", "STANDARD"):
        ecr.update_image_storage_class(repositoryName=repository, imageId={"imageTag": "v1"}, targetStorageClass=target)
    replicate(ecr, ("us-west-2", ACCOUNT))
    drydock.advance(61)
    assert images(west, repository) == {image.digest: ["v1"]}


def test_what_is_not_there(ecr, repository):
    with refused("ImageNotFoundException"):
        status(ecr, repository, imageDigest=NOWHERE)
    with refused("RepositoryNotFoundException") as error:
        status(ecr, "nobody/here", imageTag="v1")
    assert error.message == not_found("nobody/here")
