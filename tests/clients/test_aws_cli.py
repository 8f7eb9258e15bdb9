"""The AWS CLI: every subcommand of `aws ecr` once, its waiters, and its paginators.

A case is a function named after its subcommand: @case("wait image-scan-complete") where that is no name. It is given the
Cli and what it finds: a repository team/app with the image v1.
"""

import base64
import json
import re

import pytest
import requests
from awscli.clidriver import create_clidriver
from client import Client
from support.binary import python_tool
from support.images import oci_artifact, oci_image, random_layer
from support.refusals import ACCOUNT

REPOSITORY = "team/app"
HERE = ("--repository-name", REPOSITORY)
V1 = ("--image-id", "imageTag=v1")
NOBODY = "arn:aws:iam::123456789012:role/nobody"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]})
REGISTRY_POLICY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Sid": "copy", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
     "Action": "ecr:ReplicateImage", "Resource": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*"}]})
LIFECYCLE = json.dumps({"rules": [{
    "rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
    "action": {"type": "expire"}}]})
SIGNING = {"rules": [{"signingProfileArn": "arn:aws:signer:us-east-1:123456789012:/signing-profiles/all"}]}

CASES = {}


def case(name):
    def enter(function):
        assert name not in CASES
        CASES[name] = function
        return function

    return enter if isinstance(name, str) else case(name.__name__.replace("_", "-"))(name)


class Cli(Client):
    """cli("describe-images", ...) is `aws ecr describe-images ...`: what it prints, read as JSON where it is that."""

    def __init__(self, server, folder):
        super().__init__(python_tool("aws"), folder, "ecr", "--endpoint-url", server.url)
        self.server, self.ecr = server, server.ecr()
        self.image = oci_image(size=3000)
        self.registry = server.registry()
        self.ecr.create_repository(repositoryName=REPOSITORY)
        self.registry.push_image(REPOSITORY, self.image, "v1")

    def __call__(self, *arguments, **settings):
        result = super().__call__(*arguments, **settings)
        if settings.get("check") is False:
            return result
        return json.loads(result.stdout) if result.stdout.startswith("{") else result.stdout

    def repository(self):
        return self.ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"][0]

    def arn(self):
        return self.repository()["repositoryArn"]

    def tags(self):
        found = self.ecr.list_images(repositoryName=REPOSITORY)["imageIds"]
        return sorted(one["imageTag"] for one in found if "imageTag" in one)


@pytest.fixture
def cli(drydock, tmp_path):
    cli = Cli(drydock, tmp_path)
    yield cli
    cli.registry.close()


# -- the registry and logging in --------------------------------------------------------------------------------------

@case
def get_authorization_token(cli):
    data, = cli("get-authorization-token")["authorizationData"]
    assert data["proxyEndpoint"] == cli.server.url
    assert requests.get(
        f"{cli.server.url}/v2/", headers={"Authorization": f"Basic {data['authorizationToken']}"}, timeout=10).ok


@case
def get_login_password(cli):
    password = cli("get-login-password").strip()
    assert requests.get(f"{cli.server.url}/v2/", auth=("AWS", password), timeout=10).ok


@case
def get_login(cli):
    words = cli("get-login", "--no-include-email").split()
    assert words[:4] == ["docker", "login", "-u", "AWS"] and words[-1] == cli.server.url
    assert requests.get(f"{cli.server.url}/v2/", auth=("AWS", words[5]), timeout=10).ok


@case
def describe_registry(cli):
    assert cli("describe-registry") == {"registryId": ACCOUNT, "replicationConfiguration": {"rules": []}}


@case
def put_registry_policy(cli):
    assert cli("put-registry-policy", "--policy-text", REGISTRY_POLICY)["policyText"] == REGISTRY_POLICY
    assert cli.ecr.get_registry_policy()["policyText"] == REGISTRY_POLICY


@case
def get_registry_policy(cli):
    assert "RegistryPolicyNotFoundException" in cli.refused("get-registry-policy")
    cli.ecr.put_registry_policy(policyText=REGISTRY_POLICY)
    assert cli("get-registry-policy") == {"registryId": ACCOUNT, "policyText": REGISTRY_POLICY}


@case
def delete_registry_policy(cli):
    cli.ecr.put_registry_policy(policyText=REGISTRY_POLICY)
    assert cli("delete-registry-policy")["policyText"] == REGISTRY_POLICY
    assert "RegistryPolicyNotFoundException" in cli.refused("get-registry-policy")


@case
def put_replication_configuration(cli):
    wanted = {"rules": [{"destinations": [{"region": "eu-west-1", "registryId": ACCOUNT}]}]}
    cli("put-replication-configuration", "--replication-configuration", json.dumps(wanted))
    assert cli.ecr.describe_registry()["replicationConfiguration"] == wanted


@case
def describe_image_replication_status(cli):
    cli.ecr.put_replication_configuration(
        replicationConfiguration={"rules": [{"destinations": [{"region": "eu-west-1", "registryId": ACCOUNT}]}]})
    cli.registry.push_image(REPOSITORY, oci_image(), "copied")
    answer = cli("describe-image-replication-status", *HERE, "--image-id", "imageTag=copied")
    assert answer["replicationStatuses"] == [{"region": "eu-west-1", "registryId": ACCOUNT, "status": "COMPLETE"}]


@case
def put_account_setting(cli):
    answer = cli("put-account-setting", "--name", "BLOB_MOUNTING", "--value", "ENABLED")
    assert answer == {"name": "BLOB_MOUNTING", "value": "ENABLED"}


@case
def get_account_setting(cli):
    cli.ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    assert cli("get-account-setting", "--name", "BLOB_MOUNTING") == {"name": "BLOB_MOUNTING", "value": "ENABLED"}


@case
def register_pull_time_update_exclusion(cli):
    assert cli("register-pull-time-update-exclusion", "--principal-arn", NOBODY)["principalArn"] == NOBODY


@case
def deregister_pull_time_update_exclusion(cli):
    cli.ecr.register_pull_time_update_exclusion(principalArn=NOBODY)
    assert cli("deregister-pull-time-update-exclusion", "--principal-arn", NOBODY)["principalArn"] == NOBODY
    assert cli.ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == []


@case
def list_pull_time_update_exclusions(cli):
    cli.ecr.register_pull_time_update_exclusion(principalArn=NOBODY)
    assert cli("list-pull-time-update-exclusions") == {"pullTimeUpdateExclusions": [NOBODY]}


# -- repositories -----------------------------------------------------------------------------------------------------

@case
def create_repository(cli):
    made = cli(
        "create-repository", "--repository-name", "team/new", "--tags", "Key=owner,Value=team", "--image-tag-mutability",
        "IMMUTABLE", "--image-scanning-configuration", "scanOnPush=true")["repository"]
    assert made["repositoryUri"] == f"{cli.server.host}/team/new"
    assert (made["imageTagMutability"], made["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    assert "RepositoryAlreadyExistsException" in cli.refused("create-repository", "--repository-name", "team/new")


@case
def describe_repositories(cli):
    found, = cli("describe-repositories", "--repository-names", REPOSITORY)["repositories"]
    assert found["repositoryArn"] == cli.arn()
    assert "RepositoryNotFoundException" in cli.refused("describe-repositories", "--repository-names", "none")


@case
def delete_repository(cli):
    assert "RepositoryNotEmptyException" in cli.refused("delete-repository", *HERE)
    assert cli("delete-repository", *HERE, "--force")["repository"]["repositoryName"] == REPOSITORY
    assert cli.ecr.describe_repositories()["repositories"] == []


@case
def put_image_tag_mutability(cli):
    cli("put-image-tag-mutability", *HERE, "--image-tag-mutability", "IMMUTABLE")
    assert cli.repository()["imageTagMutability"] == "IMMUTABLE"


@case
def put_image_scanning_configuration(cli):
    cli("put-image-scanning-configuration", *HERE, "--image-scanning-configuration", "scanOnPush=true")
    assert cli.repository()["imageScanningConfiguration"] == {"scanOnPush": True}


@case
def tag_resource(cli):
    assert cli("tag-resource", "--resource-arn", cli.arn(), "--tags", "Key=owner,Value=team") == ""
    assert cli.ecr.list_tags_for_resource(resourceArn=cli.arn())["tags"] == [{"Key": "owner", "Value": "team"}]


@case
def untag_resource(cli):
    cli.ecr.tag_resource(resourceArn=cli.arn(), tags=[{"Key": "owner", "Value": "team"}])
    assert cli("untag-resource", "--resource-arn", cli.arn(), "--tag-keys", "owner") == ""
    assert cli.ecr.list_tags_for_resource(resourceArn=cli.arn())["tags"] == []


@case
def list_tags_for_resource(cli):
    cli.ecr.tag_resource(resourceArn=cli.arn(), tags=[{"Key": "owner", "Value": "team"}])
    answer = cli("list-tags-for-resource", "--resource-arn", cli.arn())
    assert answer == {"tags": [{"Key": "owner", "Value": "team"}]}


@case
def set_repository_policy(cli):
    assert cli("set-repository-policy", *HERE, "--policy-text", POLICY)["policyText"] == POLICY
    assert cli.ecr.get_repository_policy(repositoryName=REPOSITORY)["policyText"] == POLICY


@case
def get_repository_policy(cli):
    cli.ecr.set_repository_policy(repositoryName=REPOSITORY, policyText=POLICY)
    assert cli("get-repository-policy", *HERE)["policyText"] == POLICY


@case
def delete_repository_policy(cli):
    cli.ecr.set_repository_policy(repositoryName=REPOSITORY, policyText=POLICY)
    assert cli("delete-repository-policy", *HERE)["policyText"] == POLICY
    assert "RepositoryPolicyNotFoundException" in cli.refused("get-repository-policy", *HERE)


# -- lifecycle policies -----------------------------------------------------------------------------------------------

@case
def put_lifecycle_policy(cli):
    assert cli("put-lifecycle-policy", *HERE, "--lifecycle-policy-text", LIFECYCLE)["lifecyclePolicyText"] == LIFECYCLE
    assert cli.ecr.get_lifecycle_policy(repositoryName=REPOSITORY)["lifecyclePolicyText"] == LIFECYCLE


@case
def get_lifecycle_policy(cli):
    cli.ecr.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=LIFECYCLE)
    assert cli("get-lifecycle-policy", *HERE)["lifecyclePolicyText"] == LIFECYCLE


@case
def delete_lifecycle_policy(cli):
    cli.ecr.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=LIFECYCLE)
    assert cli("delete-lifecycle-policy", *HERE)["lifecyclePolicyText"] == LIFECYCLE
    assert "LifecyclePolicyNotFoundException" in cli.refused("get-lifecycle-policy", *HERE)


@case
def start_lifecycle_policy_preview(cli):
    answer = cli("start-lifecycle-policy-preview", *HERE, "--lifecycle-policy-text", LIFECYCLE)
    assert (answer["status"], answer["lifecyclePolicyText"]) == ("IN_PROGRESS", LIFECYCLE)


@case
def get_lifecycle_policy_preview(cli):
    assert "LifecyclePolicyPreviewNotFoundException" in cli.refused("get-lifecycle-policy-preview", *HERE)
    cli.registry.push_image(REPOSITORY, oci_image(), "v2")
    cli.ecr.start_lifecycle_policy_preview(repositoryName=REPOSITORY, lifecyclePolicyText=LIFECYCLE)
    cli("wait", "lifecycle-policy-preview-complete", *HERE)
    answer = cli("get-lifecycle-policy-preview", *HERE)
    assert answer["summary"]["expiringImageTotalCount"] == 1
    assert [one["imageTags"] for one in answer["previewResults"]] == [["v1"]]


@case("wait lifecycle-policy-preview-complete")
def wait_lifecycle_policy_preview_complete(cli):
    cli.ecr.start_lifecycle_policy_preview(repositoryName=REPOSITORY, lifecyclePolicyText=LIFECYCLE)
    assert cli("wait", "lifecycle-policy-preview-complete", *HERE) == ""
    assert cli.ecr.get_lifecycle_policy_preview(repositoryName=REPOSITORY)["status"] == "COMPLETE"


# -- layers -----------------------------------------------------------------------------------------------------------

def begin(cli):
    return cli.ecr.initiate_layer_upload(repositoryName=REPOSITORY)["uploadId"]


@case
def batch_check_layer_availability(cli):
    layer, = cli.image.layers
    found, = cli("batch-check-layer-availability", *HERE, "--layer-digests", layer.digest)["layers"]
    assert (found["layerAvailability"], found["layerSize"]) == ("AVAILABLE", 3000)


@case
def initiate_layer_upload(cli):
    answer = cli("initiate-layer-upload", *HERE)
    assert re.fullmatch(r"[0-9a-f-]{36}", answer["uploadId"]) and answer["partSize"] == 20 << 20


@case
def upload_layer_part(cli):
    (cli.folder / "part").write_bytes(random_layer(1000).data)
    answer = cli(
        "upload-layer-part", *HERE, "--upload-id", begin(cli), "--part-first-byte", 0, "--part-last-byte", 999,
        "--layer-part-blob", f"fileb://{cli.folder}/part")
    assert answer["lastByteReceived"] == 999


@case
def complete_layer_upload(cli):
    layer, upload = random_layer(1000), begin(cli)
    cli.ecr.upload_layer_part(
        repositoryName=REPOSITORY, uploadId=upload, partFirstByte=0, partLastByte=999, layerPartBlob=layer.data)
    answer = cli("complete-layer-upload", *HERE, "--upload-id", upload, "--layer-digests", layer.digest)
    assert answer["layerDigest"] == layer.digest


@case
def get_download_url_for_layer(cli):
    layer, = cli.image.layers
    link = cli("get-download-url-for-layer", *HERE, "--layer-digest", layer.digest)["downloadUrl"]
    assert requests.get(link, timeout=10).content == layer.data


# -- images -----------------------------------------------------------------------------------------------------------

@case
def put_image(cli):
    answer = cli("put-image", *HERE, "--image-manifest", cli.image.manifest.decode(), "--image-tag", "v2")
    assert answer["image"]["imageId"] == {"imageDigest": cli.image.digest, "imageTag": "v2"}
    assert cli.tags() == ["v1", "v2"]


@case
def batch_get_image(cli):
    answer = cli("batch-get-image", *HERE, "--image-ids", "imageTag=v1", "imageTag=none")
    assert [one["imageManifest"].encode() for one in answer["images"]] == [cli.image.manifest]
    assert [one["failureCode"] for one in answer["failures"]] == ["ImageNotFound"]


@case
def batch_delete_image(cli):
    answer = cli("batch-delete-image", *HERE, "--image-ids", "imageTag=v1", "imageTag=none")
    assert answer["imageIds"] == [{"imageDigest": cli.image.digest, "imageTag": "v1"}]
    assert [one["failureCode"] for one in answer["failures"]] == ["ImageNotFound"]
    assert cli.tags() == []


@case
def describe_images(cli):
    detail, = cli("describe-images", *HERE, "--image-ids", "imageTag=v1")["imageDetails"]
    assert (detail["imageDigest"], detail["imageSizeInBytes"]) == (cli.image.digest, 3000)
    assert "ImageNotFoundException" in cli.refused("describe-images", *HERE, "--image-ids", "imageTag=none")


@case
def list_images(cli):
    answer = cli("list-images", *HERE, "--filter", "tagStatus=TAGGED")
    assert answer == {"imageIds": [{"imageDigest": cli.image.digest, "imageTag": "v1"}]}


@case
def list_image_referrers(cli):
    artifact = oci_artifact("application/vnd.example.sbom", subject=cli.image)
    cli.registry.push_image(REPOSITORY, artifact)
    answer = cli("list-image-referrers", *HERE, "--subject-id", f"imageDigest={cli.image.digest}")
    assert [one["digest"] for one in answer["referrers"]] == [artifact.digest]


@case
def update_image_storage_class(cli):
    answer = cli("update-image-storage-class", *HERE, *V1, "--target-storage-class", "ARCHIVE")
    assert answer["imageStatus"] == "ARCHIVED"
    assert cli.tags() == []


# -- scans and signatures ---------------------------------------------------------------------------------------------

def scan(cli):
    cli.ecr.start_image_scan(repositoryName=REPOSITORY, imageId={"imageTag": "v1"})


@case
def start_image_scan(cli):
    assert cli("start-image-scan", *HERE, *V1)["imageScanStatus"]["status"] == "IN_PROGRESS"


@case
def describe_image_scan_findings(cli):
    assert "ScanNotFoundException" in cli.refused("describe-image-scan-findings", *HERE, *V1)
    scan(cli)
    assert cli("describe-image-scan-findings", *HERE, *V1)["imageScanStatus"]["status"] == "FAILED"


@case("wait image-scan-complete")
def wait_image_scan_complete(cli):
    """Every scan ends as FAILED, as there is nothing to look vulnerabilities up in: the waiter says so."""
    scan(cli)
    result = cli("wait", "image-scan-complete", *HERE, *V1, check=False)
    assert result.returncode == 255
    assert "Waiter ImageScanComplete failed: Waiter encountered a terminal failure state" in result.stderr


@case
def put_registry_scanning_configuration(cli):
    rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "team*", "filterType": "WILDCARD"}]}
    answer = cli("put-registry-scanning-configuration", "--scan-type", "BASIC", "--rules", json.dumps([rule]))
    assert answer == {"registryScanningConfiguration": {"scanType": "BASIC", "rules": [rule]}}


@case
def get_registry_scanning_configuration(cli):
    answer = cli("get-registry-scanning-configuration")
    assert answer == {"registryId": ACCOUNT, "scanningConfiguration": {"scanType": "BASIC", "rules": []}}


@case
def batch_get_repository_scanning_configuration(cli):
    answer = cli("batch-get-repository-scanning-configuration", "--repository-names", REPOSITORY, "none")
    assert [one["repositoryName"] for one in answer["scanningConfigurations"]] == [REPOSITORY]
    assert [one["failureCode"] for one in answer["failures"]] == ["REPOSITORY_NOT_FOUND"]


@case
def put_signing_configuration(cli):
    answer = cli("put-signing-configuration", "--signing-configuration", json.dumps(SIGNING))
    assert answer["signingConfiguration"] == SIGNING


@case
def get_signing_configuration(cli):
    cli.ecr.put_signing_configuration(signingConfiguration=SIGNING)
    assert cli("get-signing-configuration")["signingConfiguration"] == SIGNING


@case
def delete_signing_configuration(cli):
    cli.ecr.put_signing_configuration(signingConfiguration=SIGNING)
    assert cli("delete-signing-configuration")["signingConfiguration"] == SIGNING
    assert "SigningConfigurationNotFoundException" in cli.refused("get-signing-configuration")


@case
def describe_image_signing_status(cli):
    cli.ecr.put_signing_configuration(signingConfiguration=SIGNING)
    found, = cli("describe-image-signing-status", *HERE, *V1)["signingStatuses"]
    assert found["status"] == "FAILED"


# -- templates and pull through cache rules ---------------------------------------------------------------------------

def create_template(cli):
    cli.ecr.create_repository_creation_template(prefix="made", appliedFor=["CREATE_ON_PUSH"])


@case
def create_repository_creation_template(cli):
    made = cli("create-repository-creation-template", "--prefix", "made", "--applied-for", "CREATE_ON_PUSH")
    assert made["repositoryCreationTemplate"]["appliedFor"] == ["CREATE_ON_PUSH"]


@case
def update_repository_creation_template(cli):
    create_template(cli)
    cli("update-repository-creation-template", "--prefix", "made", "--image-tag-mutability", "IMMUTABLE")
    found, = cli.ecr.describe_repository_creation_templates()["repositoryCreationTemplates"]
    assert found["imageTagMutability"] == "IMMUTABLE"


@case
def delete_repository_creation_template(cli):
    create_template(cli)
    cli("delete-repository-creation-template", "--prefix", "made")
    assert cli.ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == []


@case
def describe_repository_creation_templates(cli):
    create_template(cli)
    found, = cli("describe-repository-creation-templates", "--prefixes", "made")["repositoryCreationTemplates"]
    assert found["prefix"] == "made"


def create_rule(cli):
    cli.ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="public", upstreamRegistryUrl="public.ecr.aws")


@case
def create_pull_through_cache_rule(cli):
    made = cli(
        "create-pull-through-cache-rule", "--ecr-repository-prefix", "public", "--upstream-registry-url", "public.ecr.aws")
    assert made["upstreamRegistry"] == "ecr-public"


@case
def update_pull_through_cache_rule(cli):
    secret = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:ecr-pullthroughcache/hub-"
    cli.ecr.create_pull_through_cache_rule(
        ecrRepositoryPrefix="hub", upstreamRegistryUrl="registry-1.docker.io", credentialArn=secret + "one111")
    answer = cli(
        "update-pull-through-cache-rule", "--ecr-repository-prefix", "hub", "--credential-arn", secret + "two222")
    assert answer["credentialArn"] == secret + "two222"


@case
def delete_pull_through_cache_rule(cli):
    create_rule(cli)
    assert cli("delete-pull-through-cache-rule", "--ecr-repository-prefix", "public")["ecrRepositoryPrefix"] == "public"
    assert cli.ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []


@case
def describe_pull_through_cache_rules(cli):
    create_rule(cli)
    found, = cli("describe-pull-through-cache-rules")["pullThroughCacheRules"]
    assert found["ecrRepositoryPrefix"] == "public"


@case
def validate_pull_through_cache_rule(cli):
    """Drydock fetches nothing, and says so."""
    create_rule(cli)
    answer = cli("validate-pull-through-cache-rule", "--ecr-repository-prefix", "public")
    assert answer["isValid"] is False and answer["failure"]


# -- each of them -----------------------------------------------------------------------------------------------------

def command_table():
    """What `aws ecr help` lists."""
    table = create_clidriver().create_help_command().command_table["ecr"].create_help_command().command_table
    assert len(table) > 60
    return table


def commands():
    """Every subcommand that this very CLI has; `wait` stands for the waiters below it."""
    table = command_table()
    names = {name for name in table if name != "wait"}
    return names | {f"wait {name}" for name in table["wait"].subcommand_table}


def test_every_subcommand_has_a_case():
    assert set(CASES) == commands()


@pytest.mark.parametrize("name", CASES)
def test_subcommand(cli, name):
    CASES[name](cli)


# -- pages ------------------------------------------------------------------------------------------------------------

def make_images(cli):
    for number in range(2, 6):
        cli.registry.push_image(REPOSITORY, oci_image(), f"v{number}")


def make_repositories(cli):
    for number in range(4):
        cli.ecr.create_repository(repositoryName=f"more-{number}")


def make_rules(cli):
    for number in range(5):
        cli.ecr.create_pull_through_cache_rule(
            ecrRepositoryPrefix=f"public-{number}", upstreamRegistryUrl="public.ecr.aws")


def make_templates(cli):
    for number in range(5):
        cli.ecr.create_repository_creation_template(prefix=f"made-{number}", appliedFor=["CREATE_ON_PUSH"])



# Of five items each: what makes them, how they are listed, and where they are in the answer.
PAGED = {
    "describe-images": (make_images, HERE, "imageDetails"),
    "list-images": (make_images, HERE, "imageIds"),
    "describe-repositories": (make_repositories, (), "repositories"),
    "describe-pull-through-cache-rules": (make_rules, (), "pullThroughCacheRules"),
    "describe-repository-creation-templates": (make_templates, (), "repositoryCreationTemplates"),
}
# There are never any findings; the preview's pages have a test of their own below.
OF_NOTHING = {"describe-image-scan-findings", "get-lifecycle-policy-preview"}


def test_every_paginator_has_a_case():
    paged = {name for name, command in command_table().items() if "starting-token" in getattr(command, "arg_table", {})}
    assert paged == set(PAGED) | OF_NOTHING


def walk(cli, command, arguments, members):
    """All of it in one call; the same from pages of two; and by --max-items, each call going on where the last ended."""
    everything = cli(command, *arguments)[members]
    assert cli(command, *arguments, "--page-size", 2)[members] == everything
    pieces, more = [], ()
    while True:
        answer = cli(command, *arguments, "--page-size", 2, "--max-items", 3, *more)
        pieces.append(answer[members])
        if "NextToken" not in answer:
            break
        more = ("--starting-token", answer["NextToken"])
    return everything, pieces


@pytest.mark.parametrize("command", PAGED)
def test_pages(cli, command):
    make, arguments, members = PAGED[command]
    make(cli)
    everything, pieces = walk(cli, command, arguments, members)
    assert [len(piece) for piece in pieces] == [3, 2]
    assert sum(pieces, []) == everything


def test_pages_of_a_preview(cli):
    make_images(cli)
    cli.ecr.start_lifecycle_policy_preview(repositoryName=REPOSITORY, lifecyclePolicyText=LIFECYCLE)
    cli("wait", "lifecycle-policy-preview-complete", *HERE)
    everything, pieces = walk(cli, "get-lifecycle-policy-preview", HERE, "previewResults")
    assert [len(piece) for piece in pieces] == [3, 1]
    assert sum(pieces, []) == everything


def test_pages_of_findings(cli):
    scan(cli)
    answer = cli("describe-image-scan-findings", *HERE, *V1, "--page-size", 2, "--max-items", 3)
    assert answer["imageScanStatus"]["status"] == "FAILED" and "NextToken" not in answer


def test_a_starting_token_that_was_altered(cli):
    make_images(cli)
    token = cli("list-images", *HERE, "--page-size", 2, "--max-items", 2)["NextToken"]
    inner = json.loads(base64.b64decode(token))
    inner["nextToken"] = inner["nextToken"][:-1] + ("A" if inner["nextToken"][-1] != "A" else "B")
    altered = base64.b64encode(json.dumps(inner).encode()).decode()
    assert "InvalidParameterException" in cli.refused("list-images", *HERE, "--starting-token", altered)
