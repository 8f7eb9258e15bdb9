"""podman and buildah: built, pushed, removed, pulled, and lists of two architectures; each with a storage of its own."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from client import Client, find_client
from layouts import pushed, unpackable_image, unpacked_layers

BUILD = {"podman": "build", "buildah": "bud"}


@pytest.fixture(params=["podman", "buildah"])
def client(request):
    if os.geteuid() != 0:
        pytest.skip(f"{request.param} is run as root here")
    find_client(request.param)
    folder = Path(tempfile.mkdtemp(prefix="drydock-"))  # podman wants a path of at most 50 characters
    options = ["--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs"]
    if request.param == "podman":
        options += ["--tmpdir", folder / "tmp", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
    yield Client(request.param, folder, *options)
    shutil.rmtree(folder)


@pytest.fixture
def there(client, drydock, repository):
    client.login(drydock, "login", "--tls-verify=false")
    return f"{drydock.host}/{repository}"


def build(client, reference, data, *options):
    context = client.folder / "context"
    context.mkdir(exist_ok=True)
    (context / "file").write_bytes(data)
    (context / "Dockerfile").write_text('FROM scratch\nCOPY file /file\nCMD ["/file"]\n')
    client(BUILD[client.name], "--isolation", "chroot", "--tag", reference, *options, context)


def local_layers(client, reference):
    if client.name == "podman":
        return json.loads(client("image", "inspect", reference).stdout)[0]["RootFS"]["Layers"]
    return json.loads(client("inspect", "--type", "image", reference).stdout)["OCIv1"]["rootfs"]["diff_ids"]


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_build_push_and_pull(client, there, ecr, registry, repository, form):
    build(client, f"{there}:v1", os.urandom(100_000))
    layers = local_layers(client, f"{there}:v1")
    client("push", "--tls-verify=false", "--format", form, "--digestfile", "digest", f"{there}:v1")
    digest = (client.folder / "digest").read_text()
    assert pushed(ecr, repository) == {digest: {"v1"}}
    assert unpacked_layers(registry, repository, digest) == layers
    client("rmi", "--all", "--force")
    for reference in (f"{there}:v1", f"{there}@{digest}"):
        client("pull", "--tls-verify=false", reference)
        assert local_layers(client, reference) == layers


def test_pull_of_another_clients_image(client, there, registry, repository):
    image = unpackable_image({"file": b"of another client"})
    registry.push_image(repository, image, "v1")
    client("pull", "--tls-verify=false", f"{there}:v1")
    container = client(*(("create",) if client.name == "podman" else ("from",)), f"{there}:v1").stdout.strip()
    folder = client("mount", container).stdout.strip()
    with open(f"{folder}/file", "rb") as file:
        assert file.read() == b"of another client"
    client("umount", container)
    client("rm", container)


def test_manifest_push(client, there, ecr, registry, repository):
    client("manifest", "create", "both")
    for architecture in ("amd64", "arm64"):
        build(client, f"localhost/{architecture}", architecture.encode(), "--platform", f"linux/{architecture}")
        client("manifest", "add", "both", f"containers-storage:localhost/{architecture}")
    client("manifest", "push", "--all", "--tls-verify=false", "--digestfile", "digest", "both", f"docker://{there}:v1")
    digest = (client.folder / "digest").read_text()
    document = json.loads(registry.pull_image(repository, "v1"))
    assert {one["platform"]["architecture"] for one in document["manifests"]} == {"amd64", "arm64"}
    assert pushed(ecr, repository) == {digest: {"v1"}} | {one["digest"]: set() for one in document["manifests"]}


def test_refusals(client, there, drydock, repository):
    absent = there.replace(repository, "team/absent")
    build(client, f"{absent}:v1", b"refused")
    said = client.refused("push", "--tls-verify=false", f"{absent}:v1")
    assert "The repository with name 'team/absent' does not exist in the registry with id '000000000000'" in said
    assert "Requested image not found" in client.refused("pull", "--tls-verify=false", f"{there}:absent")
    client("logout", drydock.host)
    assert "authentication required" in client.refused("pull", "--tls-verify=false", f"{there}:absent")
