"""The ECR workflow as a delivery script lives it: create, log in, push, look, pull, push again, roll back."""

import pytest
from support.aws import refused
from support.images import docker_image, oci_image

NAME = "team/web-app"
FIRST, SECOND = "3f8a1c2", "9d04be7"


def create_or_find(ecr):
    """What the scripts that Drydock is for do first."""
    try:
        created = ecr.create_repository(
            repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True}, imageTagMutability="MUTABLE")
        return created["repository"]["repositoryUri"]
    except ecr.exceptions.RepositoryAlreadyExistsException:
        return ecr.describe_repositories(repositoryNames=[NAME])["repositories"][0]["repositoryUri"]


def tags_by_digest(ecr):
    details = ecr.describe_images(repositoryName=NAME)["imageDetails"]
    return {detail["imageDigest"]: sorted(detail.get("imageTags", [])) for detail in details}


@pytest.mark.parametrize("build", [docker_image, oci_image])
def test_workflow(drydock, ecr, build):
    uri = create_or_find(ecr)
    assert uri == f"{drydock.host}/{NAME}"
    assert create_or_find(ecr) == uri
    repository = ecr.describe_repositories()["repositories"][0]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["imageTagMutability"] == "MUTABLE"

    registry = drydock.registry()
    first, second = build(layers=3, size=100_000), build(layers=3, size=100_000)
    registry.push_image(NAME, first, FIRST, "latest")
    assert tags_by_digest(ecr) == {first.digest: [FIRST, "latest"]}
    for reference in (FIRST, "latest", first.digest):
        assert registry.pull_image(NAME, reference) == first.manifest

    registry.push_image(NAME, second, SECOND, "latest")
    assert tags_by_digest(ecr) == {first.digest: [FIRST], second.digest: [SECOND, "latest"]}
    assert registry.pull_image(NAME, "latest") == second.manifest

    assert registry.pull_image(NAME, FIRST) == first.manifest
    registry.push_image(NAME, first, "latest")
    assert tags_by_digest(ecr) == {first.digest: [FIRST, "latest"], second.digest: [SECOND]}


def test_both_languages_speak_of_the_same_image(drydock, ecr, registry, repository):
    image = docker_image(layers=2)
    registry.push_image(repository, image, "pushed")
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "pushed"}])["images"][0]
    assert found["imageManifest"].encode() == image.manifest
    assert found["imageManifestMediaType"] == image.media_type

    put = ecr.put_image(repositoryName=repository, imageManifest=found["imageManifest"], imageTag="put")["image"]
    assert put["imageId"] == {"imageDigest": image.digest, "imageTag": "put"}
    assert registry.pull_image(repository, "put") == image.manifest
    assert sorted(registry.tags(repository).json()["tags"]) == ["pushed", "put"]

    detail = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert [one["imageDigest"] for one in detail] == [image.digest]
    assert detail[0]["imageSizeInBytes"] in (image.layer_bytes, image.layer_bytes + image.config.size)


def test_workflow_survives_restart_and_crash(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    create_or_find(server.ecr())
    login = server.token()
    image = docker_image(layers=2, size=200_000)
    server.registry(login).push_image(NAME, image, FIRST, "latest")

    for kill in (False, True):
        server.restart(kill=kill)
        assert tags_by_digest(server.ecr()) == {image.digest: [FIRST, "latest"]}
        # The token was sealed with a key in the data folder: it is still good.
        assert server.registry(login).pull_image(NAME, FIRST) == image.manifest


def test_the_end_of_a_repository(ecr, registry, repository):
    image = docker_image()
    registry.push_image(repository, image, "v1")
    with refused("RepositoryNotEmptyException") as error:
        ecr.delete_repository(repositoryName=repository)
    assert error.message == (
        "The repository with name 'team/app' in registry with id '000000000000' cannot be deleted because it still "
        "contains images")
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert ecr.describe_images(repositoryName=repository)["imageDetails"] == []
    ecr.delete_repository(repositoryName=repository)
    with refused("RepositoryNotFoundException") as error:
        ecr.describe_images(repositoryName=repository)
    assert error.message == (
        "The repository with name 'team/app' does not exist in the registry with id '000000000000'")
