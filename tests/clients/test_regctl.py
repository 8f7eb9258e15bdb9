"""regctl: regclient's client."""

import json
import os

import pytest
from client import Client, login_password
from layouts import assert_layout_holds, pushed, unpackable_image, write_layout
from support.images import oci_artifact, oci_index

pytestmark = pytest.mark.sanitizers

MIB = 1 << 20


@pytest.fixture
def regctl(tmp_path, drydock):
    regctl = Client("regctl", tmp_path, REGCTL_CONFIG=str(tmp_path / "regctl.json"))
    regctl("registry", "set", "--tls", "disabled", "--skip-check", drydock.host)
    regctl("registry", "login", "--user", "AWS", "--pass-stdin", drydock.host, input=login_password(drydock))
    return regctl


@pytest.fixture
def there(drydock, repository):
    return f"{drydock.host}/{repository}"


def test_push_and_pull(regctl, there, ecr, repository, tmp_path):
    image = unpackable_image()
    layout = write_layout(tmp_path / "out", image)
    regctl("image", "copy", f"ocidir://{layout}:v1", f"{there}:v1")
    assert pushed(ecr, repository) == {image.digest: {"v1"}}
    assert regctl("image", "digest", f"{there}:v1").stdout.strip() == image.digest
    regctl("image", "copy", f"{there}:v1", f"ocidir://{tmp_path / 'in'}:v1")
    assert_layout_holds(tmp_path / "in", image)


def test_chunks(regctl, there, drydock, ecr, registry, repository, tmp_path):
    """A layer in chunks of the size that the client is told; ECR wants 5 MiB of each but the last."""
    image = unpackable_image({"large": os.urandom(14 * MIB)})
    layout = write_layout(tmp_path / "out", image)
    set_chunk(regctl, drydock, 6 * MIB)
    regctl("image", "copy", f"ocidir://{layout}:v1", f"{there}:v1")
    assert registry.pull_image(repository, "v1") == image.manifest

    ecr.create_repository(repositoryName="team/copy")
    set_chunk(regctl, drydock, 1 * MIB)
    copy = there.replace(repository, "team/copy")
    said = regctl.refused("image", "copy", f"ocidir://{layout}:v1", f"{copy}:v1")
    assert "other than its last is smaller than 5 MiB" in said
    assert pushed(ecr, "team/copy") == {}


def set_chunk(regctl, drydock, size):
    regctl("registry", "set", "--skip-check", "--blob-chunk", size, "--blob-max", 1, drydock.host)


def test_index_with_referrers(regctl, there, ecr, registry, repository):
    index = oci_index([unpackable_image(), unpackable_image(architecture="arm64")])
    report = oci_artifact("application/vnd.example.report", index)
    registry.push_image(repository, index, "v1")
    registry.push_image(repository, report)
    assert json.loads(regctl("artifact", "list", "--format", "{{jsonPretty .}}", f"{there}:v1").stdout)[
        "descriptors"][0]["digest"] == report.digest
    ecr.create_repository(repositoryName="team/copy")
    regctl("image", "copy", "--referrers", f"{there}:v1", there.replace(repository, "team/copy") + ":v2")
    assert pushed(ecr, "team/copy") == {
        index.digest: {"v2"}, report.digest: set()} | {child.digest: set() for child in index.children}


def test_tags(regctl, there, ecr, registry, repository):
    image = unpackable_image()
    registry.push_image(repository, image, "v1", "v2")
    assert regctl("tag", "list", there).stdout.split() == ["v1", "v2"]
    assert regctl("manifest", "get", "--format", "raw-body", f"{there}:v1").stdout.encode() == image.manifest
    regctl("manifest", "delete", f"{there}@{image.digest}")
    assert pushed(ecr, repository) == {}


def test_refusals(regctl, there, drydock, repository, tmp_path):
    layout = write_layout(tmp_path / "out", unpackable_image())
    absent = there.replace(repository, "team/absent")
    assert "not found" in regctl.refused("image", "copy", f"ocidir://{layout}:v1", f"{absent}:v1")
    assert "not found" in regctl.refused("manifest", "get", f"{there}:absent")
    regctl("registry", "logout", drydock.host)
    assert "unauthorized" in regctl.refused("image", "copy", f"ocidir://{layout}:v1", f"{there}:v1")
