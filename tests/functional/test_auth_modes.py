"""One data folder, served with one mode of access and then with another: what was given to somebody who proved nothing
is worth nothing where proof is asked."""

import pytest
from support.aws import refused
from support.iam import ACCOUNT, REPOSITORY, client, login, options
from support.images import oci_image


@pytest.fixture
def server(make_server, tmp_path):
    return make_server("--auth", "token", data=tmp_path / "data")


def serve(server, *words):
    server.options = list(words)
    server.restart()


def look(server, auth):
    registry = server.registry(auth)
    answers = registry.tags(REPOSITORY), registry.start_upload(REPOSITORY), registry.get_manifest(REPOSITORY, "v1")
    registry.close()
    return answers


@pytest.mark.parametrize("mode", ["token", "open"])
def test_a_token_without_proof_is_nobodys(server, mode):
    """It names the account's root, whom --auth iam knows."""
    serve(server, "--auth", mode)
    theirs = server.ecr(access_key=ACCOUNT)
    theirs.create_repository(repositoryName=REPOSITORY)
    token = server.token(access_key=ACCOUNT)
    image = oci_image()
    registry = server.registry(token)
    registry.push_image(REPOSITORY, image, "v1")
    registry.close()
    link = theirs.get_download_url_for_layer(
        repositoryName=REPOSITORY, layerDigest=image.layers[0].digest)["downloadUrl"]
    serve(server, *options())
    for answer in look(server, token):
        assert (answer.status_code, answer.content) == (401, b"Not Authorized\n")
    anonymous = server.registry(login=None)
    assert anonymous.request("GET", link).status_code == 403
    anonymous.close()
    assert [answer.status_code for answer in look(server, login(server, "admin"))] == [200, 202, 200]


def test_proved_ones_outlast_a_restart(server):
    serve(server, *options())
    client(server, "admin").create_repository(repositoryName=REPOSITORY)
    token = login(server, "admin")
    session = client(server, "admin", "sts").get_session_token()["Credentials"]
    server.restart(kill=True)
    assert look(server, token)[0].status_code == 200
    names = client(server, "x", keys={"x": (session["AccessKeyId"], session["SecretAccessKey"])})
    with refused("UnrecognizedClientException"):
        names.describe_repositories()  # without its session token
    serve(server, "--auth", "token")
    assert look(server, token)[0].status_code == 401, "a key of its own seals them"
    serve(server, *options())
    assert look(server, token)[0].status_code == 200
