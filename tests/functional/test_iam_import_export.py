"""drydock import and export through a server with --auth iam: signed with the environment's keys, and refused as anybody
is."""

import subprocess

import pytest
from support.binary import clean_environment, find_binary
from support.fixtures import serve
from support.iam import ACCOUNT, KEYS, REPOSITORY, client, not_allowed, options, registry, user
from support.images import oci_image


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    yield from serve(tmp_path_factory, *options())


def run(credentials, *words):
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    environment = clean_environment(**dict(zip(names, credentials)))
    return subprocess.run([find_binary(), *map(str, words)], env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def archive(drydock, tmp_path):
    """An archive of an image, exported as the pipeline; (path, the image)."""
    client(drydock, "admin").create_repository(repositoryName=REPOSITORY)
    image = oci_image()
    docker = registry(drydock, "pipeline")
    docker.push_image(REPOSITORY, image, "v1")
    docker.close()
    path = tmp_path / "image.tar"
    done = run(KEYS["pipeline"], "export", f"{REPOSITORY}:v1", path, "--from", drydock.url)
    assert done.returncode == 0, done.stderr
    return path, image


def test_in_and_out(drydock, archive):
    path, image = archive
    done = run(KEYS["pipeline"], "import", path, f"{REPOSITORY}:v2", "--to", drydock.url)
    assert done.returncode == 0, done.stderr
    done = run(KEYS["admin"], "import", path, "new:v1", "--to", drydock.url)
    assert done.returncode == 0 and "made the repository new" in done.stdout, done.stderr
    docker = registry(drydock, "admin")
    for repository, tag in ((REPOSITORY, "v2"), ("new", "v1")):
        assert docker.pull_image(repository, tag) == image.manifest
    docker.close()


def test_with_temporary_credentials(drydock, archive, tmp_path):
    made = client(drydock, "pipeline", "sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/app-instance", RoleSessionName="export")["Credentials"]
    credentials = made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]
    done = run(credentials, "export", f"{REPOSITORY}:v1", tmp_path / "again.tar", "--from", drydock.url)
    assert done.returncode == 0, done.stderr
    done = run(credentials, "import", archive[0], f"{REPOSITORY}:v2", "--to", drydock.url)
    assert done.returncode == 1 and done.stderr.endswith("the server says 403\n"), "a HEAD is refused, without words"


def test_refusals(drydock, archive):
    done = run(KEYS["pipeline"], "import", archive[0], "other:v1", "--to", drydock.url)
    assert done.returncode == 1 and done.stderr.endswith("the server says 403\n"), "a HEAD is refused, without words"
    done = run(KEYS["stranger"], "export", f"{REPOSITORY}:v1", archive[0], "--from", drydock.url)
    assert done.returncode == 1
    assert not_allowed(user("stranger"), "GetAuthorizationToken", "*") in done.stderr
    done = run(("AKIAIOSFODNN7EXAMPLE", "wrong/secret"), "export", f"{REPOSITORY}:v1", archive[0], "--from", drydock.url)
    assert "no login: the server says 400, The security token included in the request is invalid." in done.stderr
