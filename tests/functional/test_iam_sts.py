"""--auth iam: STS. Who am I, roles played through, temporary credentials and their ends."""

import json
from datetime import datetime, timedelta, timezone

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from support.aws import refused, registry_login
from support.fixtures import serve
from support.iam import (ACCOUNT, ARN, KEYS, REPOSITORY, Signed, client, error_of, keys_of, not_allowed, options, registry,
                         session, user)
from support.images import oci_image
from support.refusals import refusal

ROLE = f"arn:aws:iam::{ACCOUNT}:role/app-instance"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    yield from serve(tmp_path_factory, *options())


def assume(server, name="pipeline", **arguments):
    arguments = {"RoleArn": ROLE, "RoleSessionName": "deploy"} | arguments
    return client(server, name, "sts", validate=False).assume_role(**arguments)


def acting(server, credentials, service="ecr"):
    """A client with temporary credentials."""
    return boto3.Session().client(
        service, endpoint_url=server.url, region_name="us-east-1", aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"], aws_session_token=credentials["SessionToken"],
        config=Config(retries={"total_max_attempts": 1}, proxies={}))


def signed_with(server, credentials):
    return Signed(server, credentials=Credentials(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]))


# -- GetCallerIdentity --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, arn, prefix", [
    ("pipeline", user("pipeline"), "AIDA"), ("app-instance", session("app-instance", "instance"), "AROA")])
def test_caller_identity(drydock, name, arn, prefix):
    answer = client(drydock, name, "sts").get_caller_identity()
    assert (answer["Arn"], answer["Account"]) == (arn, ACCOUNT)
    assert answer["UserId"].startswith(prefix) and len(answer["UserId"].split(":")[0]) == 20


def test_the_identity_of_a_root(make_server, tmp_path):
    document = {"accounts": {ACCOUNT: {"accessKeys": {"AKIAROOT000000000001": "root/secret"},
                                       "roles": {"r": {"trustPolicy": {"Statement": {
                                           "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}}}}}}
    path = tmp_path / "iam.json"
    path.write_text(json.dumps(document))
    server = make_server(*options(path))
    sts = client(server, "root", "sts", keys_of(document))
    answer = sts.get_caller_identity()
    assert (answer["Arn"], answer["UserId"]) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    with refused("AccessDenied", 403) as error:
        sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/r", RoleSessionName="one")
    assert error.message == "Roles may not be assumed by root accounts."
    limited = sts.get_session_token(DurationSeconds=7200)["Credentials"]["Expiration"]
    assert limited <= datetime.now(timezone.utc) + timedelta(seconds=3601)


# -- AssumeRole ---------------------------------------------------------------------------------------------------------

def test_a_role_is_played(drydock):
    client(drydock, "admin").create_repository(repositoryName=REPOSITORY)
    docker = registry(drydock, "pipeline")
    image = oci_image()
    docker.push_image(REPOSITORY, image, "v1")
    docker.close()
    answer = assume(drydock)
    assert answer["AssumedRoleUser"]["Arn"] == session("app-instance", "deploy")
    credentials = answer["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA") and len(credentials["SecretAccessKey"]) == 40
    identity = acting(drydock, credentials, "sts").get_caller_identity()
    assert identity["Arn"] == session("app-instance", "deploy")
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    ecr = acting(drydock, credentials)
    assert ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])["images"]
    with refused("AccessDeniedException") as error:
        ecr.put_image(repositoryName=REPOSITORY, imageManifest=image.manifest.decode())
    assert error.message == not_allowed(session("app-instance", "deploy"), "PutImage")
    docker = drydock.registry(registry_login(ecr))
    assert docker.pull_image(REPOSITORY, "v1") == image.manifest
    assert refusal(docker.start_upload(REPOSITORY)) == (
        403, "DENIED", not_allowed(session("app-instance", "deploy"), "InitiateLayerUpload"))
    docker.close()


@pytest.mark.parametrize("name, role", [
    ("admin", ROLE), ("stranger", ROLE), ("pipeline", ROLE.replace("app-instance", "absent")),
    ("pipeline", user("admin") + "xxxx")])
def test_who_is_not_trusted(drydock, name, role):
    """The admin's own policy allows everything; the role does not trust the admin."""
    with refused("AccessDenied", 403) as error:
        assume(drydock, name, RoleArn=role)
    assert error.message == f"User: {user(name)} is not authorized to perform: sts:AssumeRole on resource: {role}"


def test_a_session_policy_narrows(drydock):
    client(drydock, "admin").create_repository(repositoryName=REPOSITORY)
    policy = json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecr:PutImage"],
        "Resource": "*"}}, indent=1)
    ecr = acting(drydock, assume(drydock, Policy=policy)["Credentials"])
    who = session("app-instance", "deploy")
    with refused("AccessDeniedException") as error:
        ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])
    assert error.message == not_allowed(
        who, "BatchGetImage", because="no session policy allows the ecr:BatchGetImage action")
    with refused("AccessDeniedException"):
        ecr.initiate_layer_upload(repositoryName=REPOSITORY)
    docker = drydock.registry(registry_login(ecr))
    assert refusal(docker.get_manifest(REPOSITORY, "v1")) == (403, "DENIED", not_allowed(
        who, "BatchGetImage", because="no session policy allows the ecr:BatchGetImage action"))
    docker.close()


CHAIN = {"accounts": {
    ACCOUNT: {"users": {"ann": {"accessKeys": {"AKIAANN0000000000001": "ann/secret"}}},
              "roles": {
                  "first": {"maxSessionDuration": 7200,
                            "trustPolicy": {"Statement": {"Effect": "Allow", "Principal": {"AWS": user("ann")},
                                                          "Action": "sts:AssumeRole"}},
                            "policies": {"next": {"Statement": {
                                "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}}}}},
    "111122223333": {"roles": {
        "second": {"maxSessionDuration": 7200,
                   "trustPolicy": {"Statement": {
                       "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/first"},
                       "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "secret"}}}},
                   "policies": {"all": {"Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}}}}}}}


def test_a_chain_of_roles(make_server, tmp_path):
    path = tmp_path / "iam.json"
    path.write_text(json.dumps(CHAIN))
    server = make_server(*options(path))
    first = f"arn:aws:iam::{ACCOUNT}:role/first"
    second = "arn:aws:iam::111122223333:role/second"
    sts = client(server, "ann", "sts", keys_of(CHAIN))
    with refused("ValidationError") as error:
        sts.assume_role(RoleArn=first, RoleSessionName="one", DurationSeconds=7201)
    assert error.message == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    one = acting(server, sts.assume_role(RoleArn=first, RoleSessionName="one", DurationSeconds=7200)["Credentials"], "sts")
    with refused("AccessDenied", 403):
        one.assume_role(RoleArn=second, RoleSessionName="two")
    with refused("ValidationError") as error:
        one.assume_role(RoleArn=second, RoleSessionName="two", ExternalId="secret", DurationSeconds=3601)
    assert "role chaining" in error.message
    two = one.assume_role(RoleArn=second, RoleSessionName="two", ExternalId="secret")["Credentials"]
    assert acting(server, two, "sts").get_caller_identity()["Arn"] == session("second", "two", "111122223333")
    arn = acting(server, two).create_repository(repositoryName="app")["repository"]["repositoryArn"]
    assert arn == "arn:aws:ecr:us-east-1:111122223333:repository/app"
    with refused("AccessDenied", 403) as error:
        one.get_session_token()
    assert error.message == "Cannot call GetSessionToken with session credentials"


@pytest.mark.parametrize("arguments, message", [
    ({"DurationSeconds": 899}, "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: "
                               "Member must have value greater than or equal to 900"),
    ({"DurationSeconds": 43201}, "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy "
                                 "constraint: Member must have value less than or equal to 43200"),
    ({"RoleSessionName": "a b"}, "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy "
                                 "constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}"),
    ({"RoleArn": "x" * 20}, "x" * 20 + " is invalid"),
    ({"Tags": [{"Key": "a", "Value": "b"}]}, "Drydock does not offer the parameter Tags.member.1.Key")])
def test_bad_parameters(drydock, arguments, message):
    with refused("ValidationError") as error:
        assume(drydock, **arguments)
    assert error.message == message


def test_a_bad_session_policy(drydock):
    for policy in ("{}", "not json", json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*"}})):
        with refused("MalformedPolicyDocument"):
            assume(drydock, Policy=policy)


# -- the end of temporary credentials -------------------------------------------------------------------------------------

EXPIRED = "The security token included in the request is expired"
INVALID = "The security token included in the request is invalid."


def test_they_expire_by_drydocks_clock(drydock):
    drydock.set_clock("2030-01-01T00:00:00Z")
    credentials = assume(drydock, DurationSeconds=900)["Credentials"]
    assert abs(credentials["Expiration"] - datetime(2030, 1, 1, 0, 15, tzinfo=timezone.utc)) < timedelta(seconds=30)
    drydock.advance(890 - 30)
    acting(drydock, credentials).get_authorization_token()
    drydock.advance(60)
    with refused("ExpiredTokenException") as error:
        acting(drydock, credentials).get_authorization_token()
    assert error.message == EXPIRED
    with refused("ExpiredToken", 403) as error:
        acting(drydock, credentials, "sts").get_caller_identity()
    assert error.message == EXPIRED


def test_a_registry_token_outlives_the_session_that_asked_for_it(drydock):
    """ECR's tokens last twelve hours, whoever asked."""
    docker = drydock.registry(registry_login(acting(drydock, assume(drydock, DurationSeconds=900)["Credentials"])))
    drydock.advance(11 * 3600)
    assert docker.request("GET", "").status_code == 200
    drydock.advance(3600)
    assert refusal(docker.request("GET", ""))[:2] == (403, "DENIED")
    docker.close()


@pytest.mark.parametrize("spoil", ["altered", "cut", "longer", "none", "of another key", "another secret", "another id"])
def test_spoilt_credentials(drydock, spoil):
    credentials, other = assume(drydock)["Credentials"], assume(drydock)["Credentials"]
    token, expected = credentials["SessionToken"], "UnrecognizedClientException"
    if spoil == "altered":
        token = token[:70] + ("A" if token[70] != "A" else "B") + token[71:]
    elif spoil == "cut":
        token = token[:-4]
    elif spoil == "longer":
        token += "AAAA"
    elif spoil == "none":
        token = None
    elif spoil == "of another key":
        token = other["SessionToken"]
    elif spoil == "another secret":
        credentials["SecretAccessKey"], expected = other["SecretAccessKey"], "InvalidSignatureException"
    else:
        credentials["AccessKeyId"] = other["AccessKeyId"]
    credentials["SessionToken"] = token
    status, code, message = error_of(signed_with(drydock, credentials).send())
    assert (status, code) == (400, expected)
    assert message == INVALID or expected != "UnrecognizedClientException"


def test_the_token_must_be_signed(drydock):
    request = signed_with(drydock, assume(drydock)["Credentials"])
    request.change("Authorization", ";x-amz-security-token", "")
    assert error_of(request.send())[2] == "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization."


def test_credentials_of_another_server(make_server, drydock):
    other = make_server(*options())
    status, code, message = error_of(signed_with(drydock, assume(other)["Credentials"]).send())
    assert (status, code, message) == (400, "UnrecognizedClientException", INVALID)


# -- GetSessionToken ------------------------------------------------------------------------------------------------------

def test_session_tokens(drydock):
    client(drydock, "admin").create_repository(repositoryName=REPOSITORY)
    credentials = client(drydock, "pipeline", "sts").get_session_token()["Credentials"]
    lasts = credentials["Expiration"] - datetime.now(timezone.utc)
    assert timedelta(hours=11, minutes=59) < lasts <= timedelta(hours=12)
    assert acting(drydock, credentials, "sts").get_caller_identity()["Arn"] == user("pipeline")
    assert acting(drydock, credentials).list_images(repositoryName=REPOSITORY)["imageIds"] == []
    with refused("AccessDenied", 403) as error:
        acting(drydock, credentials, "sts").get_session_token()
    assert error.message == "Cannot call GetSessionToken with session credentials"


def test_presigned_with_temporary_credentials(drydock):
    credentials = assume(drydock)["Credentials"]
    request = Signed(
        drydock, service="sts", form="Action=GetCallerIdentity&Version=2011-06-15", query=True,
        credentials=Credentials(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]))
    assert session("app-instance", "deploy") in request.send().text


def test_other_actions(drydock):
    with refused("InvalidAction") as error:
        client(drydock, "admin", "sts").get_access_key_info(AccessKeyId=KEYS["admin"][0])
    assert error.message == "Drydock answers AssumeRole, GetCallerIdentity and GetSessionToken of this service."
