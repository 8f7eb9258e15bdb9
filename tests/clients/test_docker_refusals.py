"""What the docker engine's user reads when something is not as it should be: ECR's own words."""

import pytest
from application import Application

HALF_A_DAY = 12 * 3600


@pytest.fixture
def image(engine, drydock, tmp_path):
    """A local image, named for a repository that does not exist yet."""
    reference = f"{drydock.host}/team/app:v1"
    Application(tmp_path / "application", [1000]).build(engine, "one", reference)
    return reference


def test_push_without_login(engine, image):
    assert "no basic auth credentials" in engine.refused("push", image)


def test_wrong_password(engine, drydock):
    said = engine.refused("login", "--username", "AWS", "--password", "wrong", drydock.host)
    assert "401 Unauthorized" in said


def test_repository_does_not_exist(engine, drydock, image):
    engine.login(drydock)
    assert (
        "name unknown: The repository with name 'team/app' does not exist in the registry with id '000000000000'"
    ) in engine.refused("push", image)


def test_tag_does_not_exist(engine, drydock, ecr, repository):
    engine.login(drydock)
    said = engine.refused("pull", f"{drydock.host}/{repository}:absent")
    assert "manifest unknown: Requested image not found" in said


def test_expired_token(engine, drydock, image, repository):
    engine.login(drydock)
    engine.push(image)
    drydock.advance(HALF_A_DAY + 1)
    expired = "Your authorization token has expired. Reauthenticate and try again."
    assert f"denied: {expired}" in engine.refused("push", image)
    engine.login(drydock)
    engine.push(image)
