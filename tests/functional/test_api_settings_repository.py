"""What is set on a repository: mutability, scanning, resource tags (ecr-behaviour 2.2), through the SDK."""

import pytest
from support.api import call
from support.aws import refused
from support.images import oci_image
from support.refusals import ACCOUNT, invalid, not_found

FILTER = {"filterType": "WILDCARD", "filter": "release-*"}


def described(ecr, name):
    return ecr.describe_repositories(repositoryNames=[name])["repositories"][0]


# -- PutImageTagMutability ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("mode", "filters"), [
    ("IMMUTABLE", None), ("MUTABLE", None), ("IMMUTABLE_WITH_EXCLUSION", [FILTER]),
    ("MUTABLE_WITH_EXCLUSION", [FILTER] * 5)])
def test_mutability_is_set(ecr, repository, mode, filters):
    arguments = {"imageTagMutability": mode} | ({"imageTagMutabilityExclusionFilters": filters} if filters else {})
    answer = ecr.put_image_tag_mutability(repositoryName=repository, **arguments)
    answer.pop("ResponseMetadata")
    assert answer == {"registryId": ACCOUNT, "repositoryName": repository} | arguments
    found = described(ecr, repository)
    assert (found["imageTagMutability"], found.get("imageTagMutabilityExclusionFilters")) == (mode, filters)
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="MUTABLE")
    assert "imageTagMutabilityExclusionFilters" not in described(ecr, repository)


def test_mutability_counts_from_the_next_push(ecr, registry, repository):
    registry.push_image(repository, oci_image(), "v1")
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    manifest = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"][0]["imageManifest"]
    other = manifest.replace("{", "{ ", 1)
    with refused("ImageTagAlreadyExistsException"):
        ecr.put_image(repositoryName=repository, imageManifest=other, imageTag="v1")
    ecr.put_image_tag_mutability(
        repositoryName=repository, imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "v*"}])
    ecr.put_image(repositoryName=repository, imageManifest=other, imageTag="v1")


BAD_MODES = {
    "unknown": ({"imageTagMutability": "x"}, "imageTagMutability",
                "Member must satisfy enum value set: "
                "[MUTABLE, IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE_WITH_EXCLUSION]"),
    "none": ({}, "imageTagMutability", "Member must not be null"),
    "no filters": ({"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}, "imageTagMutabilityExclusionFilters",
                   "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as "
                   "IMMUTABLE_WITH_EXCLUSION"),
    "three stars": (
        {"imageTagMutability": "MUTABLE_WITH_EXCLUSION",
         "imageTagMutabilityExclusionFilters": [FILTER | {"filter": "*-*-*"}]},
        "imageTagMutabilityExclusionFilters", "Member must have at most 2 wildcards (*)"),
}


@pytest.mark.parametrize("case", BAD_MODES)
def test_bad_mutability(drydock, ecr, repository, case):
    arguments, member, text = BAD_MODES[case]
    answer = call(drydock, "PutImageTagMutability", {"repositoryName": repository} | arguments)
    assert (answer.code, answer.message) == ("InvalidParameterException", invalid(member, text))
    assert described(ecr, repository)["imageTagMutability"] == "MUTABLE"


def test_settings_need_their_repository(ecr):
    for operation, arguments in (
            (ecr.put_image_tag_mutability, {"imageTagMutability": "MUTABLE"}),
            (ecr.put_image_scanning_configuration, {"imageScanningConfiguration": {"scanOnPush": True}})):
        with refused("RepositoryNotFoundException") as error:
            operation(repositoryName="no/such", **arguments)
        assert error.message == not_found("no/such")


def test_scan_on_push_is_set(ecr, repository):
    for wanted in (True, False):
        answer = ecr.put_image_scanning_configuration(
            repositoryName=repository, imageScanningConfiguration={"scanOnPush": wanted})
        answer.pop("ResponseMetadata")
        assert answer == {
            "registryId": ACCOUNT, "repositoryName": repository, "imageScanningConfiguration": {"scanOnPush": wanted}}
        assert described(ecr, repository)["imageScanningConfiguration"] == {"scanOnPush": wanted}


# -- resource tags ------------------------------------------------------------------------------------------------------

def arn(name, account=ACCOUNT, region="us-east-1"):
    return f"arn:aws:ecr:{region}:{account}:repository/{name}"


def tags(ecr, name="team/app", **place):
    return {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=arn(name, **place))["tags"]}


def pairs(**values):
    return [{"Key": key, "Value": value} for key, value in values.items()]


def test_tags_come_and_go(ecr):
    ecr.create_repository(repositoryName="team/app", tags=pairs(team="web", stage="test"))
    assert tags(ecr) == {"team": "web", "stage": "test"}
    ecr.tag_resource(resourceArn=arn("team/app"), tags=pairs(stage="live", owner=""))
    assert tags(ecr) == {"team": "web", "stage": "live", "owner": ""}
    ecr.untag_resource(resourceArn=arn("team/app"), tagKeys=["team", "nobody's"])
    assert tags(ecr) == {"stage": "live", "owner": ""}
    ecr.untag_resource(resourceArn=arn("team/app"), tagKeys=["stage", "owner"])
    assert tags(ecr) == {}
    ecr.tag_resource(resourceArn=arn("team/app"), tags=pairs(a="1"))
    ecr.delete_repository(repositoryName="team/app")
    ecr.create_repository(repositoryName="team/app")
    assert tags(ecr) == {}


def test_the_arn_says_whose_registry(drydock):
    other = drydock.ecr(access_key="123456789012")
    other.create_repository(repositoryName="app", tags=pairs(a="1"))
    assert tags(drydock.ecr(), "app", account="123456789012") == {"a": "1"}
    with refused("RepositoryNotFoundException") as error:
        tags(drydock.ecr(), "app")
    assert error.message == not_found("app")


BAD_ARNS = (
    "", "app", "arn:aws:ecr:us-east-1:000000000000:repository/", "arn:aws:ecr:us-east-1:0000:repository/app",
    "arn:aws:ecr:us-east-1:000000000000:registry/app", "arn:aws:ecr:eu-west-1:000000000000:repository/team/app",
    "arn:aws-cn:ecr:us-east-1:000000000000:repository/team/app", "arn:aws:ec2:us-east-1:000000000000:repository/team/app",
    "arn:aws:ecr:us-east-1:000000000000:repository/Team", "arn:aws:ecr:us-east-1:000000000000:repository/team/app:x")


@pytest.mark.parametrize("text", BAD_ARNS)
def test_bad_arns(ecr, repository, text):
    for operation, arguments in (
            (ecr.tag_resource, {"tags": pairs(a="1")}), (ecr.untag_resource, {"tagKeys": ["a"]}),
            (ecr.list_tags_for_resource, {})):
        with refused("InvalidParameterException") as error:
            operation(resourceArn=text, **arguments)
        assert error.message == invalid("resourceArn", "Invalid ARN")


def test_tags_of_nothing(ecr):
    for operation, arguments in (
            (ecr.tag_resource, {"tags": pairs(a="1")}), (ecr.untag_resource, {"tagKeys": ["a"]}),
            (ecr.list_tags_for_resource, {})):
        with refused("RepositoryNotFoundException") as error:
            operation(resourceArn=arn("no/such"), **arguments)
        assert error.message == not_found("no/such")


@pytest.mark.parametrize(("key", "fault"), [
    ("aws:mine", "Tag keys that start with aws: are reserved."),
    ("", "Tag keys must have 1 to 128 characters."), ("k" * 129, "Tag keys must have 1 to 128 characters.")])
def test_keys_that_no_tag_has(drydock, ecr, repository, key, fault):
    ecr.tag_resource(resourceArn=arn(repository), tags=pairs(a="1"))
    answer = call(drydock, "UntagResource", {"resourceArn": arn(repository), "tagKeys": ["a", key]})
    assert (answer.code, answer.message) == ("InvalidTagParameterException", fault)
    assert tags(ecr) == {"a": "1"}


def too_many(most=50):
    return (
        f"The repository with name 'team/app' in the registry with id '{ACCOUNT}' cannot have more than {most} tags")


def test_fifty_tags(ecr, repository):
    many = [{"Key": f"key-{i:02}", "Value": "v" * 256} for i in range(50)]
    ecr.tag_resource(resourceArn=arn(repository), tags=many[:49])
    ecr.tag_resource(resourceArn=arn(repository), tags=[many[49], {"Key": "key-00", "Value": "changed"}])
    assert len(tags(ecr)) == 50
    for more in (pairs(one="1"), [{"Key": str(i), "Value": ""} for i in range(51)]):
        with refused("TooManyTagsException") as error:
            ecr.tag_resource(resourceArn=arn(repository), tags=more)
        assert error.message == too_many()
    with refused("TooManyTagsException"):
        ecr.untag_resource(resourceArn=arn(repository), tagKeys=[str(i) for i in range(51)])
    assert len(tags(ecr)) == 50 and tags(ecr)["key-00"] == "changed"


def test_fewer_tags_where_the_quota_says_so(make_server):
    ecr = make_server("--quota", "resource-tags=2").ecr()
    ecr.create_repository(repositoryName="team/app", tags=pairs(a="1", b="2"))
    with refused("TooManyTagsException") as error:
        ecr.tag_resource(resourceArn=arn("team/app"), tags=pairs(c="3"))
    assert error.message == too_many(2)
    with refused("TooManyTagsException"):
        ecr.create_repository(repositoryName="other", tags=pairs(a="1", b="2", c="3"))


@pytest.mark.parametrize(("tag", "text"), [
    ({"Key": "", "Value": ""}, "Tag keys must have 1 to 128 characters."),
    ({"Key": "k" * 129, "Value": ""}, "Tag keys must have 1 to 128 characters."),
    ({"Key": "k", "Value": "v" * 257}, "Tag values must have at most 256 characters."),
    ({"Key": "aws:x", "Value": ""}, "Tag keys that start with aws: are reserved.")])
def test_bad_tags(ecr, repository, tag, text):
    with refused("InvalidTagParameterException") as error:
        ecr.tag_resource(resourceArn=arn(repository), tags=[tag])
    assert error.message == text
    assert tags(ecr) == {}


def test_repositories_have_a_quota(make_server):
    server = make_server("--quota", "repositories=2")
    for ecr in (server.ecr(), server.ecr(region="eu-west-1")):
        for name in ("one", "two"):
            ecr.create_repository(repositoryName=name)
        with refused("LimitExceededException") as error:
            ecr.create_repository(repositoryName="three")
        assert error.message == "The maximum number of repositories per registry (2) has been reached"
        with refused("RepositoryAlreadyExistsException"):
            ecr.create_repository(repositoryName="one")
        ecr.delete_repository(repositoryName="one")
        ecr.create_repository(repositoryName="three")
    server.reset()
    for name in ("one", "two"):
        server.ecr().create_repository(repositoryName=name)
