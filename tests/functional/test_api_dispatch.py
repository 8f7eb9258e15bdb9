"""From a POST to an operation or a refusal: targets, bodies, credentials, accounts, regions, host names; and sts."""

import re

import pytest
from support.api import TARGET_PREFIX, authorization, call, post
from support.aws import refused
from support.cases import cases
from support.images import oci_image
from support.refusals import ACCOUNT, not_found


# -- targets ----------------------------------------------------------------------------------------------------------

def test_ecr_public_is_not_offered_yet(drydock):
    answer = post(drydock, target="SpencerFrontendService.DescribeRepositories")
    assert (answer.status, answer.code) == (400, "UnknownOperationException")
    assert "SpencerFrontendService.DescribeRepositories" in answer.message


@pytest.mark.parametrize("target", [
    None, "", TARGET_PREFIX, TARGET_PREFIX + ".", TARGET_PREFIX + ".CreateRepositor",
    TARGET_PREFIX + ".createRepository",
    TARGET_PREFIX + ".CreateRepositoryX", TARGET_PREFIX + "..CreateRepository", "CreateRepository",
    "DynamoDB_20120810.ListTables", "X" + TARGET_PREFIX + ".CreateRepository", "A" * 6000])
def test_unknown_targets(drydock, target):
    answer = post(drydock, target=target)
    assert (answer.status, answer.code, answer.message) == (400, "UnknownOperationException", None)


def test_an_unknown_operation_with_a_large_body(drydock):
    """The refusal is what the client reads, not a complaint about the size of what it need not have sent."""
    answer = post(drydock, b" " * 1_000_000, target=TARGET_PREFIX + ".CreateRepositories")
    assert (answer.status, answer.code) == (400, "UnknownOperationException")


# -- bodies -----------------------------------------------------------------------------------------------------------

BODIES = cases("api")


@pytest.mark.parametrize("name", BODIES)
def test_bodies(drydock, name):
    """testdata/api/: operation, body, status and exception, and the message where it is ours to say."""
    case = BODIES[name]
    answer = call(drydock, case.fields["operation"], case.sent)
    assert " ".join(filter(None, (str(answer.status), answer.code))) == case.fields["answer"]
    if "message" in case.fields:
        assert answer.message == case.fields["message"]


@pytest.mark.parametrize("body", [b'{"maxResults": 1}', b"{}" + b" " * 100_000])
def test_a_chunked_body(drydock, body):
    pieces = [body[:1], body[1:]]
    assert call(drydock, "DescribeRepositories", b"", headers={}).status == 200
    answer = post(drydock, iter(pieces), f"{TARGET_PREFIX}.DescribeRepositories", operation="DescribeRepositories")
    assert answer.document == {"repositories": []}


@pytest.mark.parametrize("operation, limit", [
    ("DescribeRepositories", 1 << 20), ("PutImage", 26 << 20), ("UploadLayerPart", 29 << 20)])
def test_a_body_too_large(drydock, ecr, operation, limit):
    """PutImage has room for a manifest of 4 MiB, every byte of it escaped, UploadLayerPart for 20 MiB in base64."""
    for size, chunked in ((limit + 1, False), (limit + 1, True), (60_000_000, False)):
        body = b" " * size
        answer = post(
            drydock, iter([body]) if chunked else body, f"{TARGET_PREFIX}.{operation}", operation=operation)
        assert (answer.status, answer.code) == (413, "RequestEntityTooLargeException")
        assert answer.message == "The request body is larger than this request may have"
        assert ecr.describe_repositories()["repositories"] == []


def test_many_values_are_refused(drydock):
    answer = call(drydock, "PutImage", b'{"x": [' + b"1," * 5_000_000 + b"1]}")
    assert (answer.status, answer.code) == (400, "SerializationException")


# -- credentials ------------------------------------------------------------------------------------------------------

def test_no_authorization(drydock, make_server):
    answer = call(drydock, "DescribeRepositories", signed=None)
    assert (answer.status, answer.code, answer.message) == (
        400, "MissingAuthenticationTokenException", "Missing Authentication Token")
    assert call(make_server("--auth", "open"), "DescribeRepositories", signed=None).document == {"repositories": []}


@pytest.mark.parametrize("header", [
    "Basic QVdTOmFiYw==", "Bearer abc", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=AKIA",
    authorization().replace("aws4_request", "aws3_request"), authorization().replace("Signature=0", "Signature=x"),
    authorization().replace("SignedHeaders", "Headers"), authorization() + ", Signature=" + "0" * 64,
    authorization().replace("20260101", "today"), authorization().replace("us-east-1/", ""),
    "AWS4-HMAC-SHA256 " + "," * 5000])
def test_authorization_of_another_form(drydock, header):
    answer = call(drydock, "DescribeRepositories", signed=header)
    assert (answer.status, answer.code) == (400, "IncompleteSignatureException")
    assert answer.message.startswith(("Authorization header requires ", "The Authorization header is not of the form "))
    assert "(Hashed with SHA-256 and encoded with Base64) Authorization=" in answer.message


def test_no_authorization_for_an_operation_that_is_not_there(drydock):
    """Who asks is looked at before what is asked."""
    for target in (TARGET_PREFIX + ".Unknown", TARGET_PREFIX + ".PutLifecyclePolicy"):
        assert post(drydock, target=target, signed=None).code == "MissingAuthenticationTokenException"


# -- accounts and regions ---------------------------------------------------------------------------------------------

def test_accounts_and_regions_are_registries_of_their_own(drydock):
    places = [
        (account, region) for account in ("000000000000", "111111111111", "222222222222")
        for region in ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1")]
    images = {}
    for account, region in places:
        ecr = drydock.ecr(access_key=account, region=region)
        assert ecr.describe_repositories()["repositories"] == []
        created = ecr.create_repository(repositoryName="app")["repository"]
        partition = {"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"}.get(region, "aws")
        assert created["repositoryArn"] == f"arn:{partition}:ecr:{region}:{account}:repository/app"
        assert (created["registryId"], created["repositoryUri"]) == (account, f"{drydock.host}/app")
        images[account, region] = oci_image(size=64)
        registry = drydock.registry(drydock.token(access_key=account, region=region))
        registry.push_image("app", images[account, region], "v1")
        registry.close()
    for account, region in places:
        ecr = drydock.ecr(access_key=account, region=region)
        detail, = ecr.describe_images(repositoryName="app")["imageDetails"]
        assert (detail["registryId"], detail["imageDigest"]) == (account, images[account, region].digest)
    drydock.ecr(access_key="111111111111", region="eu-central-1").delete_repository(repositoryName="app", force=True)
    left = [
        place for place in places
        if drydock.ecr(access_key=place[0], region=place[1]).describe_repositories()["repositories"]]
    assert left == [place for place in places if place != ("111111111111", "eu-central-1")]


@pytest.mark.parametrize("key, account", [
    ("123456789012", "123456789012"), ("AKIAIOSFODNN7EXAMPLE", ACCOUNT), ("test", ACCOUNT), ("12345678901", ACCOUNT),
    ("1234567890123", ACCOUNT), ("12345678901a", ACCOUNT)])
def test_whose_key_it_is(drydock, key, account):
    assert drydock.sts(access_key=key).get_caller_identity()["Account"] == account
    created = drydock.ecr(access_key=key).create_repository(repositoryName="app")["repository"]
    assert created["registryId"] == account


def test_registry_id_names_another_registry(drydock, ecr):
    mine = ecr.create_repository(repositoryName="app", registryId="123456789012")["repository"]
    assert mine["registryId"] == "123456789012"
    assert mine["repositoryArn"] == "arn:aws:ecr:us-east-1:123456789012:repository/app"
    assert ecr.describe_repositories()["repositories"] == []
    theirs = drydock.ecr(access_key="123456789012").describe_repositories()["repositories"]
    assert theirs == [mine] == ecr.describe_repositories(registryId="123456789012")["repositories"]


def test_default_account_and_region(make_server):
    server = make_server("--auth", "open", "--account", "503561414328", "--region", "ap-south-1")
    answer = call(server, "CreateRepository", {"repositoryName": "app"}, signed=None)
    assert answer.document["repository"]["repositoryArn"] == (
        "arn:aws:ecr:ap-south-1:503561414328:repository/app")
    signed = authorization(region="eu-north-1")
    answer = call(server, "CreateRepository", {"repositoryName": "app"}, signed=signed)
    assert answer.document["repository"]["repositoryArn"] == (
        "arn:aws:ecr:eu-north-1:503561414328:repository/app")


HOSTS = {
    "api.ecr.eu-west-1.amazonaws.com": (ACCOUNT, "eu-west-1", "amazonaws.com"),
    "ecr.eu-west-1.api.aws": (ACCOUNT, "eu-west-1", "amazonaws.com"),
    "API.ECR.eu-west-1.AmazonAWS.com": (ACCOUNT, "eu-west-1", "amazonaws.com"),
    "api.ecr.cn-north-1.amazonaws.com.cn": (ACCOUNT, "cn-north-1", "amazonaws.com.cn"),
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com": ("123456789012", "eu-west-1", "amazonaws.com"),
    "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com": ("123456789012", "us-gov-west-1", "amazonaws.com"),
}


@pytest.mark.parametrize("port", ["", ":5001"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_host_name_of_ecr_wins(drydock, host, port):
    """Whatever account and region the credentials say; and what is given out is what that name can reach."""
    account, region, suffix = HOSTS[host]
    answer = call(drydock, "CreateRepository", {"repositoryName": "app"}, headers={"Host": host + port})
    created = answer.document["repository"]
    assert created["registryId"] == account
    assert created["repositoryArn"].split(":")[3] == region
    assert created["repositoryUri"] == f"{account}.dkr.ecr.{region}.{suffix}{port}/app"
    token = call(drydock, "GetAuthorizationToken", headers={"Host": host + port}).document["authorizationData"][0]
    assert token["proxyEndpoint"] == f"http://{account}.dkr.ecr.{region}.{suffix}{port}"
    found = drydock.ecr(access_key=account, region=region).describe_repositories()["repositories"]
    assert [one["repositoryName"] for one in found] == ["app"]


@pytest.mark.parametrize("host", [
    "localhost:5001", "registry.example.com", "[::1]:5001", "123456789012.dkr.ecr.us-east-1.example.com",
    "12345678901.dkr.ecr.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"])
def test_any_other_host_name_is_only_an_address(drydock, host):
    answer = call(drydock, "CreateRepository", {"repositoryName": "app"}, headers={"Host": host})
    created = answer.document["repository"]
    assert (created["registryId"], created["repositoryUri"]) == (ACCOUNT, f"{host}/app")


@pytest.mark.parametrize("form, uri, endpoint", [
    ("ecr", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app",
     "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
    ("localhost", "123456789012.dkr.ecr.eu-west-1.localhost:{port}/app",
     "http://123456789012.dkr.ecr.eu-west-1.localhost:{port}"),
    ("reached", "127.0.0.1:{port}/app", "http://127.0.0.1:{port}")])
def test_the_form_of_addresses_can_be_pinned(make_server, form, uri, endpoint):
    server = make_server("--addresses", form)
    ecr = server.ecr(access_key="123456789012", region="eu-west-1")
    assert ecr.create_repository(repositoryName="app")["repository"]["repositoryUri"] == uri.format(port=server.port)
    data, = ecr.get_authorization_token()["authorizationData"]
    assert data["proxyEndpoint"] == endpoint.format(port=server.port)


def test_a_name_of_localhost_is_a_registry(drydock):
    drydock.ecr(access_key="123456789012", region="eu-west-1").create_repository(repositoryName="app")
    registry = drydock.registry(drydock.token(access_key="123456789012", region="eu-west-1"))
    host = f"123456789012.dkr.ecr.eu-west-1.localhost:{drydock.port}"
    assert registry.request("GET", "app/tags/list", headers={"Host": host}).json() == {"name": "app", "tags": []}
    registry.close()
    home = drydock.registry(drydock.token(region="eu-west-1"))
    assert home.request("GET", "app/tags/list").status_code == 404
    assert home.request("GET", "app/tags/list", headers={"Host": host}).status_code == 403
    home.close()


# -- every operation on a repository that is not there ----------------------------------------------------------------

DIGEST = "sha256:" + "0" * 64
ON_REPOSITORIES = {
    "DeleteRepository": {}, "DescribeImages": {}, "ListImages": {}, "BatchGetImage": {"imageIds": [{"imageTag": "v1"}]},
    "BatchDeleteImage": {"imageIds": [{"imageTag": "v1"}]},
    "PutImage": {"imageManifest": oci_image().manifest.decode()},
}


@pytest.mark.parametrize("operation", ON_REPOSITORIES)
def test_no_such_repository(drydock, ecr, operation):
    ecr.create_repository(repositoryName="team")
    answer = call(drydock, operation, {"repositoryName": "team/app"} | ON_REPOSITORIES[operation])
    assert (answer.status, answer.code, answer.message) == (
        400, "RepositoryNotFoundException", not_found("team/app"))


# -- sts --------------------------------------------------------------------------------------------------------------

def test_get_caller_identity(drydock):
    for access_key, account in (("AKIAIOSFODNN7EXAMPLE", ACCOUNT), ("503561414328", "503561414328")):
        answer = drydock.sts(access_key=access_key).get_caller_identity()
        assert answer["Account"] == account
        assert answer["Arn"] == f"arn:aws:iam::{account}:root"
        assert answer["UserId"] == account
        assert re.fullmatch(r"[0-9a-f-]{36}", answer["ResponseMetadata"]["RequestId"])


def test_other_actions_of_sts_are_refused(drydock):
    with refused("InvalidAction") as error:
        drydock.sts().get_session_token()
    assert error.message == (
        "Drydock answers this action with --auth iam alone: without it there are no users and no roles.")
    with refused("InvalidAction") as error:
        drydock.sts().get_access_key_info(AccessKeyId="AKIAIOSFODNN7EXAMPLE")
    assert error.message == "Drydock answers AssumeRole, GetCallerIdentity and GetSessionToken of this service."


# -- other methods and paths ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method, path", [
    ("GET", "/"), ("PUT", "/"), ("DELETE", "/"), ("POST", "/x"), ("GET", "/v1/"), ("GET", "/favicon.ico"),
    ("POST", "/%2f"), ("GET", "/v2x/")])
def test_nothing_is_here(drydock, anonymous, method, path):
    answer = anonymous.request(method, drydock.url + path, data=b"some body" if method != "GET" else None)
    assert answer.status_code == 404
    assert answer.text.startswith("Nothing is here. The registry API is under /v2/")
