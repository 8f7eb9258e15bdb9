"""--auth iam: copies into another account's registry need its registry policy (ecr-behaviour 8.2, 7)."""

import json

import pytest
from support.fixtures import serve
from support.iam import client, keys_of, options, registry
from support.images import oci_image

HERE, THERE, REGION = "111111111111", "222222222222", "us-east-1"
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
WHO = {"accounts": {
    account: {"users": {"admin": {
        "accessKeys": {f"AKIAADMIN0000000000{account[0]}": f"admin/{account}/secret/key/of/forty/ch"},
        "policies": {"everything": EVERYTHING}}}}
    for account in (HERE, THERE)}}
REFUSED = [{"region": REGION, "registryId": THERE, "status": "FAILED", "failureCode": "AccessDeniedException"}]
COPIED = [{"region": REGION, "registryId": THERE, "status": "COMPLETE"}]


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    path = tmp_path_factory.mktemp("iam") / "iam.json"
    path.write_text(json.dumps(WHO))
    yield from serve(tmp_path_factory, *options(path))


def admin(drydock, account, region=REGION):
    return client(drydock, "admin", keys=keys_of(WHO, account), region=region)


@pytest.fixture
def here(drydock):
    ecr = admin(drydock, HERE)
    ecr.create_repository(repositoryName="app")
    ecr.put_replication_configuration(replicationConfiguration={"rules": [
        {"destinations": [{"region": REGION, "registryId": THERE}]}]})
    return ecr


@pytest.fixture
def there(drydock):
    return admin(drydock, THERE)


def push(drydock, account, tag, image=None):
    image = image or oci_image()
    docker = registry(drydock, "admin", keys=keys_of(WHO, account))
    docker.push_image("app", image, tag)
    docker.close()
    return image


def status(ecr, tag):
    return ecr.describe_image_replication_status(repositoryName="app", imageId={"imageTag": tag})["replicationStatuses"]


def images(ecr):
    details = ecr.describe_images(repositoryName="app")["imageDetails"]
    return {detail["imageDigest"]: detail.get("imageTags", []) for detail in details}


def statement(*actions, effect="Allow", principal=f"arn:aws:iam::{HERE}:root", resource="*", **more):
    return {"Effect": effect, "Principal": {"AWS": principal}, "Action": list(actions),
            "Resource": f"arn:aws:ecr:{REGION}:{THERE}:repository/{resource}"} | more


def allow(ecr, *statements):
    ecr.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def names(ecr):
    return [r["repositoryName"] for r in ecr.describe_repositories()["repositories"]]


def test_nothing_arrives_where_nothing_is_allowed(drydock, here, there):
    """Neither a repository nor an image, and a tag stays where it is; the push itself is whole."""
    image = push(drydock, HERE, "latest")
    assert (status(here, "latest"), names(there), images(here)) == (REFUSED, [], {image.digest: ["latest"]})
    there.create_repository(repositoryName="app")
    theirs = push(drydock, THERE, "latest")
    push(drydock, HERE, "latest")
    assert (status(here, "latest"), images(there)) == (REFUSED, {theirs.digest: ["latest"]})


def test_what_awss_example_allows(drydock, here, there):
    allow(there, statement("ecr:CreateRepository", "ecr:ReplicateImage"))
    first, second = push(drydock, HERE, "latest"), push(drydock, HERE, "latest")
    assert (status(here, "latest"), images(there)) == (COPIED, {first.digest: [], second.digest: ["latest"]})


@pytest.mark.parametrize("actions, made, arrives", [
    (["ecr:ReplicateImage"], False, False), (["ecr:ReplicateImage"], True, True), (["ecr:CreateRepository"], False, False),
    (["ecr:CreateRepository"], True, False), (["ecr:PutImage"], True, False), (["ecr:*"], False, True)])
def test_each_action(drydock, here, there, actions, made, arrives):
    """CreateRepository where the repository is to be made, and ReplicateImage always."""
    if made:
        there.create_repository(repositoryName="app")
    allow(there, statement(*actions))
    image = push(drydock, HERE, "v1")
    assert status(here, "v1") == (COPIED if arrives else REFUSED)
    assert names(there) == (["app"] if made or arrives else [])
    assert not names(there) or images(there) == ({image.digest: ["v1"]} if arrives else {})


@pytest.mark.parametrize("more, arrives", [
    ({"principal": HERE}, True), ({"principal": "*"}, True), ({"principal": "333333333333"}, False),
    ({"principal": THERE}, False), ({"resource": "app"}, True), ({"resource": "other/*"}, False),
    ({"Condition": {"StringEquals": {"aws:PrincipalAccount": HERE}}}, True),
    ({"Condition": {"StringEquals": {"aws:PrincipalAccount": THERE}}}, False),
    ({"Condition": {"StringEquals": {"ecr:ResourceTag/open": "yes"}}}, True),
    ({"Condition": {"StringEquals": {"aws:ResourceTag/open": "no"}}}, False),
    ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
    ({"Condition": {"StringEquals": {"aws:RequestedRegion": REGION}}}, True),
    ({"Condition": {"DateLessThan": {"aws:CurrentTime": "2000-01-01T00:00:00Z"}}}, False)])
def test_whom_and_when(drydock, here, there, more, arrives):
    there.create_repository(repositoryName="app", tags=[{"Key": "open", "Value": "yes"}])
    allow(there, statement("ecr:ReplicateImage", **more))
    push(drydock, HERE, "v1")
    assert status(here, "v1") == (COPIED if arrives else REFUSED)


def test_a_deny_wins(drydock, here, there):
    allow(there, statement("ecr:*"), statement("ecr:ReplicateImage", effect="Deny", resource="app"))
    push(drydock, HERE, "v1")
    assert (status(here, "v1"), names(there)) == (REFUSED, [])


def test_the_sources_own_policy_is_not_the_destinations(drydock, here, there):
    allow(here, {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "ecr:*",
                 "Resource": f"arn:aws:ecr:{REGION}:{HERE}:repository/*"})
    push(drydock, HERE, "v1")
    assert status(here, "v1") == REFUSED


def test_the_accounts_own_regions(drydock, here):
    """Need no policy; a Deny there is one."""
    west = admin(drydock, HERE, "us-west-2")
    here.put_replication_configuration(replicationConfiguration={"rules": [
        {"destinations": [{"region": "us-west-2", "registryId": HERE}]}]})
    image = push(drydock, HERE, "v1")
    assert images(west) == {image.digest: ["v1"]}
    deny = {"Effect": "Deny", "Principal": {"AWS": HERE}, "Action": "ecr:ReplicateImage",
            "Resource": f"arn:aws:ecr:us-west-2:{HERE}:repository/*"}
    west.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    push(drydock, HERE, "v2")
    assert status(here, "v2")[0]["failureCode"] == "AccessDeniedException"
    assert images(west) == {image.digest: ["v1"]}
