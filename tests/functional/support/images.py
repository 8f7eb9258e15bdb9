"""Images to push: blobs, manifests and indexes, small and random unless asked otherwise."""

import gzip
import hashlib
import io
import json
import os
import tarfile

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def converted(image):
    """The bytes that an image of the other format, Docker schema 2 or OCI, is converted to: what both can say."""
    other = {DOCKER_MANIFEST: OCI_MANIFEST, DOCKER_CONFIG: OCI_CONFIG, DOCKER_LAYER: OCI_LAYER}
    other |= {theirs: ours for ours, theirs in other.items()}
    config, *layers = [blob.descriptor() | {"mediaType": other[blob.media_type]} for blob in image.blobs]
    document = {"schemaVersion": 2, "mediaType": other[image.media_type], "config": config, "layers": layers}
    return json.dumps(document, separators=(",", ":")).encode()


class Blob:
    """Bytes with their digest and media type; a layer or a config."""

    def __init__(self, data, media_type=OCI_LAYER):
        self.data, self.media_type = data, media_type
        self.digest, self.size = digest_of(data), len(data)

    def descriptor(self, **more):
        return {"mediaType": self.media_type, "size": self.size, "digest": self.digest} | more


class Image:
    """A manifest or an index and what it names.

    `document` is the manifest as a dict; `manifest` the exact bytes that are pushed (indented, as docker writes them,
    so that a registry that re-serialises is found out). `blobs` is the config, then the layers; `children` are the
    images that an index names.
    """

    def __init__(self, document, media_type, blobs=(), children=()):
        self.document, self.media_type = document, media_type
        self.blobs, self.children = list(blobs), list(children)
        self.manifest = json.dumps(document, indent=3).encode()
        self.digest, self.size = digest_of(self.manifest), len(self.manifest)

    @property
    def config(self):
        return self.blobs[0]

    @property
    def layers(self):
        return self.blobs[1:]

    @property
    def layer_bytes(self):
        return sum(layer.size for layer in self.layers)

    def descriptor(self, **more):
        return {"mediaType": self.media_type, "size": self.size, "digest": self.digest} | more


def random_layer(size=1024, media_type=OCI_LAYER):
    """A layer of exactly this many random bytes (no registry looks inside)."""
    return Blob(os.urandom(size), media_type)


def tar_layer(files, media_type=OCI_LAYER):
    """A real layer, tar and gzip, of {path: bytes}."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return Blob(packed.getvalue(), media_type)


def _config(media_type, layers, architecture):
    return Blob(json.dumps({
        "architecture": architecture, "os": "linux", "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "comment": os.urandom(8).hex(),
    }).encode(), media_type)


def _image(manifest_type, config_type, layer_type, layers, size, architecture, members):
    if isinstance(layers, int):
        layers = [random_layer(size, layer_type) for _ in range(layers)]
    config = _config(config_type, layers, architecture)
    document = {
        "schemaVersion": 2, "mediaType": manifest_type, "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    return Image(document | members, manifest_type, [config, *layers])


def docker_image(layers=1, size=1024, architecture="amd64", **members):
    """A Docker schema 2 image that nobody has pushed before: a count of random layers of `size` bytes, or a list of
    blobs. `members` are added to the manifest."""
    return _image(DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER, layers, size, architecture, members)


def oci_image(layers=1, size=1024, architecture="amd64", **members):
    """The same as an OCI image manifest."""
    return _image(OCI_MANIFEST, OCI_CONFIG, OCI_LAYER, layers, size, architecture, members)


def oci_artifact(artifact_type, subject=None, layers=1, size=256, **members):
    """An OCI 1.1 artifact, with `subject` a referrer of that image."""
    config = Blob(b"{}", "application/vnd.oci.empty.v1+json")
    blobs = [random_layer(size, artifact_type) for _ in range(layers)]
    document = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type, "config": config.descriptor(),
        "layers": [blob.descriptor() for blob in blobs],
    }
    if subject is not None:
        document["subject"] = subject.descriptor()
    return Image(document | members, OCI_MANIFEST, [config, *blobs])


def _list(media_type, children, members):
    manifests = [
        child.descriptor(platform={"os": "linux", "architecture": _architecture(child)}) for child in children]
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}
    return Image(document | members, media_type, children=children)


def _architecture(image):
    return json.loads(image.config.data).get("architecture", "unknown") if image.blobs else "unknown"


def oci_index(children, **members):
    """An OCI index of images."""
    return _list(OCI_INDEX, children, members)


def docker_list(children, **members):
    """A Docker manifest list of images."""
    return _list(DOCKER_LIST, children, members)
