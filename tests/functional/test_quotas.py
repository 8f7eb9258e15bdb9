"""--quota: each quota of protocol/quotas.c, set to two, lets two through and refuses the third; and README's table."""

import re

import pytest
from support.api import call
from support.binary import SOURCE
from support.images import oci_image
from support.refusals import ACCOUNT

QUOTAS = re.findall(r'\[QUOTA_\w+\] = \{"([a-z-]+)",\s*"([^"]+)"', (SOURCE / "protocol/quotas.c").read_text())
IN_APP = {"repositoryName": "app"}


# What a quota counts: a function of the number of one, the operation that adds it and what it is sent.

def repositories(_, number):
    return "CreateRepository", {"repositoryName": f"other-{number}"}


def images_per_repository(server, number):
    image = oci_image()
    for blob in image.blobs:
        server.registry().push_blob("app", blob.data)
    return "PutImage", IN_APP | {"imageManifest": image.manifest.decode(), "imageTag": f"v{number}"}


def tags_per_image(server, number):
    """Of one and the same image."""
    found = server.ecr().batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v0"}])["images"]
    if not found:
        return images_per_repository(server, number)
    return "PutImage", IN_APP | {"imageManifest": found[0]["imageManifest"], "imageTag": f"v{number}"}


def resource_tags(_, number):
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app"
    return "TagResource", {"resourceArn": arn, "tags": [{"Key": f"key-{number}", "Value": ""}]}


def layer_parts(server, number):
    if number == 0:
        server.upload = server.ecr().initiate_layer_upload(repositoryName="app")["uploadId"]
    return "UploadLayerPart", IN_APP | {
        "uploadId": server.upload, "partFirstByte": number, "partLastByte": number, "layerPartBlob": "AA=="}


def lifecycle_rules(_, number):
    rules = ", ".join(
        '{"rulePriority": %d, "selection": {"tagStatus": "tagged", "tagPrefixList": ["t%d-"], '
        '"countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}' % (i + 1, i)
        for i in range(number + 1))
    return "PutLifecyclePolicy", IN_APP | {"lifecyclePolicyText": '{"rules": [%s]}' % rules}


def pull_through_cache_rules(_, number):
    return "CreatePullThroughCacheRule", {
        "ecrRepositoryPrefix": f"public-{number}", "upstreamRegistryUrl": "public.ecr.aws"}


def repository_creation_templates(_, number):
    return "CreateRepositoryCreationTemplate", {"prefix": f"made-{number}", "appliedFor": ["CREATE_ON_PUSH"]}


def replication_destinations(_, number):
    destinations = [{"region": "eu-west-1", "registryId": f"{account:012}"} for account in range(1, number + 2)]
    return "PutReplicationConfiguration", {"replicationConfiguration": {"rules": [{"destinations": destinations}]}}


def pull_time_update_exclusions(_, number):
    return "RegisterPullTimeUpdateExclusion", {"principalArn": f"arn:aws:iam::{ACCOUNT}:role/role-{number}"}


# Those that are refused otherwise than with LimitExceededException, and with which words.
OTHERS = {
    "resource-tags": (
        "TooManyTagsException",
        f"The repository with name 'app' in the registry with id '{ACCOUNT}' cannot have more than 2 tags"),
    "lifecycle-rules": (
        "InvalidParameterException", "array is too long: must have at most 2 elements but instance has 3 elements"),
    "replication-destinations": (
        "InvalidParameterException",
        "The maximum number of unique destinations across all replication rules (2) has been reached"),
}


@pytest.mark.parametrize(("name", "counted"), QUOTAS)
def test_two_and_no_more(make_server, name, counted):
    server = make_server("--quota", f"{name}=2")
    add = globals()[name.replace("-", "_")]
    if name != "repositories":
        server.ecr().create_repository(repositoryName="app")
    for number in range(2):
        operation, body = add(server, number)
        answer = call(server, operation, body)
        assert answer.status == 200, answer
    operation, body = add(server, 2)
    answer = call(server, operation, body)
    code, says = OTHERS.get(name, ("LimitExceededException", f"The maximum number of {counted} (2) has been reached"))
    assert (answer.status, answer.code) == (400, code)
    assert says in answer.message


def test_each_quota_is_in_the_readme():
    table = (SOURCE / "README.md").read_text().split("## Quotas")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == [name for name, _ in QUOTAS]
