"""What teams push besides plain images, in both profiles: kept to the byte, found again by its type at both doors."""

import base64
import json

import pytest
from support.images import (
    DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Blob, Image, digest_of,
    oci_artifact, oci_image, oci_index, random_layer)
from support.server import Server
from support.waiting import wait_until

REPOSITORY = "team/app"
NOWHERE = "sha256:" + "0" * 64
EMPTY = "application/vnd.oci.empty.v1+json"


def artifact(config_type, *layer_types, manifest_type=OCI_MANIFEST, **members):
    config = Blob(b"{}", config_type)
    layers = [random_layer(300, layer_type) for layer_type in layer_types]
    document = {"schemaVersion": 2, "mediaType": manifest_type, "config": config.descriptor(),
                "layers": [layer.descriptor() for layer in layers]}
    return Image(document | members, manifest_type, [config, *layers])


# {what it is: (the image, the artifactMediaType that ECR tells of it)}
KINDS = {
    "zstd layers": (artifact(OCI_CONFIG, "application/vnd.oci.image.layer.v1.tar+zstd"), OCI_CONFIG),
    "docker's zstd layers": (artifact(
        DOCKER_CONFIG, "application/vnd.docker.image.rootfs.diff.tar.zstd", manifest_type=DOCKER_MANIFEST), DOCKER_CONFIG),
    "plain layers": (artifact(OCI_CONFIG, "application/vnd.oci.image.layer.v1.tar"), OCI_CONFIG),
    "docker's layers in an oci manifest": (artifact(OCI_CONFIG, DOCKER_LAYER), OCI_CONFIG),
    "a helm chart": (artifact(
        "application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        "application/vnd.cncf.helm.chart.provenance.v1.prov"), "application/vnd.cncf.helm.config.v1+json"),
    "a wasm module": (artifact(
        "application/vnd.wasm.config.v0+json", "application/wasm"), "application/vnd.wasm.config.v0+json"),
    "an older wasm module": (artifact(
        "application/vnd.wasm.config.v1+json", "application/vnd.wasm.content.layer.v1+wasm"),
        "application/vnd.wasm.config.v1+json"),
    "a policy bundle": (artifact(
        "application/vnd.cncf.openpolicyagent.config.v1+json", "application/vnd.cncf.openpolicyagent.layer.v1.tar+gzip"),
        "application/vnd.cncf.openpolicyagent.config.v1+json"),
    "a cosign signature": (artifact(OCI_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json"), OCI_CONFIG),
    "an in-toto attestation": (artifact(
        EMPTY, "application/vnd.in-toto+json", artifactType="application/vnd.in-toto+json"),
        "application/vnd.in-toto+json"),
    "an spdx sbom": (artifact(EMPTY, "application/spdx+json", artifactType="application/spdx+json"),
                     "application/spdx+json"),
    "a cyclonedx sbom": (artifact(
        EMPTY, "application/vnd.cyclonedx+json", artifactType="application/vnd.cyclonedx+json"),
        "application/vnd.cyclonedx+json"),
    "a docker plugin": (artifact(
        "application/vnd.docker.plugin.v1+json", DOCKER_LAYER, manifest_type=DOCKER_MANIFEST),
        "application/vnd.docker.plugin.v1+json"),
    "a buildkit cache": (artifact("application/vnd.buildkit.cacheconfig.v0", OCI_LAYER),
                         "application/vnd.buildkit.cacheconfig.v0"),
    "an artifact without content": (oci_artifact("application/vnd.example.flag", layers=0), "application/vnd.example.flag"),
    "encrypted layers": (artifact(OCI_CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), OCI_CONFIG),
}


@pytest.fixture(params=["ecr", "oci"], scope="module")
def profile(request, tmp_path_factory):
    server = Server("--profile", request.param, folder=tmp_path_factory.mktemp(request.param))
    yield server.start()
    server.stop()


@pytest.fixture
def registry(profile):
    profile.reset()
    profile.ecr().create_repository(repositoryName=REPOSITORY)
    client = profile.registry()
    yield client
    client.close()
    profile.check()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(profile, registry, kind):
    image, told = KINDS[kind]
    registry.push_image(REPOSITORY, image, "v1")
    assert registry.pull_image(REPOSITORY, "v1") == image.manifest
    detail, = profile.ecr().describe_images(repositoryName=REPOSITORY)["imageDetails"]
    assert (detail["imageManifestMediaType"], detail["artifactMediaType"]) == (image.media_type, told)
    assert detail["imageSizeInBytes"] == image.layer_bytes
    given, = profile.ecr().batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])["images"]
    assert given["imageManifest"].encode() == image.manifest


@pytest.mark.parametrize("media_type", [
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", OCI_LAYER])
def test_layers_that_are_kept_elsewhere(registry, media_type):
    """Their makers' addresses stand in the manifest: they need not be here, and may be."""
    layer = {"mediaType": media_type, "size": 5, "digest": NOWHERE, "urls": ["https://example.com/layer"]}
    image = oci_image()
    document = image.document | {"layers": [layer, *image.document["layers"]]}
    foreign = Image(document, OCI_MANIFEST, image.blobs)
    registry.push_image(REPOSITORY, foreign, "v1")
    assert registry.get_manifest(REPOSITORY, "v1").content == foreign.manifest
    assert registry.get_blob(REPOSITORY, NOWHERE).status_code == 404
    # The others of such an image are as needed as ever.
    lacking = foreign.document | {"layers": [layer, random_layer().descriptor()]}
    answer = registry.put_manifest(REPOSITORY, "v2", json.dumps(lacking).encode(), OCI_MANIFEST)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_BLOB_UNKNOWN")


def test_data_in_a_descriptor(registry):
    """It stands beside the blob, not for it."""
    config = Blob(b"{}", EMPTY)
    descriptor = config.descriptor(data=base64.b64encode(config.data).decode())
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example.flag",
                "config": descriptor, "layers": [descriptor]}
    image = Image(document, OCI_MANIFEST, [config])
    answer = registry.put_manifest(REPOSITORY, "v1", image.manifest, OCI_MANIFEST)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_BLOB_UNKNOWN")
    registry.push_image(REPOSITORY, image, "v1")
    assert registry.pull_image(REPOSITORY, "v1") == image.manifest


def test_an_empty_layer(profile, registry):
    image = oci_image(layers=[Blob(b"", "application/vnd.oci.image.layer.v1.tar")])
    registry.push_image(REPOSITORY, image, "v1")
    assert registry.pull_image(REPOSITORY, "v1") == image.manifest
    detail, = profile.ecr().describe_images(repositoryName=REPOSITORY)["imageDetails"]
    assert detail["imageSizeInBytes"] == 0


def test_attestations_in_an_index(profile, registry):
    """As BuildKit writes them: a manifest of no platform that says of which image it is."""
    image = oci_image()
    attestation = artifact(OCI_CONFIG, "application/vnd.in-toto+json")
    index = Image({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        image.descriptor(platform={"os": "linux", "architecture": "amd64"}),
        attestation.descriptor(
            platform={"os": "unknown", "architecture": "unknown"},
            annotations={"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.digest}),
    ]}, OCI_INDEX, children=[image, attestation])
    registry.push_image(REPOSITORY, index, "v1")
    assert registry.pull_image(REPOSITORY, "v1") == index.manifest
    assert len(profile.ecr().describe_images(repositoryName=REPOSITORY)["imageDetails"]) == 3


def test_an_index_of_artifacts(registry):
    index = oci_index([KINDS["a wasm module"][0], oci_index([oci_image()])], artifactType="application/vnd.example.set")
    registry.push_image(REPOSITORY, index, "v1")
    assert registry.pull_image(REPOSITORY, "v1") == index.manifest
    assert registry.get_manifest(REPOSITORY, digest_of(index.manifest)).headers["Content-Type"] == OCI_INDEX


# -- tags that may not move -------------------------------------------------------------------------------------------

IMMUTABLE = (
    "The image tag '{}' already exists in the 'team/fixed' repository and cannot be overwritten because the tag is "
    "immutable.")
# {mode: the tags that may move}
MODES = {
    "MUTABLE": {"v1", "dev-1", "latest"}, "IMMUTABLE": set(),
    "IMMUTABLE_WITH_EXCLUSION": {"dev-1", "latest"}, "MUTABLE_WITH_EXCLUSION": {"v1"},
}


@pytest.mark.parametrize("mode", MODES)
def test_tag_mutability(profile, registry, mode):
    filters = [{"filterType": "WILDCARD", "filter": text} for text in ("dev-*", "latest")]
    more = {"imageTagMutabilityExclusionFilters": filters} if "EXCLUSION" in mode else {}
    profile.ecr().create_repository(repositoryName="team/fixed", imageTagMutability=mode, **more)
    old, new = oci_image(), oci_image()
    registry.push_image("team/fixed", old, "v1", "dev-1", "latest")
    registry.push_image("team/fixed", new, "other")
    for tag in ("v1", "dev-1", "latest"):
        # The image that has the tag already may be pushed under it any number of times.
        assert registry.put_manifest("team/fixed", tag, old.manifest, old.media_type).status_code == 201
        answer = registry.put_manifest("team/fixed", tag, new.manifest, new.media_type)
        moves = tag in MODES[mode]
        assert answer.status_code == (201 if moves else 400)
        if not moves:
            assert answer.json()["errors"] == [{"code": "TAG_INVALID", "message": IMMUTABLE.format(tag)}]
        assert registry.get_manifest("team/fixed", tag).content == (new if moves else old).manifest


def test_one_of_several_tags_may_not_move(profile, registry):
    """Then none is set."""
    profile.ecr().create_repository(repositoryName="team/fixed", imageTagMutability="IMMUTABLE")
    old, new = oci_image(), oci_image()
    registry.push_image("team/fixed", old, "v1")
    registry.push_image("team/fixed", new)
    path = f"team/fixed/manifests/{new.digest}?tag=v2&tag=v1&tag=v3"
    answer = registry.request("PUT", path, data=new.manifest, headers={"Content-Type": new.media_type})
    assert answer.json()["errors"][0]["message"] == IMMUTABLE.format("v1")
    assert registry.tags("team/fixed").json()["tags"] == ["v1"]


# -- what a pull leaves behind ----------------------------------------------------------------------------------------

def pulled(profile, digest):
    details = profile.ecr().describe_images(repositoryName=REPOSITORY, imageIds=[{"imageDigest": digest}])
    return details["imageDetails"][0].get("lastRecordedPullTime")


def wait_for_pull(profile, digest, than=None):
    return wait_until(lambda: pulled(profile, digest) not in (None, than) and pulled(profile, digest))


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_the_last_pull(profile, registry, by):
    """Once in 24 hours it is recorded anew, as ECR does it."""
    image = oci_image()
    registry.push_image(REPOSITORY, image, "v1")
    reference = "v1" if by == "tag" else image.digest
    registry.get_manifest(REPOSITORY, reference, method="HEAD")
    assert pulled(profile, image.digest) is None
    assert registry.get_manifest(REPOSITORY, reference).status_code == 200
    first = wait_for_pull(profile, image.digest)
    profile.advance(3600)
    registry.get_manifest(REPOSITORY, reference)
    assert pulled(profile, image.digest) == first
    profile.advance(24 * 3600)
    fresh = profile.registry()
    fresh.get_manifest(REPOSITORY, reference)
    assert (wait_for_pull(profile, image.digest, than=first) - first).total_seconds() >= 24 * 3600
    fresh.close()


def test_an_index_is_pulled_and_then_its_image(profile, registry):
    index = oci_index([oci_image(), oci_image(architecture="arm64")])
    registry.push_image(REPOSITORY, index, "v1")
    registry.get_manifest(REPOSITORY, "v1")
    registry.get_manifest(REPOSITORY, index.children[1].digest)
    wait_for_pull(profile, index.digest)
    wait_for_pull(profile, index.children[1].digest)
    assert pulled(profile, index.children[0].digest) is None
