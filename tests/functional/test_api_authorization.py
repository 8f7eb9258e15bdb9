"""GetAuthorizationToken (ecr-behaviour 2.1): what the token is, how long it lasts, what it opens."""

import base64
from datetime import datetime, timedelta

import pytest
from support.api import call
from support.aws import refused
from support.refusals import ACCOUNT, invalid

TWELVE_HOURS = timedelta(hours=12)


def test_the_token(drydock, ecr):
    drydock.set_clock("2026-03-01T12:00:00Z")

    def now():
        return datetime.fromisoformat(drydock.admin("GET", "clock")["now"].replace("Z", "+00:00"))

    before = now()
    answer = ecr.get_authorization_token()
    after = now()
    data, = answer["authorizationData"]
    assert set(data) == {"authorizationToken", "expiresAt", "proxyEndpoint"}
    assert data["proxyEndpoint"] == drydock.url
    assert before + TWELVE_HOURS <= data["expiresAt"] <= after + TWELVE_HOURS
    # The AWS CLI does user, password = decoded.split(":").
    user, password = base64.b64decode(data["authorizationToken"], validate=True).decode().split(":")
    assert user == "AWS" and len(password) > 40


def test_it_opens_the_registry(drydock, ecr):
    ecr.create_repository(repositoryName="app")
    registry = drydock.registry(login=drydock.token())
    assert registry.request("GET", "").status_code == 200
    assert registry.tags("app").json() == {"name": "app", "tags": []}
    registry.close()


def test_one_entry_for_each_registry_asked_for(drydock):
    accounts = ["111111111111", "222222222222", "111111111111"]
    for account in set(accounts):
        drydock.ecr(access_key=account).create_repository(repositoryName=f"of-{account}")
    data = drydock.ecr().get_authorization_token(registryIds=accounts)["authorizationData"]
    assert len(data) == 3
    for account, one in zip(accounts, data):
        user, password = base64.b64decode(one["authorizationToken"]).decode().split(":")
        registry = drydock.registry(login=(user, password))
        assert registry.tags(f"of-{account}").status_code == 200
        registry.close()


def test_ten_registries_are_the_most(ecr):
    ids = [f"{i:012}" for i in range(10)]
    assert len(ecr.get_authorization_token(registryIds=ids)["authorizationData"]) == 10


@pytest.mark.parametrize("ids, member, text", [
    ([], "registryIds", "Member must have length greater than or equal to 1"),
    ([ACCOUNT] * 11, "registryIds", "Member must have length less than or equal to 10"),
    ([ACCOUNT, "12345"], "registryIds.2.member", "must satisfy regular expression [0-9]{12}"),
    (["00000000000a"], "registryIds.1.member", "must satisfy regular expression [0-9]{12}"),
])
def test_bad_registry_ids(unchecked_ecr, ids, member, text):
    with refused("InvalidParameterException") as error:
        unchecked_ecr.get_authorization_token(registryIds=ids)
    assert error.message == invalid(member, text)


def test_open_mode_gives_tokens_too(make_server):
    server = make_server("--auth", "open")
    data, = call(server, "GetAuthorizationToken", signed=None).document["authorizationData"]
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")
