"""docker as the users and roles of testdata/iam/sample.json: who may push, who may only pull, and the sentence each
reads when refused."""

import pytest
from application import Application
from support.iam import ARN, KEYS, REPOSITORY, client, not_allowed, options, session, user


@pytest.fixture
def server(make_server):
    server = make_server(*options())
    client(server, "admin").create_repository(repositoryName=REPOSITORY)
    return server


@pytest.fixture
def image(engine, server, tmp_path):
    reference = f"{server.host}/{REPOSITORY}:v1"
    Application(tmp_path / "application", [1000, 2000]).build(engine, "one", reference)
    return reference


def keys(name):
    return dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), KEYS[name]))


def test_the_pipeline_pushes_and_the_instance_pulls(engine, server, image):
    engine.login(server, **keys("pipeline"))
    digest, _ = engine.push(image)
    engine.forget_images()
    engine.login(server, **keys("app-instance"))
    assert f"Digest: {digest}" in engine.docker("pull", image).stdout
    assert engine.run(image).startswith("version one\n")


def test_the_instance_cannot_push(engine, server, image):
    engine.login(server, **keys("app-instance"))
    said = engine.refused("push", image)
    assert f"denied: {not_allowed(session('app-instance', 'instance'), 'InitiateLayerUpload')}" in said.replace("\n", " ")
    assert client(server, "admin").list_images(repositoryName=REPOSITORY)["imageIds"] == []


def test_the_instance_cannot_push_what_is_there(engine, server, image):
    """All layers are there already: it is the manifest that is refused, or the look at the layers."""
    engine.login(server, **keys("pipeline"))
    engine.push(image)
    engine.login(server, **keys("app-instance"))
    other = image.replace(":v1", ":v2")
    engine.docker("tag", image, other)
    said = engine.refused("push", other)
    assert f"denied: User: {session('app-instance', 'instance')} is not authorized to perform: ecr:" in said
    assert client(server, "admin").list_images(repositoryName=REPOSITORY)["imageIds"][0]["imageTag"] == "v1"


def test_the_pipeline_pushes_nowhere_else(engine, server, image):
    engine.login(server, **keys("pipeline"))
    other = image.replace(REPOSITORY, "other")
    engine.docker("tag", image, other)
    sentence = not_allowed(user("pipeline"), "InitiateLayerUpload", ARN.replace(REPOSITORY, "other"))
    assert f"denied: {sentence}" in engine.refused("push", other)


def test_a_stranger_cannot_log_in(engine, server):
    with pytest.raises(AssertionError) as failure:
        engine.login(server, **keys("stranger"))
    assert not_allowed(user("stranger"), "GetAuthorizationToken", "*") in str(failure.value)
    assert "(AccessDeniedException) when calling the GetAuthorizationToken operation" in str(failure.value)


def test_a_key_that_is_not_configured(engine, server):
    with pytest.raises(AssertionError) as failure:
        engine.login(server)
    assert ("(UnrecognizedClientException) when calling the GetAuthorizationToken operation: The security token included "
            "in the request is invalid.") in str(failure.value)
