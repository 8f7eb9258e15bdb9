"""CreateRepository, DescribeRepositories, DeleteRepository (ecr-behaviour 2.2), through the SDK."""

import pytest
from support import shapes
from support.api import call, pages
from support.aws import refused
from support.images import oci_image
from support.refusals import ACCOUNT, NAME_PATTERN, invalid, not_found

NOW = "2026-03-01T12:00:00Z"
NOW_SECONDS = 1772366400
ALIAS = f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/ecr"
FILTER = {"filterType": "WILDCARD", "filter": "release-*"}


def names(repositories):
    return [repository["repositoryName"] for repository in repositories]


# -- CreateRepository -------------------------------------------------------------------------------------------------

def test_create_answers_the_whole_repository(drydock, ecr):
    drydock.set_clock(NOW)
    created = ecr.create_repository(repositoryName="team/app")["repository"]
    assert NOW_SECONDS <= shapes.seconds(created.pop("createdAt")) < NOW_SECONDS + 60
    assert created == {
        "repositoryArn": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app",
        "registryId": ACCOUNT,
        "repositoryName": "team/app",
        "repositoryUri": f"{drydock.host}/team/app",
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }


OPTIONS = {
    "scanning": ({"imageScanningConfiguration": {"scanOnPush": True}}, {}),
    "scanning left open": (
        {"imageScanningConfiguration": {}}, {"imageScanningConfiguration": {"scanOnPush": False}}),
    "immutable": ({"imageTagMutability": "IMMUTABLE"}, {}),
    "immutable but": (
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": [FILTER]}, {}),
    "mutable but": (
        {"imageTagMutability": "MUTABLE_WITH_EXCLUSION",
         "imageTagMutabilityExclusionFilters": [FILTER] * 4 + [{"filterType": "WILDCARD", "filter": "*a_.-9*"}]}, {}),
    "kms": (
        {"encryptionConfiguration": {"encryptionType": "KMS"}},
        {"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": ALIAS}}),
    "kms key": ({"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/mine"}}, {}),
    "kms dsse": ({"encryptionConfiguration": {"encryptionType": "KMS_DSSE", "kmsKey": "k" * 2048}}, {}),
    "tags are not shown": ({"tags": [{"Key": "team", "Value": "web"}]}, {"tags": None}),
    "fifty tags": ({"tags": [{"Key": f"{i:0128}", "Value": "é" * 256} for i in range(50)]}, {"tags": None}),
    "its own account": ({"registryId": ACCOUNT}, {}),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_create_keeps_what_it_is_told(ecr, case):
    options, shown = OPTIONS[case]
    expected = {name: value for name, value in (options | shown).items() if value is not None}
    created = ecr.create_repository(repositoryName="app", **options)["repository"]
    assert {name: created.get(name) for name in expected} == expected
    assert "tags" not in created
    assert ecr.describe_repositories(repositoryNames=["app"])["repositories"] == [created]


def test_a_name_is_given_once(ecr, repository):
    with refused("RepositoryAlreadyExistsException") as error:
        ecr.create_repository(repositoryName=repository)
    assert error.message == (
        f"The repository with name 'team/app' already exists in the registry with id '{ACCOUNT}'")
    for other in ("team", "team/app/web", "team/app2"):
        ecr.create_repository(repositoryName=other)
    assert len(ecr.describe_repositories()["repositories"]) == 4


GOOD_NAMES = (
    "ab", "a/b", "00", "a.b", "a_b", "a__b", "a-b", "a----b", "team/web-app/api.v2/x__y", "a" * 256)


@pytest.mark.parametrize("name", GOOD_NAMES, ids=lambda name: name[:30])
def test_good_names(ecr, name):
    assert ecr.create_repository(repositoryName=name)["repository"]["repositoryName"] == name


BAD_NAMES = (
    "App", "a..b", "a___b", "-a", "a-", "a_-b", "a._b", "a//b", "/a", "a/", ".a", "a.", "a/../b", "../a", "a b", "a:b",
    "a@b", "a+b", "é", "a\n", "a/\u202eb", "a%2fb", "a\\b")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(unchecked_ecr, name):
    text = invalid("repositoryName", f"must satisfy regular expression '{NAME_PATTERN}'")
    if len(name) < 2:
        text = invalid("repositoryName", "Member must have length greater than or equal to 2")
    for operation in (unchecked_ecr.create_repository, unchecked_ecr.delete_repository):
        with refused("InvalidParameterException") as error:
            operation(repositoryName=name)
        assert error.message == text


def constraint(member, text):
    return "InvalidParameterException", invalid(member, text)


def without_filters(mode):
    return constraint(
        "imageTagMutabilityExclusionFilters",
        f"ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mode}")


def too_many_tags():
    return "TooManyTagsException", (
        f"The repository with name 'app' in the registry with id '{ACCOUNT}' cannot have more than 50 tags")


def bad_filter(text):
    return {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": text}]}


FILTER_MEMBER = "imageTagMutabilityExclusionFilters.1.member.filter"
BAD_OPTIONS = {
    "no name": ({"repositoryName": None}, *constraint("repositoryName", "Member must not be null")),
    "short name": (
        {"repositoryName": "a"},
        *constraint("repositoryName", "Member must have length greater than or equal to 2")),
    "long name": (
        {"repositoryName": "a" * 257},
        *constraint("repositoryName", "Member must have length less than or equal to 256")),
    "registry": (
        {"registryId": "12345678901"}, *constraint("registryId", "must satisfy regular expression [0-9]{12}")),
    "mutability": (
        {"imageTagMutability": "mutable"},
        *constraint("imageTagMutability", "Member must satisfy enum value set: "
                    "[MUTABLE, IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE_WITH_EXCLUSION]")),
    "encryption": (
        {"encryptionConfiguration": {"encryptionType": "ROT13"}},
        *constraint("encryptionConfiguration.encryptionType",
                    "Member must satisfy enum value set: [AES256, KMS, KMS_DSSE]")),
    "no encryption type": (
        {"encryptionConfiguration": {"kmsKey": "alias/mine"}},
        *constraint("encryptionConfiguration.encryptionType", "Member must not be null")),
    "empty key": (
        {"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": ""}},
        *constraint("encryptionConfiguration.kmsKey", "Member must have length greater than or equal to 1")),
    "long key": (
        {"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "k" * 2049}},
        *constraint("encryptionConfiguration.kmsKey", "Member must have length less than or equal to 2048")),
    "immutable but for what": (
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}, *without_filters("IMMUTABLE_WITH_EXCLUSION")),
    "mutable but for what": (
        {"imageTagMutability": "MUTABLE_WITH_EXCLUSION"}, *without_filters("MUTABLE_WITH_EXCLUSION")),
    "filters of no use": (
        {"imageTagMutability": "IMMUTABLE", "imageTagMutabilityExclusionFilters": [FILTER]},
        *without_filters("IMMUTABLE")),
    "filters of no use by default": (
        {"imageTagMutabilityExclusionFilters": [FILTER]}, *without_filters("MUTABLE")),
    "no filters": (
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": []},
        *constraint("imageTagMutabilityExclusionFilters", "Member must have length greater than or equal to 1")),
    "six filters": (
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": [FILTER] * 6},
        *constraint("imageTagMutabilityExclusionFilters", "Member must have length less than or equal to 5")),
    "three wildcards": (
        bad_filter("*-*-*"),
        *constraint("imageTagMutabilityExclusionFilters", "Member must have at most 2 wildcards (*)")),
    "slash in a filter": (
        bad_filter("a/b"), *constraint(FILTER_MEMBER, "must satisfy regular expression '^[0-9a-zA-Z._*-]{1,128}$'")),
    "empty filter": (
        bad_filter(""), *constraint(FILTER_MEMBER, "Member must have length greater than or equal to 1")),
    "long filter": (
        bad_filter("a" * 129), *constraint(FILTER_MEMBER, "Member must have length less than or equal to 128")),
    "51 tags": ({"tags": [{"Key": str(i), "Value": ""} for i in range(51)]}, *too_many_tags()),
    "empty tag key": (
        {"tags": [{"Key": "", "Value": ""}]},
        "InvalidTagParameterException", "Tag keys must have 1 to 128 characters."),
    "long tag key": (
        {"tags": [{"Key": "k" * 129, "Value": ""}]},
        "InvalidTagParameterException", "Tag keys must have 1 to 128 characters."),
    "long tag key of wide characters": (
        {"tags": [{"Key": "é" * 129, "Value": ""}]},
        "InvalidTagParameterException", "Tag keys must have 1 to 128 characters."),
    "long tag value": (
        {"tags": [{"Key": "k", "Value": "v" * 257}]},
        "InvalidTagParameterException", "Tag values must have at most 256 characters."),
    "reserved tag key": (
        {"tags": [{"Key": "aws:mine", "Value": ""}]},
        "InvalidTagParameterException", "Tag keys that start with aws: are reserved."),
    "tag without value": ({"tags": [{"Key": "k"}]}, *constraint("tags.1.member.Value", "Member must not be null")),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_create_refuses(drydock, ecr, case):
    """Through a hand-made request: the SDK would refuse some of these itself."""
    options, code, message = BAD_OPTIONS[case]
    answer = call(drydock, "CreateRepository", {"repositoryName": "app"} | options)
    assert (answer.status, answer.code, answer.message) == (400, code, message)
    assert ecr.describe_repositories()["repositories"] == []


# -- DescribeRepositories ---------------------------------------------------------------------------------------------

def test_describe_by_name(ecr):
    created = [ecr.create_repository(repositoryName=name)["repository"] for name in ("one", "two", "three")]
    assert ecr.describe_repositories()["repositories"] == sorted(created, key=lambda one: one["repositoryName"])
    assert ecr.describe_repositories(repositoryNames=["two", "one"])["repositories"] == [created[1], created[0]]
    with refused("RepositoryNotFoundException") as error:
        ecr.describe_repositories(repositoryNames=["one", "four", "five"])
    assert error.message == not_found("four")


def test_an_empty_registry(ecr):
    answer = ecr.describe_repositories()
    assert answer["repositories"] == [] and "nextToken" not in answer
    assert ecr.describe_repositories(registryId="123456789012")["repositories"] == []


def test_describe_pages(ecr):
    expected = [f"app-{i:03}" for i in range(101)]
    for name in reversed(expected):
        ecr.create_repository(repositoryName=name)
    for size, lengths in ((None, [100, 1]), (1000, [101]), (101, [101]), (50, [50, 50, 1]), (100, [100, 1])):
        limit = {"maxResults": size} if size else {}
        found = list(pages(ecr.describe_repositories, "repositories", **limit))
        assert [len(page) for page in found] == lengths
        assert [name for page in found for name in names(page)] == expected
    paginator = ecr.get_paginator("describe_repositories")
    assert names(paginator.paginate(PaginationConfig={"PageSize": 7}).build_full_result()["repositories"]) == expected


def test_describe_pages_while_repositories_come_and_go(ecr):
    """What is there from the first page to the last is told exactly once."""
    staying = [f"b{i:02}" for i in range(0, 30, 2)]
    for name in [*staying, "b05", "b23"]:
        ecr.create_repository(repositoryName=name)
    found, changes = [], iter((
        lambda: ecr.create_repository(repositoryName="a-new"), lambda: ecr.delete_repository(repositoryName="b05"),
        lambda: ecr.create_repository(repositoryName="b13"), lambda: ecr.delete_repository(repositoryName="b23"),
        lambda: ecr.create_repository(repositoryName="z-new")))
    for page in pages(ecr.describe_repositories, "repositories", maxResults=3):
        found += names(page)
        next(changes, lambda: None)()
    assert [name for name in found if name in staying] == staying
    assert len(set(found)) == len(found)


BAD_PAGES = {
    "none": ({"maxResults": 0}, "maxResults", "Member must have value greater than or equal to 1"),
    "negative": ({"maxResults": -1}, "maxResults", "Member must have value greater than or equal to 1"),
    "1001": ({"maxResults": 1001}, "maxResults", "Member must have value less than or equal to 1000"),
    "token of nobody": ({"nextToken": "AAAA"}, "NextToken", "Invalid next token provided"),
    "empty token": ({"nextToken": ""}, "NextToken", "Invalid next token provided"),
    "long token": ({"nextToken": "A" * 100_000}, "NextToken", "Invalid next token provided"),
    "names and a limit": (
        {"maxResults": 1, "repositoryNames": ["team/app"]},
        "maxResults", "Member must not be given together with repositoryNames"),
    "names and a token": (
        {"nextToken": "AAAA", "repositoryNames": ["team/app"]},
        "nextToken", "Member must not be given together with repositoryNames"),
    "no names": (
        {"repositoryNames": []}, "repositoryNames", "Member must have length greater than or equal to 1"),
    "101 names": (
        {"repositoryNames": ["team/app"] * 101},
        "repositoryNames", "Member must have length less than or equal to 100"),
    "bad name": (
        {"repositoryNames": ["team/app", "Team"]}, "repositoryNames.2.member",
        f"must satisfy regular expression '{NAME_PATTERN}'"),
    "registry": ({"registryId": "1234567890123"}, "registryId", "must satisfy regular expression [0-9]{12}"),
}


@pytest.mark.parametrize("case", BAD_PAGES)
def test_describe_refuses(unchecked_ecr, repository, case):
    arguments, member, text = BAD_PAGES[case]
    with refused("InvalidParameterException") as error:
        unchecked_ecr.describe_repositories(**arguments)
    assert error.message == invalid(member, text)


def test_a_token_is_good_for_its_list_alone(drydock, ecr):
    for client in (ecr, drydock.ecr(region="eu-west-1"), drydock.ecr(access_key="123456789012")):
        for name in ("one", "two"):
            client.create_repository(repositoryName=name)
    token = ecr.describe_repositories(maxResults=1)["nextToken"]
    assert names(ecr.describe_repositories(nextToken=token)["repositories"]) == ["two"]
    assert names(ecr.describe_repositories(nextToken=token)["repositories"]) == ["two"], "a token can be used again"

    changed = token[:-1] + ("A" if token[-1] != "A" else "E")
    strangers = [
        lambda: drydock.ecr(region="eu-west-1").describe_repositories(nextToken=token),
        lambda: drydock.ecr(access_key="123456789012").describe_repositories(nextToken=token),
        lambda: ecr.describe_repositories(nextToken=token, registryId="123456789012"),
        lambda: ecr.list_images(repositoryName="one", nextToken=token),
        lambda: ecr.describe_images(repositoryName="one", nextToken=token),
        lambda: ecr.describe_repositories(nextToken=changed),
        lambda: ecr.describe_repositories(nextToken=token[1:]),
        lambda: ecr.describe_repositories(nextToken=token + "A"),
    ]
    for stranger in strangers:
        with refused("InvalidParameterException") as error:
            stranger()
        assert error.message == invalid("NextToken", "Invalid next token provided")


# -- DeleteRepository -------------------------------------------------------------------------------------------------

def test_delete(ecr, repository):
    before = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
    assert ecr.delete_repository(repositoryName=repository)["repository"] == before
    assert ecr.describe_repositories()["repositories"] == []
    with refused("RepositoryNotFoundException") as error:
        ecr.delete_repository(repositoryName=repository)
    assert error.message == not_found(repository)


def test_delete_refuses_what_holds_images(ecr, registry, repository):
    registry.push_image(repository, oci_image())  # untagged
    for options in ({}, {"force": False}):
        with refused("RepositoryNotEmptyException") as error:
            ecr.delete_repository(repositoryName=repository, **options)
        assert error.message == (
            f"The repository with name 'team/app' in registry with id '{ACCOUNT}' cannot be deleted because it still "
            "contains images")
    assert len(ecr.list_images(repositoryName=repository)["imageIds"]) == 1


def test_delete_by_force_takes_everything(ecr, registry, repository):
    image = oci_image()
    registry.push_image(repository, image, "v1")
    location = registry.start_upload(repository).headers["Location"]
    assert ecr.delete_repository(repositoryName=repository, force=True)["repository"]["repositoryName"] == repository
    assert registry.get_manifest(repository, "v1").status_code == 404
    assert registry.patch_upload(location, b"late").status_code == 404

    ecr.create_repository(repositoryName=repository)
    assert ecr.describe_images(repositoryName=repository)["imageDetails"] == []
    assert registry.tags(repository).json()["tags"] == []
    assert registry.get_manifest(repository, image.digest).status_code == 404
    assert registry.head_blob(repository, image.config.digest).status_code == 404
    assert registry.upload_status(location).status_code == 404
    registry.push_image(repository, image, "v1")
    assert registry.pull_image(repository, "v1") == image.manifest


def test_delete_leaves_the_neighbours_alone(ecr, registry, repository):
    image = oci_image()
    ecr.create_repository(repositoryName="team/app2")
    for name in (repository, "team/app2"):
        registry.push_image(name, image, "v1")
    ecr.delete_repository(repositoryName=repository, force=True)
    assert registry.pull_image("team/app2", "v1") == image.manifest


@pytest.mark.parametrize("operation", ["DeleteRepository", "DescribeRepositories"])
def test_another_registry_is_another(drydock, ecr, repository, operation):
    named = {"repositoryName": repository} if operation == "DeleteRepository" else {"repositoryNames": [repository]}
    answer = call(drydock, operation, named | {"registryId": "210987654321"})
    assert (answer.code, answer.message) == ("RepositoryNotFoundException", not_found(repository, "210987654321"))
    assert len(ecr.describe_repositories()["repositories"]) == 1
