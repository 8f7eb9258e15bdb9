"""containerd, driven by its ctr: what Kubernetes pulls with."""

import subprocess

import pytest
from client import Client, login_password
from containerd_daemon import containerd_of_our_own
from layouts import assert_layout_holds, pushed, unpackable_image, write_layout
from support.images import oci_index


@pytest.fixture(scope="module")
def containerd():
    with containerd_of_our_own() as folder:
        yield folder


@pytest.fixture
def ctr(containerd, request):
    """ctr in a namespace of the test's own, which is empty."""
    ctr = Client("ctr", containerd, "--address", containerd / "socket", "--namespace", request.node.name)
    yield ctr
    images = ctr("images", "list", "--quiet").stdout.split()
    if images:
        ctr("images", "remove", "--sync", *images)


@pytest.fixture
def login(drydock):
    return "--plain-http", "--user", f"AWS:{login_password(drydock)}"


@pytest.fixture
def there(drydock, repository):
    return f"{drydock.host}/{repository}"


def pull(ctr, login, reference, *options):
    ctr("images", "pull", "--snapshotter", "native", *login, *options, reference)


def test_push_and_pull(ctr, login, there, ecr, registry, repository, tmp_path):
    image = unpackable_image()
    archive = tmp_path / "image.tar"
    layout = write_layout(tmp_path / "out", image)
    subprocess.run(["tar", "-C", layout, "-cf", archive, "."], check=True)
    ctr("images", "import", "--snapshotter", "native", "--base-name", there, archive)
    ctr("images", "push", *login, f"{there}:v1")
    assert pushed(ecr, repository) == {image.digest: {"v1"}}
    assert registry.pull_image(repository, "v1") == image.manifest
    ctr("images", "remove", "--sync", f"{there}:v1")
    for reference in (f"{there}:v1", f"{there}@{image.digest}"):
        pull(ctr, login, reference)
    assert image.digest in ctr("images", "list").stdout
    ctr("images", "export", tmp_path / "back.tar", f"{there}:v1")
    (tmp_path / "in").mkdir()
    subprocess.run(["tar", "-C", tmp_path / "in", "-xf", tmp_path / "back.tar"], check=True)
    assert_layout_holds(tmp_path / "in", image)


def test_index(ctr, login, there, ecr, registry, repository):
    """Pulled whole, and pushed whole elsewhere."""
    index = oci_index([unpackable_image(), unpackable_image(architecture="arm64")])
    registry.push_image(repository, index, "v1")
    pull(ctr, login, f"{there}:v1", "--all-platforms")
    ecr.create_repository(repositoryName="team/copy")
    copy = there.replace(repository, "team/copy") + ":v1"
    ctr("images", "tag", f"{there}:v1", copy)
    ctr("images", "push", *login, copy)
    assert pushed(ecr, "team/copy") == {index.digest: {"v1"}} | {child.digest: set() for child in index.children}


def test_refusals(ctr, login, there, registry, repository):
    assert "not found" in ctr.refused("images", "pull", *login, f"{there}:absent")
    registry.push_image(repository, unpackable_image(), "v1")
    assert "401 Unauthorized" in ctr.refused("images", "pull", "--plain-http", f"{there}:v1")
    pull(ctr, login, f"{there}:v1")
    absent = there.replace(repository, "team/absent") + ":v1"
    ctr("images", "tag", f"{there}:v1", absent)
    assert "404 Not Found" in ctr.refused("images", "push", *login, absent)
