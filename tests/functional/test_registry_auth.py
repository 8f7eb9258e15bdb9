"""Who may use the registry (ecr-behaviour 6.1): tokens, 401 to the letter, expiry, regions, open mode."""

import base64
import json

import pytest
from support.images import oci_image
from support.refusals import refusal
from support.transfer import Transfer

NOWHERE = "sha256:" + "0" * 64
UPLOAD = "00000000-0000-4000-8000-000000000000"
ROUTES = [
    ("GET", ""), ("GET", "team/app/tags/list"), ("GET", "team/app/manifests/v1"), ("PUT", "team/app/manifests/v1"),
    ("DELETE", "team/app/manifests/v1"), ("GET", f"team/app/blobs/{NOWHERE}"), ("DELETE", f"team/app/blobs/{NOWHERE}"),
    ("POST", "team/app/blobs/uploads/"), ("POST", f"team/app/blobs/uploads/?digest={NOWHERE}"),
    ("GET", f"team/app/blobs/uploads/{UPLOAD}"), ("PATCH", f"team/app/blobs/uploads/{UPLOAD}"),
    ("PUT", f"team/app/blobs/uploads/{UPLOAD}?digest={NOWHERE}"), ("DELETE", f"team/app/blobs/uploads/{UPLOAD}"),
    ("GET", "nothing/here"), ("POST", "Bad..Name/blobs/uploads/"), ("GET", "_catalog"),
]


def challenge(account="000000000000", region="us-east-1", suffix="amazonaws.com"):
    return f'Basic realm="https://{account}.dkr.ecr.{region}.{suffix}/",service="ecr.amazonaws.com"'


def assert_unauthorized(response, realm=challenge()):
    assert response.status_code == 401
    assert response.content == b"Not Authorized\n"
    assert {name: response.headers[name] for name in response.headers if name not in ("Date", "Connection")} == {
        "Docker-Distribution-Api-Version": "registry/2.0", "Www-Authenticate": realm, "Content-Length": "15",
        "Content-Type": "text/plain; charset=utf-8"}


def test_401_on_the_wire(wire):
    """The very bytes that real ECR was seen to send, but for the Date."""
    connection = wire()
    connection.request("GET", "/v2/")
    answer = connection.read_response()
    assert (answer.status, answer.reason, answer.body) == (401, "Unauthorized", b"Not Authorized\n")
    assert sorted(header for header in answer.headers if header[0] != "date") == [
        ("content-length", "15"), ("content-type", "text/plain; charset=utf-8"),
        ("docker-distribution-api-version", "registry/2.0"), ("www-authenticate", challenge())]


@pytest.mark.parametrize("method, path", ROUTES)
@pytest.mark.parametrize("body", [None, b"x" * 100_000])
def test_every_route_wants_a_token(anonymous, repository, method, path, body):
    assert_unauthorized(anonymous.request(method, path, data=body if method != "GET" else None))


def test_head_is_asked_too(anonymous, repository):
    response = anonymous.request("HEAD", "team/app/manifests/v1")
    assert (response.status_code, response.headers["Www-Authenticate"]) == (401, challenge())
    assert response.content == b""


def test_a_body_is_refused_before_it_is_sent(drydock, repository):
    """Expect: 100-continue is answered with the refusal itself."""
    for method, path in (("PATCH", f"/v2/team/app/blobs/uploads/{UPLOAD}"), ("PUT", "/v2/team/app/manifests/v1")):
        answer = Transfer(drydock, None, method, path, 10 << 30).refusal
        assert (answer.status, answer.body) == (401, b"Not Authorized\n")


def test_with_a_token(drydock, registry):
    response = registry.request("GET", "")
    assert (response.status_code, response.headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")
    assert registry.request("GET", drydock.url + "/v2").status_code == 200
    assert registry.request("HEAD", "").status_code == 200


def garbled(login):
    user, password = login
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    changed = ("A" if password[40] != "A" else "B").join([password[:40], password[41:]])
    return {
        "another user": "Basic " + base64.b64encode(f"aws:{password}".encode()).decode(),
        "no user": "Basic " + base64.b64encode(password.encode()).decode(),
        "no password": "Basic " + base64.b64encode(b"AWS:").decode(),
        "some password": "Basic " + base64.b64encode(b"AWS:password").decode(),
        "bearer": "Bearer " + encoded, "no scheme": encoded, "not base64": "Basic ???", "empty": "Basic ",
        "cut": "Basic " + base64.b64encode(f"AWS:{password[:-4]}".encode()).decode(),
        "longer": "Basic " + base64.b64encode(f"AWS:{password}AAAA".encode()).decode(),
        "one letter changed": "Basic " + base64.b64encode(f"AWS:{changed}".encode()).decode(),
        "first letter changed": "Basic " + base64.b64encode(
            f"AWS:{'A' if password[0] != 'A' else 'B'}{password[1:]}".encode()).decode(),
        "huge": "Basic " + "QVdT" * 5000,
    }


@pytest.mark.parametrize("kind", garbled(("AWS", "x" * 80)))
def test_altered_tokens(drydock, anonymous, repository, kind):
    header = garbled(drydock.token())[kind]
    assert_unauthorized(anonymous.request("GET", f"{repository}/tags/list", headers={"Authorization": header}))


def test_every_letter_of_a_token_counts(drydock, anonymous, repository):
    """The last one may only hold bits that no byte needs."""
    user, password = drydock.token()
    refused = 0
    for at in range(len(password)):
        other = next(letter for letter in "ABab" if letter != password[at])
        header = base64.b64encode(f"{user}:{password[:at]}{other}{password[at + 1:]}".encode()).decode()
        response = anonymous.request("GET", f"{repository}/tags/list", headers={"Authorization": f"Basic {header}"})
        refused += response.status_code == 401
    assert refused >= len(password) - 1


def test_a_token_of_another_server(make_server, anonymous, repository):
    other = make_server()
    user, password = other.token()
    assert_unauthorized(anonymous.request("GET", f"{repository}/tags/list", auth=(user, password)))


# -- time -------------------------------------------------------------------------------------------------------------

EXPIRED = (403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")


def test_a_token_lasts_twelve_hours(drydock, ecr, registry, repository):
    drydock.advance(12 * 3600 - 60)
    assert registry.tags(repository).status_code == 200
    drydock.advance(120)
    for method, path in ROUTES[1:9]:
        assert refusal(registry.request(method, path, data=b"x" if method == "PUT" else None)) == EXPIRED
    assert refusal(registry.request("GET", "")) == EXPIRED
    fresh = drydock.registry()
    assert fresh.tags(repository).status_code == 200
    fresh.close()
    drydock.advance(-3600)
    assert registry.tags(repository).status_code == 200, "the clock went back"


def test_an_altered_token_that_has_expired_is_an_altered_one(drydock, anonymous, repository):
    user, password = drydock.token()
    drydock.advance(13 * 3600)
    altered = password[:50] + ("A" if password[50] != "A" else "B") + password[51:]
    assert_unauthorized(anonymous.request("GET", f"{repository}/tags/list", auth=(user, altered)))


def test_an_upload_that_outlasts_its_token(drydock, registry, repository):
    """Who asks is looked at when a request begins."""
    location = registry.start_upload(repository).headers["Location"]
    patch = Transfer(drydock, drydock.token(), "PATCH", location, 10)
    patch.send(b"12345")
    drydock.advance(13 * 3600)
    patch.send(b"67890")
    assert patch.finish().status == 202
    assert refusal(registry.patch_upload(location, b"more")) == EXPIRED


# -- accounts and regions ---------------------------------------------------------------------------------------------

def test_a_token_says_which_registry_is_meant(drydock, repository):
    image = oci_image()
    for account, region in (("123456789012", "us-east-1"), ("123456789012", "eu-west-1")):
        place = {"access_key": account, "region": region}
        registry = drydock.registry(drydock.token(**place))
        assert refusal(registry.tags(repository)) == (
            404, "NAME_UNKNOWN",
            f"The repository with name 'team/app' does not exist in the registry with id '{account}'")
        drydock.ecr(**place).create_repository(repositoryName=repository)
        registry.push_image(repository, image, region)
        assert registry.tags(repository).json()["tags"] == [region]
        registry.close()
    home = drydock.registry()
    assert home.tags(repository).json()["tags"] == []
    assert home.head_blob(repository, image.config.digest).status_code == 404
    home.close()


def host_name(account="123456789012", region="us-east-1", suffix="amazonaws.com"):
    return {"Host": f"{account}.dkr.ecr.{region}.{suffix}"}


def test_a_host_name_wins(drydock, registry, repository):
    """The host name chooses the registry, and is named in what is said."""
    theirs = drydock.ecr(access_key="123456789012")
    theirs.create_repository(repositoryName="theirs")
    login = drydock.token(access_key="123456789012")
    assert registry.tags("theirs").status_code == 404
    registry.session.auth = login
    assert registry.request("GET", "theirs/tags/list", headers=host_name()).json() == {"name": "theirs", "tags": []}
    assert refusal(registry.request("GET", "team/app/tags/list", headers=host_name()))[2] == (
        "The repository with name 'team/app' does not exist in the registry with id '123456789012'")


def test_a_token_at_another_accounts_host_name(drydock, registry, repository):
    """ECR asks that account's policies, and so do we: a login holds for its own account, unless another lets it in."""
    theirs = drydock.ecr(access_key="123456789012")
    theirs.create_repository(repositoryName="theirs")
    there = drydock.registry(drydock.token(access_key="123456789012"))
    image = oci_image()
    there.push_image("theirs", image, "v1")
    there.close()

    def at(method, path, **arguments):
        return registry.request(method, path, headers=host_name(), **arguments)

    assert at("GET", "").status_code == 200
    for method, path, action in (
            ("GET", "theirs/tags/list", "ListImages"), ("GET", "theirs/manifests/v1", "BatchGetImage"),
            ("GET", f"theirs/blobs/{image.layers[0].digest}", "GetDownloadUrlForLayer"),
            ("POST", "theirs/blobs/uploads/", "InitiateLayerUpload"), ("PUT", "theirs/manifests/v1", "PutImage")):
        assert refusal(at(method, path, data=image.manifest if method == "PUT" else None)) == (
            403, "DENIED",
            f"User: arn:aws:iam::000000000000:root is not authorized to perform: ecr:{action} on resource: "
            f"arn:aws:ecr:us-east-1:123456789012:repository/theirs because no resource-based policy allows the "
            f"ecr:{action} action")
    theirs.set_repository_policy(repositoryName="theirs", policyText=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": ["ecr:BatchGetImage", "ecr:ListImages"]}]}))
    assert at("GET", "theirs/manifests/v1").content == image.manifest
    assert at("GET", "theirs/tags/list").json() == {"name": "theirs", "tags": ["v1"]}
    assert at("POST", "theirs/blobs/uploads/").status_code == 403
    assert registry.request("GET", "team/app/tags/list", headers=host_name("000000000000")).status_code == 200


def test_a_token_of_another_region(drydock, anonymous, registry):
    """Does not work, whatever the account."""
    drydock.ecr(access_key="123456789012", region="eu-west-1").create_repository(repositoryName="app")
    assert_unauthorized(
        registry.request("GET", "app/tags/list", headers=host_name(region="eu-west-1")),
        challenge("123456789012", "eu-west-1"))
    abroad = drydock.token(access_key="123456789012", region="eu-west-1")
    assert anonymous.request(
        "GET", "app/tags/list", headers=host_name(region="eu-west-1"), auth=abroad).status_code == 200
    assert_unauthorized(
        anonymous.request("GET", "app/tags/list", headers=host_name(), auth=abroad), challenge("123456789012"))


@pytest.mark.parametrize("region, suffix", [
    ("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn"), ("us-gov-east-1", "amazonaws.com")])
def test_the_challenge_names_the_registry(anonymous, region, suffix):
    response = anonymous.request("GET", "", headers=host_name(region=region, suffix=suffix))
    assert_unauthorized(response, challenge("123456789012", region, suffix))


def test_the_challenge_names_the_default_registry(make_server):
    server = make_server("--account", "503561414328", "--region", "ap-south-1")
    anonymous = server.registry(login=None)
    assert_unauthorized(anonymous.request("GET", ""), challenge("503561414328", "ap-south-1"))
    anonymous.close()


# -- open mode --------------------------------------------------------------------------------------------------------

@pytest.fixture
def open_server(make_server):
    server = make_server("--auth", "open")
    server.ecr().create_repository(repositoryName="app")
    return server


@pytest.mark.parametrize("login", [None, ("AWS", "password"), ("me", ""), "token"])
def test_open_mode_asks_nothing(open_server, login):
    registry = open_server.registry(login)
    image = oci_image()
    registry.push_image("app", image, "v1")
    assert registry.pull_image("app", "v1") == image.manifest
    registry.close()


def test_open_mode_still_knows_whose_token_it_is(open_server):
    open_server.ecr(access_key="123456789012").create_repository(repositoryName="theirs")
    registry = open_server.registry(open_server.token(access_key="123456789012"))
    assert registry.tags("theirs").status_code == 200
    assert registry.tags("app").status_code == 404
    registry.close()


def test_open_mode_does_not_mind_an_old_token(open_server):
    registry = open_server.registry()
    open_server.advance(13 * 3600)
    assert registry.tags("app").status_code == 200
    registry.close()
