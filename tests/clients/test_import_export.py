"""drydock import and export with the archives of docker and skopeo: what they write is read, what is written they read."""

import io
import json
import tarfile

import pytest
from client import Client
from engine import run
from layouts import DOCKER, assert_layout_holds, diff_ids, unpackable_image, write_layout
from support.binary import clean_environment, find_binary
from support.images import OCI_INDEX, oci_index


@pytest.fixture
def skopeo(tmp_path):
    return Client("skopeo", tmp_path, "--insecure-policy")


def verb(*words):
    """Runs a verb of drydock's, and returns what it says as JSON."""
    return json.loads(run([str(find_binary()), *map(str, words), "--json"], clean_environment()).stdout)


def test_skopeo_reads_what_is_exported(skopeo, drydock, tmp_path):
    image = unpackable_image()
    layout = write_layout(tmp_path / "in", image)
    assert verb("import", layout, "app:v1", "--to", drydock.url)["digest"] == image.digest
    verb("export", "app:v1", tmp_path / "out.tar", "--from", drydock.url)
    skopeo("copy", f"oci-archive:{tmp_path / 'out.tar'}:v1", f"oci:{tmp_path / 'out'}:v1")
    assert_layout_holds(tmp_path / "out", image)


def test_skopeo_reads_an_exported_index(skopeo, tmp_path):
    index = oci_index([unpackable_image(), unpackable_image(architecture="arm64")])
    verb("import", write_layout(tmp_path / "in", index), "app:v1", "--data", tmp_path / "data")
    verb("export", "app:v1", tmp_path / "out.tar", "--data", tmp_path / "data")
    skopeo("copy", "--all", f"oci-archive:{tmp_path / 'out.tar'}:v1", f"oci:{tmp_path / 'out'}:v1")
    assert_layout_holds(tmp_path / "out", index)


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_what_skopeo_writes_is_imported(skopeo, drydock, tmp_path, form):
    image = unpackable_image()
    layout = write_layout(tmp_path / "in", image)
    skopeo("copy", f"oci:{layout}:v1", f"{form}:{tmp_path / 'image.tar'}:app:v1")
    digest = verb("import", tmp_path / "image.tar", "app:v1", "--to", drydock.url)["digest"]
    if form == "oci-archive":
        assert digest == image.digest
    # By a tag skopeo finds OCI manifests only; that of a docker archive is Docker's, and is found as the only one.
    tag = ":v1" if form == "oci-archive" else ""
    verb("export", "app:v1", tmp_path / "out.tar", "--from", drydock.url)
    skopeo("copy", f"oci-archive:{tmp_path / 'out.tar'}{tag}", f"dir:{tmp_path / 'out'}")


@pytest.mark.timeout(300)
def test_docker_save_and_docker_load(engine, drydock, tmp_path):
    with tarfile.open(tmp_path / "root.tar", "w") as root:
        root.add(__file__, "marker")
    engine.docker("import", tmp_path / "root.tar", "app:v1")
    before = json.loads(engine.docker("image", "inspect", "app:v1").stdout)[0]
    engine.docker("save", "--output", tmp_path / "saved.tar", "app:v1")
    verb("import", tmp_path / "saved.tar", "app:v1", "--to", drydock.url)
    verb("export", "app:v1", tmp_path / "out.tar", "--from", drydock.url)
    engine.forget_images()
    engine.docker("load", "--input", tmp_path / "out.tar")
    after = json.loads(engine.docker("image", "inspect", "app:v1").stdout)[0]
    assert after["Id"] == before["Id"] and after["RootFS"] == before["RootFS"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("nested", [False, True], ids=["index", "nested"])
def test_docker_load_of_an_index(engine, tmp_path, nested):
    """Of several architectures, and of indexes in an index, docker gets the first image."""
    image = unpackable_image(types=DOCKER)
    index = oci_index([image, unpackable_image(architecture="arm64")])
    if nested:
        index = oci_index([index, unpackable_image(architecture="s390x")])
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        for digest, content in parts_of(index):
            add(tar, "blobs/" + digest.replace(":", "/"), content)
        add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(tar, "index.json", json.dumps(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [index.descriptor()]}).encode())
    assert verb("import", tmp_path / "in.tar", "app:v1", "--data", tmp_path / "data")["digest"] == index.digest
    verb("export", "app:v1", tmp_path / "out.tar", "--data", tmp_path / "data")
    engine.docker("load", "--input", tmp_path / "out.tar")
    loaded = json.loads(engine.docker("image", "inspect", "app:v1").stdout)[0]
    assert (loaded["Id"], loaded["RootFS"]["Layers"]) == (image.config.digest, diff_ids(image))


def parts_of(image):
    yield image.digest, image.manifest
    for blob in image.blobs:
        yield blob.digest, blob.data
    for child in image.children:
        yield from parts_of(child)


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
