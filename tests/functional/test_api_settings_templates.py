"""Repository creation templates and pull through cache rules (ecr-behaviour 2.9, 2.10, 8.1, 8.3), through the SDK."""

import json

import pytest
from support import shapes
from support.api import call, pages
from support.aws import refused
from support.images import oci_image
from support.refusals import ACCOUNT, invalid
from support.registry import error_of

NOW = 1772366400
ROLE = f"arn:aws:iam::{ACCOUNT}:role/templates"
POLICY = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}})
LIFECYCLE = json.dumps({"rules": [{"rulePriority": 1, "selection": {
    "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}}]})
DEFAULTS = {"encryptionConfiguration": {"encryptionType": "AES256"}, "imageTagMutability": "MUTABLE"}
WHOLE = {
    "description": "what the team pushes", "encryptionConfiguration": {
        "encryptionType": "KMS", "kmsKey": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/abc-1"},
    "resourceTags": [{"Key": "team", "Value": "web"}], "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
    "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}], "repositoryPolicy": POLICY,
    "lifecyclePolicy": LIFECYCLE, "appliedFor": ["CREATE_ON_PUSH", "REPLICATION"], "customRoleArn": ROLE}


def template(ecr, prefix="team", applied=("CREATE_ON_PUSH",), **members):
    return ecr.create_repository_creation_template(
        prefix=prefix, appliedFor=list(applied), **members)["repositoryCreationTemplate"]


def untimed(found):
    return {name: value for name, value in found.items() if name not in ("createdAt", "updatedAt")}


def body(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_a_template_tells_all_that_it_was_told(drydock, ecr):
    drydock.set_clock("2026-03-01T12:00:00Z")
    made = ecr.create_repository_creation_template(prefix="team", **WHOLE)
    assert made["registryId"] == ACCOUNT
    found = made["repositoryCreationTemplate"]
    assert untimed(found) == {"prefix": "team"} | WHOLE
    assert NOW <= shapes.seconds(found["createdAt"]) == shapes.seconds(found["updatedAt"]) < NOW + 60
    answer = ecr.describe_repository_creation_templates(prefixes=["team"])
    assert (answer["registryId"], answer["repositoryCreationTemplates"]) == (ACCOUNT, [found])
    assert ecr.delete_repository_creation_template(prefix="team")["repositoryCreationTemplate"] == found
    assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == []


def test_a_template_has_defaults(ecr):
    assert untimed(template(ecr)) == {"prefix": "team", "appliedFor": ["CREATE_ON_PUSH"]} | DEFAULTS


def test_a_prefix_is_given_once(ecr):
    template(ecr)
    for prefix in ("team", "team/"):
        with refused("TemplateAlreadyExistsException") as error:
            template(ecr, prefix)
        assert error.message == (
            f"The repository creation template with prefix 'team' already exists in the registry with id '{ACCOUNT}'")
    for prefix in ("ROOT", "team/app", "teams/"):
        assert template(ecr, prefix)["prefix"] == prefix


def test_an_update_changes_what_it_names(drydock, ecr):
    drydock.set_clock("2026-03-01T12:00:00Z")
    template(ecr, applied=WHOLE["appliedFor"], **{name: WHOLE[name] for name in WHOLE if name != "appliedFor"})
    drydock.advance(3600)

    def update(**members):
        return ecr.update_repository_creation_template(prefix="team", **members)["repositoryCreationTemplate"]

    found = update(description="other")
    assert untimed(found) == {"prefix": "team"} | WHOLE | {"description": "other"}
    assert shapes.seconds(found["updatedAt"]) - shapes.seconds(found["createdAt"]) >= 3600
    found = update(description="", repositoryPolicy="", lifecyclePolicy="", customRoleArn="",
                   encryptionConfiguration={"encryptionType": "KMS", "kmsKey": ""}, imageTagMutability="IMMUTABLE",
                   resourceTags=[], appliedFor=["PULL_THROUGH_CACHE"])
    assert untimed(found) == {
        "prefix": "team", "encryptionConfiguration": {"encryptionType": "KMS"}, "imageTagMutability": "IMMUTABLE",
        "resourceTags": [], "appliedFor": ["PULL_THROUGH_CACHE"]}
    assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == [found]


def test_templates_that_are_not_there(ecr):
    for operation in (ecr.update_repository_creation_template, ecr.delete_repository_creation_template):
        with refused("TemplateNotFoundException") as error:
            operation(prefix="no/such")
        assert error.message == (
            f"The repository creation template with prefix 'no/such' does not exist in the registry with id "
            f"'{ACCOUNT}'")
    template(ecr)
    found = ecr.describe_repository_creation_templates(prefixes=["no/such", "team"])["repositoryCreationTemplates"]
    assert [one["prefix"] for one in found] == ["team"]


BAD_TEMPLATES = {
    "policy": ({"repositoryPolicy": "{}"}, "repositoryPolicy", "Invalid repository policy provided"),
    "lifecycle": ({"lifecyclePolicy": "{}"}, "lifecyclePolicy",
                  'Lifecycle policy validation failure: object has missing required properties (["rules"])'),
    "filters": ({"imageTagMutabilityExclusionFilters": WHOLE["imageTagMutabilityExclusionFilters"]},
                "imageTagMutabilityExclusionFilters",
                "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as MUTABLE"),
    "no filters": ({"imageTagMutability": "MUTABLE_WITH_EXCLUSION"}, "imageTagMutabilityExclusionFilters",
                   "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as "
                   "MUTABLE_WITH_EXCLUSION"),
    "tag": ({"resourceTags": [{"Key": "aws:x", "Value": ""}]}, "resourceTags",
            "Tag keys that start with aws: are reserved."),
    "description": ({"description": "x" * 257}, "description", "Member must have length less than or equal to 256"),
    "scenario": ({"appliedFor": ["PUSH"]}, "appliedFor.1.member",
                 "Member must satisfy enum value set: [REPLICATION, PULL_THROUGH_CACHE, CREATE_ON_PUSH]"),
    "no scenario": ({"appliedFor": None}, "appliedFor", "Member must not be null"),
}


@pytest.mark.parametrize("case", BAD_TEMPLATES)
def test_bad_templates(drydock, ecr, case):
    members, member, text = BAD_TEMPLATES[case]
    answer = call(drydock, "CreateRepositoryCreationTemplate",
                  {"prefix": "team", "appliedFor": ["REPLICATION"]} | members)
    assert (answer.code, answer.message) == ("InvalidParameterException", invalid(member, text))
    assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == []


def test_templates_page(ecr):
    expected = [f"team-{i:02}" for i in range(21)]
    for prefix in reversed(expected):
        template(ecr, prefix)
    found = list(pages(ecr.describe_repository_creation_templates, "repositoryCreationTemplates", maxResults=10))
    assert [len(page) for page in found] == [10, 10, 1]
    assert [one["prefix"] for page in found for one in page] == expected
    with refused("InvalidParameterException"):
        ecr.describe_repository_creation_templates(prefixes=["team"], maxResults=1)
    with refused("InvalidParameterException") as error:
        ecr.describe_repository_creation_templates(nextToken="AAAA")
    assert error.message == invalid("NextToken", "Invalid next token provided")


def test_templates_have_a_quota(make_server):
    ecr = make_server("--quota", "repository-creation-templates=1").ecr()
    template(ecr)
    with refused("LimitExceededException") as error:
        template(ecr, "other")
    assert error.message == (
        "The maximum number of repository creation templates per registry (1) has been reached")


# -- what a push makes of them ------------------------------------------------------------------------------------------

def test_a_push_makes_the_repository_of_its_template(ecr, registry):
    template(ecr, applied=WHOLE["appliedFor"], **{name: WHOLE[name] for name in WHOLE if name != "appliedFor"})
    registry.push_image("team/web/app", oci_image(), "dev-1")
    found = ecr.describe_repositories()["repositories"][0]
    assert found["repositoryName"] == "team/web/app"
    for name in ("encryptionConfiguration", "imageTagMutability", "imageTagMutabilityExclusionFilters"):
        assert found[name] == WHOLE[name]
    assert ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"] == WHOLE["resourceTags"]
    assert ecr.get_repository_policy(repositoryName="team/web/app")["policyText"] == POLICY
    assert ecr.get_lifecycle_policy(repositoryName="team/web/app")["lifecyclePolicyText"] == LIFECYCLE


def test_the_longest_prefix_wins(ecr, registry):
    template(ecr, "ROOT")
    template(ecr, "team", imageTagMutability="IMMUTABLE")
    template(ecr, "team/web/", imageTagMutability="MUTABLE_WITH_EXCLUSION",
             imageTagMutabilityExclusionFilters=WHOLE["imageTagMutabilityExclusionFilters"])
    template(ecr, "team/web/deep", applied=["REPLICATION"])
    for name in ("team/app", "team/web/app", "team/web/deep/app", "teams/app", "team"):
        registry.push_image(name, oci_image(), "v1")
    modes = {one["repositoryName"]: one["imageTagMutability"] for one in ecr.describe_repositories()["repositories"]}
    assert modes == {
        "team/app": "IMMUTABLE", "team/web/app": "MUTABLE_WITH_EXCLUSION", "team/web/deep/app": "MUTABLE_WITH_EXCLUSION",
        "teams/app": "MUTABLE", "team": "MUTABLE"}


@pytest.mark.parametrize("members", [
    {"applied": ["REPLICATION", "PULL_THROUGH_CACHE"]}, {"prefix": "teams"}, {"prefix": "team/app"},
    {"resourceTags": WHOLE["resourceTags"]}, {"encryptionConfiguration": {"encryptionType": "KMS"}}],
    ids=["not on push", "another prefix", "itself", "tags without a role", "a key without a role"])
def test_templates_that_make_nothing(ecr, registry, members):
    template(ecr, **members)
    response = registry.start_upload("team/app")
    assert response.status_code == 404
    assert error_of(response)[0] == "NAME_UNKNOWN"
    assert ecr.describe_repositories()["repositories"] == []


# -- pull through cache rules -------------------------------------------------------------------------------------------

def secret(region="us-east-1", account=ACCOUNT):
    return f"arn:aws:secretsmanager:{region}:{account}:secret:ecr-pullthroughcache/mine-AbCdEf"


def no_rule(prefix):
    return (
        f"The pull through cache rule with repository prefix '{prefix}' does not exist in the registry with id "
        f"'{ACCOUNT}'")


UPSTREAMS = {
    "public.ecr.aws": ("ecr-public", {}), "registry.k8s.io": ("k8s", {}), "quay.io": ("quay", {}),
    "registry-1.docker.io": ("docker-hub", {"credentialArn": secret()}),
    "ghcr.io": ("github-container-registry", {"credentialArn": secret()}),
    "registry.gitlab.com": ("gitlab-container-registry", {"credentialArn": secret()}),
    "mine.azurecr.io": ("azure-container-registry", {"credentialArn": secret()}),
    "cgr.dev": ("chainguard", {"credentialArn": secret()}),
    f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com": ("ecr", {}),
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com": ("ecr", {"customRoleArn": ROLE, "upstreamRepositoryPrefix": "up"}),
}


@pytest.mark.parametrize("url", UPSTREAMS)
def test_rules_for_every_upstream(ecr, url):
    name, needed = UPSTREAMS[url]
    expected = {
        "ecrRepositoryPrefix": "mine", "upstreamRegistryUrl": url, "registryId": ACCOUNT, "upstreamRegistry": name,
        "upstreamRepositoryPrefix": "ROOT"} | needed
    made = body(ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="mine", upstreamRegistryUrl=url, **needed))
    created = made.pop("createdAt")
    assert made == expected
    found = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert found == [expected | {"createdAt": created, "updatedAt": created}]
    judged = body(ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="mine"))
    assert judged.pop("isValid") is False and "does not fetch" in judged.pop("failure")
    assert judged == {key: expected[key] for key in expected if key != "upstreamRegistry"}
    gone = body(ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="mine"))
    assert gone == judged | {"createdAt": created}
    assert ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []


@pytest.mark.parametrize(("arguments", "code", "message"), [
    ({"upstreamRegistryUrl": "mcr.microsoft.com"}, "UnsupportedUpstreamRegistryException",
     "The upstream registry URL mcr.microsoft.com is invalid."),
    ({"upstreamRegistryUrl": "quay.io", "upstreamRegistry": "k8s"}, "UnsupportedUpstreamRegistryException",
     "The upstream registry URL quay.io is invalid."),
    ({"upstreamRegistryUrl": ".azurecr.io"}, "UnsupportedUpstreamRegistryException",
     "The upstream registry URL .azurecr.io is invalid."),
    ({"upstreamRegistryUrl": "ghcr.io"}, "UnsupportedUpstreamRegistryException",
     "The upstream registry URL ghcr.io requires authentication."),
    ({"upstreamRegistryUrl": "ghcr.io", "credentialArn": secret("eu-west-1")}, "UnableToAccessSecretException",
     f"The secret with ARN '{secret('eu-west-1')}' is not in the region us-east-1 of the account {ACCOUNT}"),
    ({"upstreamRegistryUrl": "ghcr.io", "credentialArn": secret(account="123456789012")},
     "UnableToAccessSecretException",
     f"The secret with ARN '{secret(account='123456789012')}' is not in the region us-east-1 of the account {ACCOUNT}"),
    ({"upstreamRegistryUrl": "123456789012.dkr.ecr.eu-west-1.amazonaws.com"}, "InvalidParameterException",
     invalid("customRoleArn", "Member must not be null when the upstream registry is of another account")),
    ({"ecrRepositoryPrefix": "ROOT", "upstreamRegistryUrl": "quay.io", "upstreamRepositoryPrefix": "up"},
     "InvalidParameterException",
     invalid("upstreamRepositoryPrefix", "Member must be ROOT when ecrRepositoryPrefix is ROOT")),
    ({"ecrRepositoryPrefix": "q", "upstreamRegistryUrl": "quay.io"}, "InvalidParameterException",
     invalid("ecrRepositoryPrefix", "Member must have length greater than or equal to 2")),
])
def test_bad_rules(unchecked_ecr, arguments, code, message):
    with refused(code) as error:
        unchecked_ecr.create_pull_through_cache_rule(**({"ecrRepositoryPrefix": "mine"} | arguments))
    assert error.message == message
    assert unchecked_ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []


def quay(ecr, prefix="quay"):
    return ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl="quay.io")


def test_rules_are_made_once(ecr):
    quay(ecr)
    for prefix in ("quay", "quay/"):
        with refused("PullThroughCacheRuleAlreadyExistsException") as error:
            quay(ecr, prefix)
        assert error.message == (
            f"The pull through cache rule with repository prefix 'quay' already exists in the registry with id "
            f"'{ACCOUNT}'")


def test_rules_that_are_not_there(ecr):
    quay(ecr)
    for operation in (
            ecr.delete_pull_through_cache_rule, ecr.validate_pull_through_cache_rule,
            lambda ecrRepositoryPrefix: ecr.update_pull_through_cache_rule(
                ecrRepositoryPrefix=ecrRepositoryPrefix, credentialArn=secret()),
            lambda ecrRepositoryPrefix: ecr.describe_pull_through_cache_rules(
                ecrRepositoryPrefixes=["quay", ecrRepositoryPrefix])):
        with refused("PullThroughCacheRuleNotFoundException") as error:
            operation(ecrRepositoryPrefix="no/such")
        assert error.message == no_rule("no/such")


def test_rules_are_updated(drydock, ecr):
    drydock.set_clock("2026-03-01T12:00:00Z")
    ecr.create_pull_through_cache_rule(
        ecrRepositoryPrefix="hub", upstreamRegistryUrl="registry-1.docker.io", credentialArn=secret())
    drydock.advance(3600)
    other = secret().replace("mine", "other")
    changed = body(ecr.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=other, customRoleArn=ROLE))
    assert shapes.seconds(changed.pop("updatedAt")) >= NOW + 3600
    assert changed == {
        "ecrRepositoryPrefix": "hub", "registryId": ACCOUNT, "credentialArn": other, "customRoleArn": ROLE,
        "upstreamRepositoryPrefix": "ROOT"}
    found = ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["hub"])["pullThroughCacheRules"][0]
    assert (found["credentialArn"], found["upstreamRegistry"]) == (other, "docker-hub")
    assert shapes.seconds(found["createdAt"]) < NOW + 60
    with refused("UnableToAccessSecretException"):
        ecr.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=secret("eu-west-1"))


def test_fifty_rules_in_pages(ecr):
    expected = [f"quay-{i:02}" for i in range(50)]
    for prefix in reversed(expected):
        quay(ecr, prefix)
    with refused("LimitExceededException") as error:
        quay(ecr, "more")
    assert error.message == "The maximum number of pull through cache rules per registry (50) has been reached"
    found = list(pages(ecr.describe_pull_through_cache_rules, "pullThroughCacheRules", maxResults=20))
    assert [len(page) for page in found] == [20, 20, 10]
    assert [one["ecrRepositoryPrefix"] for page in found for one in page] == expected
    with refused("InvalidParameterException") as error:
        ecr.describe_pull_through_cache_rules(nextToken="AAAA")
    assert error.message == invalid("NextToken", "Invalid next token provided")
