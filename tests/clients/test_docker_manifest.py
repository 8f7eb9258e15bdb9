"""`docker manifest`: a multi-architecture list, made by docker's client from images that the registry has."""

import json
import re

import pytest
from layouts import DOCKER, pushed, unpackable_image
from support.images import DOCKER_LIST


@pytest.fixture
def there(engine, drydock, repository):
    engine.env["DOCKER_CLI_EXPERIMENTAL"] = "enabled"
    engine.login(drydock)
    return f"{drydock.host}/{repository}"


@pytest.fixture
def images(registry, repository):
    """{architecture: image}, pushed and tagged by it."""
    images = {name: unpackable_image(architecture=name, types=DOCKER) for name in ("amd64", "arm64")}
    for name, image in images.items():
        registry.push_image(repository, image, name)
    return images


def create(engine, there, images):
    engine.docker("manifest", "create", "--insecure", f"{there}:v1", *(f"{there}:{name}" for name in images))


def test_list_of_two_architectures(engine, there, ecr, registry, repository, images):
    create(engine, there, images)
    engine.docker("manifest", "annotate", "--variant", "v8", f"{there}:v1", f"{there}:arm64")
    said = engine.docker("manifest", "push", "--insecure", "--purge", f"{there}:v1").stdout
    digest = re.search(r"sha256:[0-9a-f]{64}$", said.strip())[0]
    assert pushed(ecr, repository) == {digest: {"v1"}} | {image.digest: {name} for name, image in images.items()}
    document = json.loads(registry.pull_image(repository, "v1"))
    assert document["mediaType"] == DOCKER_LIST
    assert {one["platform"]["architecture"]: one["digest"] for one in document["manifests"]} == {
        name: image.digest for name, image in images.items()}
    assert [one["platform"].get("variant") for one in document["manifests"]] == [None, "v8"]

    inspected = json.loads(engine.docker("manifest", "inspect", "--insecure", f"{there}:v1").stdout)
    assert inspected["manifests"] == document["manifests"]
    engine.docker("pull", f"{there}:v1")
    layers = json.loads(engine.docker("image", "inspect", f"{there}:v1").stdout)[0]
    assert layers["Architecture"] == "amd64"
    assert layers["RepoDigests"] == [f"{there}@{digest}"]


def test_a_list_needs_its_images(engine, there, ecr, repository, images):
    create(engine, there, images)
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": images["arm64"].digest}])
    said = engine.refused("manifest", "push", "--insecure", f"{there}:v1")
    assert f"Images with digests '[{images['arm64'].digest}]' required for pushing image into repository" in said
    assert images["arm64"].digest not in pushed(ecr, repository)
