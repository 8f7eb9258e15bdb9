"""Replication inside the emulator (ecr-behaviour 2.8, 8.2): what is pushed appears where the rules say."""

import json

import pytest
from support.aws import refused
from support.images import oci_image, oci_index
from support.refusals import ACCOUNT, not_found
from support.upkeep import run_json

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


def test_a_copy_that_fails_counts_nothing(make_server, tmp_path):
    """Three pushes whose copies find the registry full: it holds what it held, and no more is counted than that."""
    server = make_server("--quota", "repositories=1", data=tmp_path / "data")
    ecr, west, registry = server.ecr(), server.ecr(region="us-west-2"), server.registry()
    ecr.create_repository(repositoryName="app")
    west.create_repository(repositoryName="full")
    replicate(ecr, ("us-west-2", ACCOUNT))
    for tag in ("v1", "v2", "v3"):
        registry.push_image("app", oci_image(), tag)
        assert status(ecr, "app", imageTag=tag)[0]["status"] == "FAILED"
    registry.close()
    west.delete_repository(repositoryName="full")
    west.create_repository(repositoryName="again")
    server.stop()
    assert run_json("check", "--data", tmp_path / "data")["findings"] == []


def test_a_copy_that_fails_leaves_nothing(make_server):
    """The quota of images is met by the index, when its images are there already: they go, too."""
    server = make_server("--quota", "images-per-repository=3")
    ecr, west, registry = server.ecr(), server.ecr(region="us-west-2"), server.registry()
    ecr.create_repository(repositoryName="app")
    children = [oci_image(), oci_image()]
    for child in children:
        registry.push_image("app", child)
    west.create_repository(repositoryName="app")
    there = server.registry(server.token(region="us-west-2"))
    kept = oci_image()
    there.push_image("app", kept, "kept")
    replicate(ecr, ("us-west-2", ACCOUNT))
    index = oci_index(children)
    registry.push_image("app", index, "multi")
    assert status(ecr, "app", imageTag="multi") == [
        {"region": "us-west-2", "registryId": ACCOUNT, "status": "FAILED", "failureCode": "LimitExceededException"}]
    assert images(west, "app") == {kept.digest: ["kept"]}
    assert there.head_blob("app", children[0].layers[0].digest).status_code == 404
    there.close()
    registry.close()


# -- into other accounts' registries --------------------------------------------------------------------------------

def registry_policy(*actions, principal=f"arn:aws:iam::{ACCOUNT}:root", effect="Allow", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "copies", "Effect": effect, "Principal": {"AWS": principal}, "Action": list(actions),
         "Resource": f"arn:aws:ecr:us-east-1:{OTHER_ACCOUNT}:repository/*", **more}]})


def test_another_accounts_tag_moves_only_by_its_policy(drydock, ecr, registry, repository):
    """Without --auth iam nobody is asked whether a copy may arrive; one that would take a tag away is."""
    other = drydock.ecr(access_key=OTHER_ACCOUNT)
    other.create_repository(repositoryName=repository)
    theirs, mine, again = oci_image(), oci_image(), oci_image()
    there = drydock.registry(drydock.token(access_key=OTHER_ACCOUNT))
    there.push_image(repository, theirs, "latest")
    there.close()
    replicate(ecr, ("us-east-1", OTHER_ACCOUNT))
    registry.push_image(repository, mine, "latest")
    assert images(other, repository) == {theirs.digest: ["latest"]}
    assert status(ecr, repository, imageTag="latest") == [
        {"region": "us-east-1", "registryId": OTHER_ACCOUNT, "status": "FAILED", "failureCode": "AccessDeniedException"}]
    registry.push_image(repository, mine, "new")
    assert images(other, repository) == {theirs.digest: ["latest"], mine.digest: ["new"]}
    assert status(ecr, repository, imageTag="new")[0]["status"] == "COMPLETE"
    other.put_registry_policy(policyText=registry_policy("ecr:ReplicateImage"))
    registry.push_image(repository, again, "latest")
    assert images(other, repository) == {theirs.digest: [], mine.digest: ["new"], again.digest: ["latest"]}
    assert status(ecr, repository, imageTag="latest")[0]["status"] == "COMPLETE"


def test_another_accounts_immutable_tag(drydock, ecr, registry, repository):
    """The image arrives without it, as in the account's own registries."""
    other = drydock.ecr(access_key=OTHER_ACCOUNT)
    other.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
    replicate(ecr, ("us-east-1", OTHER_ACCOUNT))
    first, second = oci_image(), oci_image()
    registry.push_image(repository, first, "v1")
    registry.push_image(repository, second, "v1")
    assert images(other, repository) == {first.digest: ["v1"], second.digest: []}
    assert status(ecr, repository, imageTag="v1")[0]["status"] == "COMPLETE"


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
