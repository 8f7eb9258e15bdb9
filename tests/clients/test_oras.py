"""oras: artifacts that are not images, and what hangs on an image."""

import json

import pytest
from client import Client
from layouts import pushed, unpackable_image
from support.images import digest_of

REPORT = "application/vnd.example.report"


@pytest.fixture
def oras(tmp_path, drydock):
    oras = Client("oras", tmp_path)
    oras.login(drydock, "login", "--plain-http")
    return oras


@pytest.fixture
def there(drydock, repository):
    return f"{drydock.host}/{repository}"


def answer(oras, *arguments):
    return json.loads(oras(*arguments, "--plain-http", "--format", "json").stdout)


def test_push_and_pull(oras, there, ecr, registry, repository, tmp_path):
    (tmp_path / "report.txt").write_bytes(b"all well")
    digest = answer(oras, "push", "--artifact-type", REPORT, f"{there}:v1", "report.txt:text/plain")["digest"]
    assert pushed(ecr, repository) == {digest: {"v1"}}
    assert ecr.describe_images(repositoryName=repository)["imageDetails"][0]["artifactMediaType"] == REPORT
    document = json.loads(registry.pull_image(repository, digest))
    assert document["artifactType"] == REPORT
    assert document["layers"][0]["digest"] == digest_of(b"all well")
    (tmp_path / "in").mkdir()
    oras("pull", "--plain-http", "--output", tmp_path / "in", f"{there}:v1")
    assert (tmp_path / "in/report.txt").read_bytes() == b"all well"


def test_attach_discover_and_copy(oras, there, ecr, registry, repository, tmp_path):
    image = unpackable_image()
    registry.push_image(repository, image, "v1")
    (tmp_path / "report.txt").write_bytes(b"all well")
    attached = answer(oras, "attach", "--artifact-type", REPORT, f"{there}:v1", "report.txt:text/plain")["digest"]
    assert pushed(ecr, repository) == {image.digest: {"v1"}, attached: set()}
    found = answer(oras, "discover", f"{there}:v1")
    assert [(one["digest"], one["artifactType"]) for one in found["referrers"]] == [(attached, REPORT)]
    none = answer(oras, "discover", "--artifact-type", "application/vnd.example.other", f"{there}:v1")
    assert not none.get("referrers")

    ecr.create_repository(repositoryName="team/copy")
    copy = there.replace(repository, "team/copy")
    oras("copy", "-r", "--from-plain-http", "--to-plain-http", f"{there}:v1", f"{copy}:v1")
    assert pushed(ecr, "team/copy") == {image.digest: {"v1"}, attached: set()}
    assert [one["digest"] for one in answer(oras, "discover", f"{copy}:v1")["referrers"]] == [attached]
    assert registry.pull_image("team/copy", "v1") == image.manifest


def test_questions(oras, there, registry, repository):
    image = unpackable_image()
    registry.push_image(repository, image, "v1", "latest")
    assert oras("repo", "tags", "--plain-http", there).stdout.split() == ["latest", "v1"]
    assert oras("manifest", "fetch", "--plain-http", f"{there}:v1").stdout.encode() == image.manifest
    oras("tag", "--plain-http", f"{there}:v1", "v2")
    assert oras("resolve", "--plain-http", f"{there}:v2").stdout.strip() == image.digest


def test_manifest_delete(oras, there, ecr, registry, repository):
    image = unpackable_image()
    registry.push_image(repository, image, "v1")
    oras("manifest", "delete", "--plain-http", "--force", f"{there}@{image.digest}")
    assert pushed(ecr, repository) == {}


def test_refusals(oras, there, drydock, repository, tmp_path):
    (tmp_path / "report.txt").write_bytes(b"all well")
    absent = there.replace(repository, "team/absent")
    assert (
        "The repository with name 'team/absent' does not exist in the registry with id '000000000000'"
    ).lower() in oras.refused("push", "--plain-http", f"{absent}:v1", "report.txt").lower()
    oras("logout", drydock.host)
    assert "basic credential not found" in oras.refused("push", "--plain-http", f"{there}:v1", "report.txt")
