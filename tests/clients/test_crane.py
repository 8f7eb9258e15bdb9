"""crane: go-containerregistry's client, which ko, kaniko and many CI systems are built on."""

import io
import json
import tarfile

import pytest
from client import Client
from layouts import assert_layout_holds, pushed, unpackable_image, write_layout
from support.images import oci_index


@pytest.fixture
def crane(tmp_path, drydock):
    crane = Client("crane", tmp_path)
    crane.login(drydock, "auth", "login")
    return crane


@pytest.fixture
def there(drydock, repository):
    return f"{drydock.host}/{repository}"


def test_push_and_pull(crane, there, ecr, repository, tmp_path):
    image = unpackable_image()
    said = crane("push", write_layout(tmp_path / "out", image), f"{there}:v1").stdout
    assert said.strip() == f"{there}@{image.digest}"
    assert pushed(ecr, repository) == {image.digest: {"v1"}}
    assert crane("digest", f"{there}:v1").stdout.strip() == image.digest
    assert crane("manifest", f"{there}:v1").stdout.encode() == image.manifest
    assert crane("config", f"{there}:v1").stdout.encode() == image.config.data
    crane("validate", "--remote", f"{there}:v1")
    crane("pull", "--format=oci", f"{there}@{image.digest}", tmp_path / "in")
    assert_layout_holds(tmp_path / "in", image)


def test_index(crane, there, ecr, repository, tmp_path):
    index = oci_index([unpackable_image(), unpackable_image(architecture="arm64")])
    layout = write_layout(tmp_path / "out", index)
    (layout / "index.json").write_bytes(index.manifest)
    crane("push", "--index", layout, f"{there}:v1")
    assert pushed(ecr, repository) == {index.digest: {"v1"}} | {child.digest: set() for child in index.children}
    assert crane("digest", "--platform=linux/arm64", f"{there}:v1").stdout.strip() == index.children[1].digest


def test_copy_and_tags(crane, there, ecr, registry, repository):
    image = unpackable_image()
    registry.push_image(repository, image, "v1")
    crane("tag", f"{there}:v1", "v2")
    assert pushed(ecr, repository) == {image.digest: {"v1", "v2"}}
    assert crane("ls", there).stdout.split() == ["v1", "v2"]
    ecr.create_repository(repositoryName="team/copy")
    crane("copy", f"{there}:v2", there.replace(repository, "team/copy") + ":v2")
    assert pushed(ecr, "team/copy") == {image.digest: {"v2"}}
    registry.pull_image("team/copy", "v2")


def test_files(crane, there, ecr, registry, repository):
    """`crane export` and `crane append`: the files of an image, as one more layer."""
    image = unpackable_image({"one": b"1"})
    registry.push_image(repository, image, "v1")
    crane("export", f"{there}:v1", "files.tar")
    crane("append", "--base", f"{there}:v1", "--new_layer", "files.tar", "--new_tag", f"{there}:v2")
    layers = json.loads(registry.pull_image(repository, "v2"))["layers"]
    assert layers[0]["digest"] == image.layers[0].digest and len(layers) == 2
    added = registry.get_blob(repository, layers[1]["digest"]).content
    with tarfile.open(fileobj=io.BytesIO(added)) as tar:
        assert tar.extractfile("one").read() == b"1"
    (appended,) = set(pushed(ecr, repository)) - {image.digest}
    assert pushed(ecr, repository) == {image.digest: {"v1"}, appended: {"v2"}}


def test_delete(crane, there, ecr, registry, repository):
    image = unpackable_image()
    registry.push_image(repository, image, "v1")
    crane("delete", f"{there}@{image.digest}")
    assert pushed(ecr, repository) == {}


def test_refusals(crane, there, drydock, repository, tmp_path):
    layout = write_layout(tmp_path / "out", unpackable_image())
    absent = there.replace(repository, "team/absent")
    assert (
        "NAME_UNKNOWN: The repository with name 'team/absent' does not exist in the registry with id '000000000000'"
    ) in crane.refused("push", layout, f"{absent}:v1")
    assert "MANIFEST_UNKNOWN: Requested image not found" in crane.refused("manifest", f"{there}:absent")
    crane("auth", "logout", drydock.host)
    assert "401 Unauthorized" in crane.refused("push", layout, f"{there}:v1")
