"""Images on the disk, to be pushed, and images that have been pulled, to be looked at."""

import gzip
import json
import os

from support.images import (
    DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Blob, Image,
    digest_of, tar_layer)

OCI = OCI_MANIFEST, OCI_CONFIG, OCI_LAYER
DOCKER = DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER


def diff_ids(image):
    """The digests of an image's layers unpacked."""
    return [digest_of(gzip.decompress(layer.data)) for layer in image.layers]


def unpackable_image(files=None, architecture="amd64", types=OCI):
    """An image that a client can unpack: a layer for each of {path: bytes}, or of two random files."""
    files = files or {"one": os.urandom(20_000), "two": os.urandom(3000)}
    manifest_type, config_type, layer_type = types
    layers = [tar_layer({path: data}, layer_type) for path, data in files.items()]
    config = Blob(json.dumps({
        "architecture": architecture, "os": "linux", "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(gzip.decompress(layer.data)) for layer in layers]},
        "history": [{"created_by": f"COPY {path}"} for path in files]}).encode(), config_type)
    return Image({
        "schemaVersion": 2, "mediaType": manifest_type, "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers]}, manifest_type, [config, *layers])


def write_layout(folder, image, tag="v1"):
    """Writes an OCI layout of one image or index, as it would be pushed."""
    (folder / "blobs/sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    for one in [image, *image.children]:
        _write(folder, one.manifest)
        for blob in one.blobs:
            _write(folder, blob.data)
    named = image.descriptor(annotations={"org.opencontainers.image.ref.name": tag})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [named]}))
    return folder


def _write(folder, data):
    (folder / "blobs/sha256" / digest_of(data).partition(":")[2]).write_bytes(data)


def layout_digests(folder):
    """The digests of the manifests that an OCI layout names."""
    return [one["digest"] for one in json.loads((folder / "index.json").read_text())["manifests"]]


def assert_layout_holds(folder, image):
    """Fails unless it names just this image, and has every byte of it."""
    assert layout_digests(folder) == [image.digest]
    for data in [one.manifest for one in [image, *image.children]] + [
            blob.data for one in [image, *image.children] for blob in one.blobs]:
        assert (folder / "blobs/sha256" / digest_of(data).partition(":")[2]).read_bytes() == data


def pushed(ecr, repository):
    """{digest: its tags} of everything in a repository."""
    details = ecr.get_paginator("describe_images").paginate(repositoryName=repository).build_full_result()
    return {detail["imageDigest"]: set(detail.get("imageTags", [])) for detail in details["imageDetails"]}


def unpacked_layers(registry, repository, reference):
    """The diff ids that an image in the registry says, and fails unless its layers are that."""
    manifest = json.loads(registry.pull_image(repository, reference))
    said = registry.get_blob(repository, manifest["config"]["digest"]).json()["rootfs"]["diff_ids"]
    layers = [registry.get_blob(repository, layer["digest"]).content for layer in manifest["layers"]]
    assert said == [digest_of(gzip.decompress(layer)) for layer in layers]
    return said
