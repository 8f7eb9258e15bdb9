"""Settings of a registry: scanning, replication, signing, account settings, exclusions (ecr-behaviour 2.7 to 2.12)."""

import pytest
from support import shapes
from support.api import call, pages
from support.aws import refused
from support.images import oci_image
from support.refusals import ACCOUNT, invalid

SCAN_PROD = {"filter": "prod", "filterType": "WILDCARD"}


def body(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


# -- scanning -----------------------------------------------------------------------------------------------------------

def test_the_scanning_configuration_is_kept(drydock, ecr):
    assert body(ecr.get_registry_scanning_configuration()) == {
        "registryId": ACCOUNT, "scanningConfiguration": {"scanType": "BASIC", "rules": []}}
    wanted = {"scanType": "ENHANCED", "rules": [
        {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [SCAN_PROD, {"filter": "*", "filterType": "WILDCARD"}]},
        {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": []}]}
    assert body(ecr.put_registry_scanning_configuration(**wanted)) == {"registryScanningConfiguration": wanted}
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"] == wanted
    other = drydock.ecr(region="eu-west-1")
    assert other.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "BASIC"
    assert body(ecr.put_registry_scanning_configuration()) == {
        "registryScanningConfiguration": {"scanType": "BASIC", "rules": []}}


@pytest.mark.parametrize(("kind", "frequency", "allowed"), [
    ("BASIC", "CONTINUOUS_SCAN", "[SCAN_ON_PUSH, MANUAL] when scanType is BASIC"),
    ("ENHANCED", "MANUAL", "[SCAN_ON_PUSH, CONTINUOUS_SCAN] when scanType is ENHANCED")])
def test_frequencies_of_the_other_type(ecr, kind, frequency, allowed):
    with refused("InvalidParameterException") as error:
        ecr.put_registry_scanning_configuration(
            scanType=kind, rules=[{"scanFrequency": frequency, "repositoryFilters": [SCAN_PROD]}])
    assert error.message == invalid("scanFrequency", f"Member must satisfy enum value set: {allowed}")


def test_three_scanning_rules(drydock):
    rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [SCAN_PROD]}
    answer = call(drydock, "PutRegistryScanningConfiguration", {"rules": [rule] * 3})
    assert (answer.code, answer.message) == (
        "InvalidParameterException", invalid("rules", "Member must have length less than or equal to 2"))


def test_what_the_model_does_not_know_is_not_kept(drydock, ecr):
    rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [SCAN_PROD | {"more": 1}], "more": {}, "x": None}
    call(drydock, "PutRegistryScanningConfiguration", {"scanType": None, "rules": [rule], "more": []})
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"] == {
        "scanType": "BASIC", "rules": [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [SCAN_PROD]}]}


NAMES = ("prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo")
TRUTH = {"prod": "YYYYY", "*prod": "YYNNN", "prod*": "YNYNY", "*prod*": "YYYYY", "prod*repo": "NNYNY"}


@pytest.mark.parametrize("text", TRUTH)
def test_scanning_filters(ecr, text):
    """The truth table of the user guide."""
    for name in NAMES:
        ecr.create_repository(repositoryName=name)
    filters = [{"filter": text, "filterType": "WILDCARD"}]
    ecr.put_registry_scanning_configuration(
        scanType="BASIC", rules=[{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters}])
    answer = ecr.batch_get_repository_scanning_configuration(repositoryNames=list(NAMES))
    assert answer["failures"] == []
    for name, expected, found in zip(NAMES, TRUTH[text], answer["scanningConfigurations"], strict=True):
        matches = expected == "Y"
        assert found == {
            "repositoryArn": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}", "repositoryName": name,
            "scanOnPush": matches, "scanFrequency": "SCAN_ON_PUSH" if matches else "MANUAL",
            "appliedScanFilters": filters if matches else []}


def test_continuous_beats_on_push(ecr, repository):
    rules = [{"scanFrequency": frequency, "repositoryFilters": [{"filter": text, "filterType": "WILDCARD"}]}
             for frequency, text in (("CONTINUOUS_SCAN", "*app"), ("SCAN_ON_PUSH", "team"))]
    for order in (rules, rules[::-1]):
        ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=order)
        found = ecr.batch_get_repository_scanning_configuration(repositoryNames=[repository])
        found = found["scanningConfigurations"][0]
        assert found["scanFrequency"] == "CONTINUOUS_SCAN"
        assert found["appliedScanFilters"] == [{"filter": "*app", "filterType": "WILDCARD"}]


def test_scan_on_push_of_the_repository(ecr, repository):
    ecr.put_image_scanning_configuration(repositoryName=repository, imageScanningConfiguration={"scanOnPush": True})
    answer = ecr.batch_get_repository_scanning_configuration(repositoryNames=["no/such", repository])
    found = answer["scanningConfigurations"]
    assert [(one["scanOnPush"], one["scanFrequency"]) for one in found] == [(True, "SCAN_ON_PUSH")]
    assert answer["failures"] == [{
        "repositoryName": "no/such", "failureCode": "REPOSITORY_NOT_FOUND",
        "failureReason": f"The repository with name 'no/such' does not exist in the registry with id '{ACCOUNT}'"}]
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[])
    found = ecr.batch_get_repository_scanning_configuration(repositoryNames=[repository])["scanningConfigurations"]
    assert found[0]["scanFrequency"] == "MANUAL"


def test_26_names(unchecked_ecr):
    with refused("InvalidParameterException") as error:
        unchecked_ecr.batch_get_repository_scanning_configuration(repositoryNames=["app"] * 26)
    assert error.message == invalid("repositoryNames", "Member must have length less than or equal to 25")


# -- replication --------------------------------------------------------------------------------------------------------

def to(region, account=ACCOUNT):
    return {"region": region, "registryId": account}


def replicate(*destinations, filters=None):
    listed = {"repositoryFilters": [{"filter": text, "filterType": "PREFIX_MATCH"} for text in filters]} if filters else {}
    return {"rules": [{"destinations": list(destinations)} | listed]}


def test_the_replication_configuration_is_kept(drydock, ecr):
    assert body(ecr.describe_registry()) == {"registryId": ACCOUNT, "replicationConfiguration": {"rules": []}}
    wanted = replicate(to("eu-west-1"), to("us-east-1", "123456789012"), filters=["prod/", "team"])
    assert body(ecr.put_replication_configuration(replicationConfiguration=wanted)) == {
        "replicationConfiguration": wanted}
    assert ecr.describe_registry()["replicationConfiguration"] == wanted
    assert drydock.ecr(region="eu-west-1").describe_registry()["replicationConfiguration"] == {"rules": []}
    ecr.put_replication_configuration(replicationConfiguration={"rules": []})
    assert ecr.describe_registry()["replicationConfiguration"] == {"rules": []}


def test_replication_to_oneself(ecr):
    with refused("InvalidParameterException") as error:
        ecr.put_replication_configuration(replicationConfiguration=replicate(to("eu-west-1"), to("us-east-1")))
    assert error.message == invalid(
        "replicationConfiguration", "Replication destination cannot be the same as the source registry")
    assert ecr.describe_registry()["replicationConfiguration"] == {"rules": []}


def test_25_destinations(ecr):
    many = [to("eu-west-1", f"{i:012}") for i in range(1, 27)]
    ecr.put_replication_configuration(replicationConfiguration=replicate(*many[:25], *many[:25]))
    with refused("InvalidParameterException") as error:
        ecr.put_replication_configuration(replicationConfiguration=replicate(*many))
    assert error.message == invalid(
        "replicationConfiguration",
        "The maximum number of unique destinations across all replication rules (25) has been reached")


@pytest.mark.parametrize(("rules", "member", "text"), [
    ([{"destinations": []}] * 11, "replicationConfiguration.rules",
     "Member must have length less than or equal to 10"),
    ([{}], "replicationConfiguration.rules.1.member.destinations", "Member must not be null"),
    (None, "replicationConfiguration.rules", "Member must not be null")])
def test_bad_replication(drydock, rules, member, text):
    answer = call(drydock, "PutReplicationConfiguration", {"replicationConfiguration": {"rules": rules}})
    assert (answer.code, answer.message) == ("InvalidParameterException", invalid(member, text))


# -- signing ------------------------------------------------------------------------------------------------------------

def profile(region="us-east-1"):
    return f"arn:aws:signer:{region}:123456789012:/signing-profiles/mine"


def test_the_signing_configuration_is_kept(ecr):
    for operation in (ecr.get_signing_configuration, ecr.delete_signing_configuration):
        with refused("SigningConfigurationNotFoundException") as error:
            operation()
        assert error.message == f"Signing configuration does not exist in the registry with id '{ACCOUNT}'"
    wanted = {"rules": [
        {"signingProfileArn": profile(), "repositoryFilters": [{"filter": "*/prod*", "filterType": "WILDCARD_MATCH"}]},
        {"signingProfileArn": profile()}]}
    assert body(ecr.put_signing_configuration(signingConfiguration=wanted)) == {"signingConfiguration": wanted}
    for operation in (ecr.get_signing_configuration, ecr.delete_signing_configuration):
        assert body(operation()) == {"registryId": ACCOUNT, "signingConfiguration": wanted}
    with refused("SigningConfigurationNotFoundException"):
        ecr.get_signing_configuration()


def test_signing_profiles_of_another_region(ecr):
    with refused("InvalidParameterException") as error:
        ecr.put_signing_configuration(signingConfiguration={"rules": [{"signingProfileArn": profile("eu-west-1")}]})
    assert error.message == invalid("signingProfileArn", "Signing profile must be in the region us-east-1")


def test_eleven_signing_rules(unchecked_ecr):
    with refused("InvalidParameterException") as error:
        unchecked_ecr.put_signing_configuration(
            signingConfiguration={"rules": [{"signingProfileArn": profile()}] * 11})
    assert error.message == invalid(
        "signingConfiguration.rules", "Member must have length less than or equal to 10")


# -- account settings ---------------------------------------------------------------------------------------------------

SETTINGS = {"BASIC_SCAN_TYPE_VERSION": ["AWS_NATIVE"], "REGISTRY_POLICY_SCOPE": ["V2"],
            "BLOB_MOUNTING": ["DISABLED", "ENABLED"]}


@pytest.mark.parametrize("name", SETTINGS)
def test_account_settings(drydock, ecr, name):
    assert body(ecr.get_account_setting(name=name)) == {"name": name, "value": SETTINGS[name][0]}
    for value in reversed(SETTINGS[name]):
        assert body(ecr.put_account_setting(name=name, value=value)) == {"name": name, "value": value}
        assert ecr.get_account_setting(name=name)["value"] == value
    ecr.put_account_setting(name=name, value=SETTINGS[name][-1])
    assert drydock.ecr(region="eu-west-1").get_account_setting(name=name)["value"] == SETTINGS[name][0]
    with refused("InvalidParameterException") as error:
        ecr.put_account_setting(name=name, value="CLAIR")
    assert error.message == invalid("value", f"Member must satisfy enum value set: [{', '.join(SETTINGS[name])}]")


def test_unknown_account_settings(ecr):
    for operation, arguments in ((ecr.get_account_setting, {}), (ecr.put_account_setting, {"value": "ENABLED"})):
        with refused("InvalidParameterException") as error:
            operation(name="BLOB_MOUNTINGS", **arguments)
        assert error.message == invalid(
            "name", "Member must satisfy enum value set: "
            "[BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE, BLOB_MOUNTING]")


# -- pull-time update exclusions ----------------------------------------------------------------------------------------

def principal(name):
    return f"arn:aws:iam::{ACCOUNT}:role/ci/{name}"


def test_exclusions_come_and_go(drydock, ecr):
    drydock.set_clock("2026-03-01T12:00:00Z")
    answer = ecr.register_pull_time_update_exclusion(principalArn=principal("a"))
    assert answer["principalArn"] == principal("a")
    assert 1772366400 <= shapes.seconds(answer["createdAt"]) < 1772366460
    with refused("ExclusionAlreadyExistsException") as error:
        ecr.register_pull_time_update_exclusion(principalArn=principal("a"))
    assert error.message == (
        f"The pull time update exclusion for '{principal('a')}' already exists in the registry with id '{ACCOUNT}'")
    assert ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == [principal("a")]
    assert body(ecr.deregister_pull_time_update_exclusion(principalArn=principal("a"))) == {
        "principalArn": principal("a")}
    with refused("ExclusionNotFoundException") as error:
        ecr.deregister_pull_time_update_exclusion(principalArn=principal("a"))
    assert error.message == (
        f"The pull time update exclusion for '{principal('a')}' does not exist in the registry with id '{ACCOUNT}'")
    assert ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == []


def test_a_hundred_exclusions(ecr):
    everybody = [principal(f"{i:03}") for i in range(100)]
    for one in reversed(everybody):
        ecr.register_pull_time_update_exclusion(principalArn=one)
    with refused("LimitExceededException") as error:
        ecr.register_pull_time_update_exclusion(principalArn=principal("more"))
    assert error.message == (
        "The maximum number of pull time update exclusions per registry (100) has been reached")
    for size, lengths in ((1000, [100]), (40, [40, 40, 20])):
        found = list(pages(ecr.list_pull_time_update_exclusions, "pullTimeUpdateExclusions", maxResults=size))
        assert [len(page) for page in found] == lengths
        assert sum(found, []) == everybody
    with refused("InvalidParameterException") as error:
        ecr.list_pull_time_update_exclusions(nextToken="AAAA")
    assert error.message == invalid("NextToken", "Invalid next token provided")
    ecr.deregister_pull_time_update_exclusion(principalArn=everybody[0])
    ecr.register_pull_time_update_exclusion(principalArn=principal("more"))


def test_blob_mounting_is_obeyed(ecr, registry):
    for name in ("from", "to"):
        ecr.create_repository(repositoryName=name)
    image = oci_image()
    registry.push_image("from", image, "v1")
    mount = {"mount": image.layers[0].digest, "from": "from"}
    assert registry.start_upload("to", **mount).status_code == 202
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    assert registry.start_upload("to", **mount).status_code == 201
    ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
    assert registry.start_upload("to", **mount).status_code == 202
