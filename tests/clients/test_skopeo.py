"""skopeo: copies between the registry and every form on the disk, and what it asks of a registry."""

import json

import pytest
from client import Client
from layouts import assert_layout_holds, diff_ids, pushed, unpackable_image, unpacked_layers, write_layout
from support.images import digest_of, oci_index


@pytest.fixture
def skopeo(tmp_path):
    return Client("skopeo", tmp_path, "--insecure-policy")


@pytest.fixture
def there(skopeo, drydock, repository):
    """The repository's name for skopeo, which has logged in."""
    skopeo.login(drydock, "login", "--tls-verify=false")
    return f"docker://{drydock.host}/{repository}"


def copy(skopeo, source, target, *options):
    return skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", *options, source, target)


def test_oci_layout_and_back(skopeo, there, ecr, repository, tmp_path):
    image = unpackable_image()
    copy(skopeo, f"oci:{write_layout(tmp_path / 'out', image)}:v1", f"{there}:v1")
    assert pushed(ecr, repository) == {image.digest: {"v1"}}
    copy(skopeo, f"{there}@{image.digest}", f"oci:{tmp_path / 'in'}:v1")
    assert_layout_holds(tmp_path / "in", image)


def test_folder_and_back(skopeo, there, ecr, repository, tmp_path):
    image = unpackable_image()
    copy(skopeo, f"oci:{write_layout(tmp_path / 'out', image)}:v1", f"{there}:v1")
    copy(skopeo, f"{there}:v1", f"dir:{tmp_path / 'folder'}")
    assert (tmp_path / "folder/manifest.json").read_bytes() == image.manifest
    for blob in image.blobs:
        assert (tmp_path / "folder" / blob.digest.partition(":")[2]).read_bytes() == blob.data
    ecr.create_repository(repositoryName="team/copy")
    copy(skopeo, f"dir:{tmp_path / 'folder'}", f"{there.replace(repository, 'team/copy')}:v2")
    assert pushed(ecr, "team/copy") == {image.digest: {"v2"}}


def test_docker_archive_and_back(skopeo, there, ecr, registry, repository, tmp_path):
    image = unpackable_image()
    copy(skopeo, f"oci:{write_layout(tmp_path / 'out', image)}:v1", f"docker-archive:{tmp_path / 'one.tar'}:app:v1")
    copy(skopeo, f"docker-archive:{tmp_path / 'one.tar'}", f"{there}:v1")
    (digest, tags), = pushed(ecr, repository).items()
    assert tags == {"v1"}
    # Its layers were unpacked in the archive, and compressed on the way: not the same bytes, but the same files.
    assert unpacked_layers(registry, repository, digest) == diff_ids(image)
    copy(skopeo, f"{there}:v1", f"docker-archive:{tmp_path / 'two.tar'}:app:v1")
    copy(skopeo, f"docker-archive:{tmp_path / 'two.tar'}", f"dir:{tmp_path / 'unpacked'}", "--dest-decompress")
    for layer in diff_ids(image):
        assert digest_of((tmp_path / "unpacked" / layer.partition(":")[2]).read_bytes()) == layer


def test_between_repositories(skopeo, there, ecr, registry, repository):
    image = unpackable_image()
    registry.push_image(repository, image, "v1")
    ecr.create_repository(repositoryName="team/copy")
    copy(skopeo, f"{there}:v1", f"{there.replace(repository, 'team/copy')}:v1")
    assert pushed(ecr, "team/copy") == {image.digest: {"v1"}}
    registry.pull_image("team/copy", "v1")


def test_index(skopeo, there, ecr, registry, repository, tmp_path):
    index = oci_index([unpackable_image(), unpackable_image(architecture="arm64")])
    copy(skopeo, f"oci:{write_layout(tmp_path / 'out', index)}:v1", f"{there}:v1", "--all")
    assert pushed(ecr, repository) == {index.digest: {"v1"}} | {child.digest: set() for child in index.children}
    copy(skopeo, f"{there}:v1", f"oci:{tmp_path / 'in'}:v1", "--all")
    assert_layout_holds(tmp_path / "in", index)


def test_questions(skopeo, there, registry, repository):
    image = unpackable_image()
    registry.push_image(repository, image, "v1", "latest")
    said = json.loads(skopeo("inspect", "--tls-verify=false", f"{there}:v1").stdout)
    assert (said["Digest"], sorted(said["RepoTags"])) == (image.digest, ["latest", "v1"])
    assert said["Layers"] == [layer.digest for layer in image.layers]
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"{there}:v1").stdout
    assert raw.encode() == image.manifest
    assert json.loads(skopeo("list-tags", "--tls-verify=false", there).stdout)["Tags"] == ["latest", "v1"]


def test_immutable_tag(skopeo, there, ecr, registry, repository, tmp_path):
    """The same image again is no change; another one is refused."""
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    image, other = unpackable_image(), unpackable_image()
    layout, another = write_layout(tmp_path / "one", image), write_layout(tmp_path / "other", other)
    for _ in range(2):
        copy(skopeo, f"oci:{layout}:v1", f"{there}:v1")
    said = skopeo.refused("copy", "--dest-tls-verify=false", f"oci:{another}:v1", f"{there}:v1")
    assert (
        "The image tag 'v1' already exists in the 'team/app' repository and cannot be overwritten because the tag is "
        "immutable.") in said
    assert pushed(ecr, repository) == {image.digest: {"v1"}}


def test_delete(skopeo, there, ecr, registry, repository):
    registry.push_image(repository, unpackable_image(), "v1", "latest")
    skopeo("delete", "--tls-verify=false", f"{there}:v1")
    assert pushed(ecr, repository) == {}


def test_refusals(skopeo, there, drydock, repository, tmp_path):
    layout = write_layout(tmp_path / "out", unpackable_image())
    absent = there.replace(repository, "team/absent")
    said = skopeo.refused("copy", "--dest-tls-verify=false", f"oci:{layout}:v1", f"{absent}:v1")
    assert "The repository with name 'team/absent' does not exist in the registry with id '000000000000'" in said
    assert "Requested image not found" in skopeo.refused("inspect", "--tls-verify=false", f"{there}:absent")
    skopeo("logout", drydock.host)
    assert "unauthorized: authentication required" in skopeo.refused("inspect", "--tls-verify=false", f"{there}:v1")
