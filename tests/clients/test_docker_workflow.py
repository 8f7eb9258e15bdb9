"""The scenario that Drydock comes from: a delivery script, the docker engine, the AWS command line and boto3."""

import os

import pytest
from application import Application

NAME = "team/web-app"
MIB = 1 << 20
SMALL = [300_000, 40_000]
LARGE = [1 * MIB, 20 * MIB, 64 * MIB, 128 * MIB, 150 * MIB, 160 * MIB]


def commit_hash():
    return os.urandom(20).hex()


def create_or_find(ecr):
    """What delivery scripts do: create, and when it is there already ask where. Returns (URI, was it created)."""
    try:
        created = ecr.create_repository(
            repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True}, imageTagMutability="MUTABLE")
        return created["repository"]["repositoryUri"], True
    except ecr.exceptions.RepositoryAlreadyExistsException:
        found = ecr.describe_repositories(repositoryNames=[NAME])["repositories"]
        assert [one["imageScanningConfiguration"] for one in found] == [{"scanOnPush": True}]
        assert [one["imageTagMutability"] for one in found] == ["MUTABLE"]
        return found[0]["repositoryUri"], False


def tags_by_digest(ecr):
    details = ecr.describe_images(repositoryName=NAME)["imageDetails"]
    return {detail["imageDigest"]: set(detail.get("imageTags", [])) for detail in details}


def deliver(engine, application, uri, version, commit):
    """Builds a version and pushes it under its commit and as latest; returns (digest, what it prints, push log)."""
    expected = application.build(engine, version, f"{uri}:{commit}")
    engine.docker("tag", f"{uri}:{commit}", f"{uri}:latest")
    digest, log = engine.push(f"{uri}:{commit}")
    assert engine.push(f"{uri}:latest")[0] == digest
    return digest, expected, log


def pull_and_run(engine, reference):
    """Runs what is pulled now, not what was there before."""
    engine.forget_images()
    engine.docker("pull", reference)
    return engine.run(reference)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("sizes", [SMALL, LARGE], ids=["small", "500MB"])
def test_workflow(engine, make_server, tmp_path, sizes):
    server = make_server(data=tmp_path / "data")
    ecr = server.ecr()
    uri, created = create_or_find(ecr)
    assert created
    assert create_or_find(ecr) == (uri, False)
    engine.login(server)
    application = Application(tmp_path / "application", sizes)

    one = commit_hash()
    first, first_prints, _ = deliver(engine, application, uri, "one", one)
    assert tags_by_digest(ecr) == {first: {one, "latest"}}
    detail = ecr.describe_images(repositoryName=NAME)["imageDetails"][0]
    assert detail["imageSizeInBytes"] >= sum(sizes)
    assert detail["imageManifestMediaType"] == "application/vnd.docker.distribution.manifest.v2+json"

    server.restart()
    assert create_or_find(ecr) == (uri, False)
    assert tags_by_digest(ecr) == {first: {one, "latest"}}
    for reference in (f"{uri}:latest", f"{uri}:{one}", f"{uri}@{first}"):
        assert pull_and_run(engine, reference) == first_prints

    two = commit_hash()
    second, second_prints, log = deliver(engine, application, uri, "two", two)
    assert log.count("Layer already exists") >= len(sizes), log
    assert tags_by_digest(ecr) == {first: {one}, second: {two, "latest"}}

    server.restart(kill=True)
    assert tags_by_digest(ecr) == {first: {one}, second: {two, "latest"}}
    assert pull_and_run(engine, f"{uri}:latest") == second_prints

    # Roll back: the first commit is still what it was, and becomes the latest again.
    assert pull_and_run(engine, f"{uri}:{one}") == first_prints
    engine.docker("tag", f"{uri}:{one}", f"{uri}:latest")
    assert engine.push(f"{uri}:latest")[0] == first
    assert tags_by_digest(ecr) == {first: {one, "latest"}, second: {two}}
    assert pull_and_run(engine, f"{uri}:latest") == first_prints
