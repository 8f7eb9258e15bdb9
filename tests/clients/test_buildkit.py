"""BuildKit: builds pushed, and the registry cache, written in both its forms and read by one that has nothing else."""

import json
import os

import pytest
from buildkit import BuildKit, steps
from layouts import pushed

pytestmark = pytest.mark.sanitizers

DOCKERFILE = """
FROM scratch AS first
COPY large /large
FROM scratch
COPY --from=first /large /large
COPY version /version
"""
CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "large").write_bytes(os.urandom(200_000))
    (folder / "version").write_text("one")
    return folder


@pytest.fixture
def start(tmp_path):
    """start(server): a BuildKit that has nothing, logged in there. Each is stopped before the next one is started."""
    running = []

    def start(server):
        stop()
        buildkit = BuildKit(tmp_path / f"buildkit-{len(list(tmp_path.glob('buildkit-*')))}")
        buildkit.login(server)
        running.append(buildkit.__enter__())
        return buildkit

    def stop():
        while running:
            running.pop().__exit__()

    yield start
    stop()


def export_cache(reference, image_manifest=True):
    return "--export-cache", f"type=registry,ref={reference},mode=max,image-manifest={str(image_manifest).lower()}"


def import_cache(reference):
    return "--import-cache", f"type=registry,ref={reference}"


def push(reference, **settings):
    more = "".join(f",{name.replace('_', '-')}={value}" for name, value in settings.items())
    return "--output", f"type=image,name={reference},push=true{more}"


@pytest.mark.parametrize("oci_mediatypes", ["true", "false"])
def test_push(start, context, drydock, ecr, registry, repository, oci_mediatypes):
    there = f"{drydock.host}/{repository}"
    start(drydock).build(context, *push(f"{there}:v1", oci_mediatypes=oci_mediatypes))
    manifest = json.loads(registry.pull_image(repository, "v1"))
    assert ("vnd.oci" in manifest["mediaType"]) == (oci_mediatypes == "true")
    assert len(manifest["layers"]) == 2 and len(pushed(ecr, repository)) == 1


def test_push_with_attestations(start, context, drydock, ecr, registry, repository):
    """An index of the image and of the manifest that holds its provenance."""
    there = f"{drydock.host}/{repository}"
    start(drydock).build(context, "--opt", "attest:provenance=mode=max", *push(f"{there}:v1"))
    image, attestation = json.loads(registry.pull_image(repository, "v1"))["manifests"]
    assert attestation["annotations"]["vnd.docker.reference.digest"] == image["digest"]
    assert set(pushed(ecr, repository)) >= {image["digest"], attestation["digest"]}


def test_cache(start, context, drydock, ecr, registry, repository):
    there = f"{drydock.host}/{repository}"
    said = start(drydock).build(context, *push(f"{there}:v1"), *export_cache(f"{there}:cache"))
    assert not steps(said)["[first 1/1] COPY large /large"], said
    cache = json.loads(registry.pull_image(repository, "cache"))
    assert cache["config"]["mediaType"] == CACHE_CONFIG
    first = registry.get_manifest(repository, "v1").headers["Docker-Content-Digest"]

    said = start(drydock).build(context, *push(f"{there}:v2"), *import_cache(f"{there}:cache"))
    assert len(steps(said)) == 3 and all(steps(said).values()), said
    assert pushed(ecr, repository)[first] == {"v1", "v2"}
    # What has changed is built anew, and nothing else.
    (context / "version").write_text("two")
    said = start(drydock).build(context, *push(f"{there}:v3"), *import_cache(f"{there}:cache"))
    assert [step for step, cached in steps(said).items() if not cached] == ["[stage-1 2/2] COPY version /version"], said


def test_cache_as_an_index(start, context, make_server):
    """ECR takes the cache as an image only; a registry that conforms takes it as an index as well."""
    ecr, oci = make_server(), make_server("--profile", "oci")
    ecr.ecr().create_repository(repositoryName="team/app")
    buildkit = start(ecr)
    said = buildkit.build(context, *export_cache(f"{ecr.host}/team/app:cache", False), check=False)
    assert "unsupported: Invalid parameter at 'ImageManifest' failed to satisfy constraint" in said
    assert ecr.registry().tags("team/app").json()["tags"] == []

    buildkit.login(oci)
    there = f"{oci.host}/team/app:cache"
    buildkit.build(context, *export_cache(there, False))
    cache = oci.registry().get_manifest("team/app", "cache").json()
    assert CACHE_CONFIG in [one["mediaType"] for one in cache["manifests"]]
    said = start(oci).build(context, *push(f"{oci.host}/team/app:v1"), *import_cache(there))
    assert len(steps(said)) == 3 and all(steps(said).values()), said
    oci.registry().pull_image("team/app", "v1")


def test_refusals(start, context, drydock, registry, repository):
    absent = f"{drydock.host}/team/absent:v1"
    buildkit = start(drydock)
    said = buildkit.build(context, *push(absent), check=False)
    assert "The repository with name 'team/absent' does not exist in the registry with id '000000000000'" in said
    # A cache that is not there does not fail the build.
    said = buildkit.build(context, *import_cache(f"{drydock.host}/{repository}:none"))
    assert "[stage-1 2/2] COPY version /version" in steps(said)
