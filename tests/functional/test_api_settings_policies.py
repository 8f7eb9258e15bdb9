"""Repository, registry and lifecycle policies (ecr-behaviour 2.5, 2.6, 4, 7), through the SDK."""

import json

import pytest
from support import shapes
from support.api import call
from support.aws import refused
from support.refusals import ACCOUNT, invalid, not_found

PULL = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{
        "Sid": "pull", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::123456789012:root", "210987654321"]},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-1", "o-2"]}}}]}, indent=2)


def statement(**members):
    return json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:*"} | members})


# -- of a repository ----------------------------------------------------------------------------------------------------

def no_policy(repository):
    return (
        f"Repository policy does not exist for the repository with name '{repository}' in the registry with id "
        f"'{ACCOUNT}'")


def test_a_repository_policy_comes_and_goes(ecr, repository):
    expected = {"registryId": ACCOUNT, "repositoryName": repository, "policyText": PULL}

    def answer(operation, **arguments):
        found = operation(repositoryName=repository, **arguments)
        found.pop("ResponseMetadata")
        return found

    for operation in (ecr.get_repository_policy, ecr.delete_repository_policy):
        with refused("RepositoryPolicyNotFoundException") as error:
            operation(repositoryName=repository)
        assert error.message == no_policy(repository)
    assert answer(ecr.set_repository_policy, policyText=PULL) == expected
    assert answer(ecr.get_repository_policy) == expected
    other = statement()
    assert answer(ecr.set_repository_policy, policyText=other)["policyText"] == other
    assert answer(ecr.delete_repository_policy)["policyText"] == other
    with refused("RepositoryPolicyNotFoundException"):
        ecr.get_repository_policy(repositoryName=repository)


def test_a_repository_policy_needs_its_repository(ecr):
    for operation, arguments in (
            (ecr.set_repository_policy, {"policyText": PULL}), (ecr.get_repository_policy, {}),
            (ecr.delete_repository_policy, {})):
        with refused("RepositoryNotFoundException") as error:
            operation(repositoryName="no/such", **arguments)
        assert error.message == not_found("no/such")


def test_policies_go_with_their_repository(ecr, repository):
    ecr.set_repository_policy(repositoryName=repository, policyText=PULL)
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=policy(rule()))
    ecr.create_repository(repositoryName="other")
    ecr.set_repository_policy(repositoryName="other", policyText=PULL)
    ecr.delete_repository(repositoryName=repository)
    ecr.create_repository(repositoryName=repository)
    with refused("RepositoryPolicyNotFoundException"):
        ecr.get_repository_policy(repositoryName=repository)
    with refused("LifecyclePolicyNotFoundException"):
        ecr.get_lifecycle_policy(repositoryName=repository)
    assert ecr.get_repository_policy(repositoryName="other")["policyText"] == PULL


GOOD_POLICIES = {
    "one statement": statement(),
    "any case": statement(Action="ECR:putimage"),
    "all actions": statement(Action="*"),
    "without operation": statement(Action=["ecr:ReplicateImage", "ecr:BatchImportUpstreamImage"]),
    "service": statement(Principal={"Service": "lambda.amazonaws.com"}),
    "not": json.dumps({"Statement": [{
        "Effect": "Deny", "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "NotAction": "ecr:PutImage",
        "NotResource": "*", "Condition": {"Bool": {"aws:SecureTransport": False}}}]}),
    "resource": statement(Resource="*"),
    "old": json.dumps({"Version": "2008-10-17", "Id": "x", "Statement": [json.loads(statement())["Statement"]] * 2}),
    "unique id": statement(Principal={"AWS": "AIDACKCEVSQ6C2EXAMPLE"}),
    "role": statement(Principal={"AWS": "arn:aws:sts::123456789012:assumed-role/ci/me"}),
}
BAD_POLICIES = {
    "empty": "", "no JSON": "{", "no object": "[]", "no statement": "{}",
    "no statements": '{"Statement": []}',
    "version": json.dumps(json.loads(statement()) | {"Version": "2012-10-18"}),
    "element": json.dumps(json.loads(statement()) | {"Statements": []}),
    "effect": statement(Effect="allow"), "no effect": statement(Effect=None), "no action": statement(Action=None),
    "no principal": statement(Principal=None), "unknown action": statement(Action="ecr:PushImage"),
    "other service": statement(Action=["ecr:PutImage", "s3:GetObject"]), "no actions": statement(Action=[]),
    "both": statement(NotAction="ecr:PutImage"), "principal text": statement(Principal="me"),
    "principal kind": statement(Principal={"Aws": "*"}), "principal form": statement(Principal={"AWS": "me"}),
    "nobody": statement(Principal={}), "statement element": statement(Actions="x"), "sid": statement(Sid=1),
    "condition": statement(Condition=[]), "condition value": statement(Condition={"StringEquals": {"a": {}}}),
    "operator": statement(Condition={"StringSame": {"a": "b"}}),
    "date": statement(Condition={"DateLessThan": {"aws:CurrentTime": "tomorrow"}}),
    "range": statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}),
    "text statement": '{"Statement": "x"}',
}


@pytest.mark.parametrize("case", GOOD_POLICIES)
def test_good_policies(ecr, repository, case):
    text = GOOD_POLICIES[case]
    assert ecr.set_repository_policy(repositoryName=repository, policyText=text)["policyText"] == text
    assert ecr.put_registry_policy(policyText=text)["policyText"] == text


@pytest.mark.parametrize("case", BAD_POLICIES)
def test_bad_policies(ecr, repository, case):
    text = BAD_POLICIES[case]
    with refused("InvalidParameterException") as error:
        ecr.set_repository_policy(repositoryName=repository, policyText=text)
    assert error.message == invalid("PolicyText", "Invalid repository policy provided")
    with refused("InvalidParameterException") as error:
        ecr.put_registry_policy(policyText=text)
    assert error.message == invalid("PolicyText", "Invalid registry policy provided")
    for operation in (lambda: ecr.get_repository_policy(repositoryName=repository), ecr.get_registry_policy):
        with pytest.raises(Exception, match="PolicyNotFound"):
            operation()


def test_policy_texts_have_a_length(unchecked_ecr, repository):
    for operation in (
            lambda text: unchecked_ecr.set_repository_policy(repositoryName=repository, policyText=text),
            lambda text: unchecked_ecr.put_registry_policy(policyText=text)):
        operation(statement() + " " * (10240 - len(statement())))
        with refused("InvalidParameterException") as error:
            operation(statement() + " " * (10241 - len(statement())))
        assert error.message == invalid("policyText", "Member must have length less than or equal to 10240")


LOCK_OUTS = (
    statement(Effect="Deny"), statement(Effect="Deny", Action="ecr:Set*"),
    statement(Effect="Deny", Principal={"AWS": ACCOUNT}),
    statement(Effect="Deny", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Action=["ecr:setrepositorypolicy"]),
    statement(Effect="Deny", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),
    statement(Effect="Deny", Condition={"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"},
                                        "NumericGreaterThan": {"aws:EpochTime": 1577836800},
                                        "StringEquals": {"aws:RequestedRegion": "us-east-1",
                                                         "aws:PrincipalAccount": ACCOUNT},
                                        "StringLike": {"aws:UserAgent": "Boto3/*"}}),
    json.dumps({"Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": "123456789012"}, "NotAction": "ecr:PutImage"}}))
NO_LOCK_OUTS = (
    statement(Effect="Deny", Action="ecr:PutImage"), statement(Effect="Deny", Principal={"AWS": "123456789012"}),
    statement(Effect="Deny", Condition={"Bool": {"aws:SecureTransport": "false"}}),
    statement(Effect="Deny", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
    statement(Effect="Deny", Resource="arn:aws:ecr:*:*:repository/another"),
    statement(Effect="Deny", Principal={"Service": "lambda.amazonaws.com"}))


@pytest.mark.parametrize("text", LOCK_OUTS)
def test_locking_oneself_out_needs_force(ecr, repository, text):
    with refused("InvalidParameterException") as error:
        ecr.set_repository_policy(repositoryName=repository, policyText=text)
    assert error.message == invalid("PolicyText", "Invalid repository policy provided")
    assert ecr.set_repository_policy(repositoryName=repository, policyText=text, force=True)["policyText"] == text


@pytest.mark.parametrize("text", NO_LOCK_OUTS)
def test_denying_others_needs_no_force(ecr, repository, text):
    ecr.set_repository_policy(repositoryName=repository, policyText=text)


# -- of the registry ----------------------------------------------------------------------------------------------------

def test_a_registry_policy_comes_and_goes(drydock, ecr):
    for operation in (ecr.get_registry_policy, ecr.delete_registry_policy):
        with refused("RegistryPolicyNotFoundException") as error:
            operation()
        assert error.message == f"Registry policy does not exist in the registry with id '{ACCOUNT}'"
    for operation in (lambda: ecr.put_registry_policy(policyText=PULL), ecr.get_registry_policy):
        answer = operation()
        assert (answer["registryId"], answer["policyText"]) == (ACCOUNT, PULL)
        assert "repositoryName" not in answer
    for other in (drydock.ecr(region="eu-west-1"), drydock.ecr(access_key="123456789012")):
        with refused("RegistryPolicyNotFoundException"):
            other.get_registry_policy()
    assert ecr.delete_registry_policy()["policyText"] == PULL
    with refused("RegistryPolicyNotFoundException"):
        ecr.get_registry_policy()


def test_policies_survive_a_restart(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    ecr = server.ecr()
    ecr.create_repository(repositoryName="app")
    ecr.put_registry_policy(policyText=PULL)
    ecr.put_lifecycle_policy(repositoryName="app", lifecyclePolicyText=policy(rule()))
    server.restart(kill=True)
    ecr = server.ecr()
    assert ecr.get_registry_policy()["policyText"] == PULL
    assert ecr.get_lifecycle_policy(repositoryName="app")["lifecyclePolicyText"] == policy(rule())


# -- lifecycle policies -------------------------------------------------------------------------------------------------

def rule(priority=1, action="expire", target=None, description="a description that makes the text long enough", **selection):
    chosen = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}
    chosen = {name: value for name, value in (chosen | selection).items() if value is not None}
    doing = {"type": action} | ({"targetStorageClass": target} if target else {})
    return {"rulePriority": priority, "description": description, "selection": chosen, "action": doing}


def tagged(priority=1, prefixes=None, patterns=None, **selection):
    lists = {"tagPrefixList": prefixes, "tagPatternList": patterns}
    return rule(priority, tagStatus="tagged", **(lists | selection))


def any_image(priority=1, **selection):
    return rule(priority, tagStatus="any", **selection)


COUNT = {"countType": "imageCountMoreThan", "countUnit": None}
ARCHIVED = {"storageClass": "archive", "countType": "sinceImageTransitioned", "countNumber": 90}


def policy(*rules):
    return json.dumps({"rules": rules})


def test_a_lifecycle_policy_comes_and_goes(ecr, repository):
    text = policy(rule())
    for operation in (ecr.get_lifecycle_policy, ecr.delete_lifecycle_policy):
        with refused("LifecyclePolicyNotFoundException") as error:
            operation(repositoryName=repository)
        assert error.message == (
            f"Lifecycle policy does not exist for the repository with name '{repository}' in the registry with id "
            f"'{ACCOUNT}'")
        with refused("RepositoryNotFoundException"):
            operation(repositoryName="no/such")
    with refused("RepositoryNotFoundException"):
        ecr.put_lifecycle_policy(repositoryName="no/such", lifecyclePolicyText=text)
    answer = ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    assert {name: answer[name] for name in answer if name != "ResponseMetadata"} == {
        "registryId": ACCOUNT, "repositoryName": repository, "lifecyclePolicyText": text}
    for operation in (ecr.get_lifecycle_policy, ecr.delete_lifecycle_policy):
        answer = operation(repositoryName=repository)
        assert answer["lifecyclePolicyText"] == text
        assert shapes.seconds(answer["lastEvaluatedAt"]) == 0
    with refused("LifecyclePolicyNotFoundException"):
        ecr.get_lifecycle_policy(repositoryName=repository)


GOOD_LIFECYCLES = {
    "patterns": [tagged(patterns=["prod*", "*a*b*c*"])],
    "prefixes": [tagged(1, ["prod"]), tagged(2, ["prod", "eu"]), tagged(3, None, ["prod"]), any_image(9, **COUNT)],
    "file order": [any_image(50, **COUNT), tagged(7, ["x"])],
    "pulled": [rule(action="transition", target="archive", countType="sinceImagePulled")],
    "archive, then delete": [
        any_image(1) | {"action": {"type": "transition", "targetStorageClass": "archive"}}, any_image(2, **ARCHIVED)],
    "untagged twice": [rule(1), rule(2, **ARCHIVED)],
    "standard": [rule(storageClass="standard")],
    "fifty": [tagged(i, [f"tag-{i}"]) for i in range(1, 51)],
}


@pytest.mark.parametrize("case", GOOD_LIFECYCLES)
def test_good_lifecycle_policies(ecr, repository, case):
    text = policy(*GOOD_LIFECYCLES[case])
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    assert ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"] == text


NO_SCHEMA = "instance failed to match exactly one schema (matched 0 out of 2)"
MUST_SPECIFY = "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."


def without(name, of=None):
    whole = rule()
    part = whole[of] if of else whole
    del part[name]
    return [whole]


BAD_LIFECYCLES = {
    "no rules": ("{}" + " " * 100, 'object has missing required properties (["rules"])'),
    "no JSON": ("{" * 100, "Could not map policyString into LifecyclePolicy."),
    "no object": ("[]" + " " * 100, "Could not map policyString into LifecyclePolicy."),
    "rules": ('{"rules": "x"}' + " " * 100,
              'instance type (string) does not match any allowed primitive type (allowed: ["array"])'),
    "empty": ('{"rules": []}' + " " * 100,
              "array is too short: must have at least 1 elements but instance has 0 elements"),
    "empty rule": (policy({}) + " " * 100,
                   'object has missing required properties (["action","rulePriority","selection"])'),
    "no action": (policy(*without("action")), 'object has missing required properties (["action"])'),
    "no count": (policy(*without("countNumber", "selection")),
                 'object has missing required properties (["countNumber"])'),
    "unknown": (policy(rule() | {"foo": 1}),
                'object instance has properties which are not allowed by the schema: ["foo"]'),
    "unknown in selection": (policy(rule(foo=1)),
                             'object instance has properties which are not allowed by the schema: ["foo"]'),
    "status": (policy(rule(tagStatus="x")),
               'instance value ("x") not found in enum (possible values: ["any","tagged","untagged"])'),
    "action": (policy(rule(action="delete")),
               'instance value ("delete") not found in enum (possible values: ["expire","transition"])'),
    "class": (policy(rule(storageClass="cold")),
              'instance value ("cold") not found in enum (possible values: ["archive","standard"])'),
    "priority": (policy(rule("1")),
                 'instance type (string) does not match any allowed primitive type (allowed: ["integer"])'),
    "priority 0": (policy(rule(0)), "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
    "description": (policy(rule(description=5) | {}) + " " * 100,
                    'instance type (integer) does not match any allowed primitive type (allowed: ["string"])'),
    "half": (policy(rule(countNumber=1.5)),
             'instance type (number) does not match any allowed primitive type (allowed: ["integer"])'),
    "32": (policy(rule(countNumber=0)), "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
    "count type": (policy(rule(countType="x")), NO_SCHEMA),
    "30": (policy(rule(countType="imageCountMoreThan")), NO_SCHEMA),
    "31": (policy(rule(countUnit=None)), NO_SCHEMA),
    "unit": (policy(rule(countUnit="hours")), NO_SCHEMA),
    "null target": (policy(rule() | {"action": {"type": "expire", "targetStorageClass": None}}), NO_SCHEMA),
    "36": (policy(rule(action="transition")), NO_SCHEMA),
    "25": (policy(rule(1), rule(2)), "Only one rule can select Untagged images per storage class."),
    "26": (policy(any_image(1), tagged(2, ["x"])),
           "Rule for tagStatus=ANY must have the lowest priority per storage class"),
    "two any": (policy(any_image(1), any_image(2)),
                "Rule for tagStatus=ANY must have the lowest priority per storage class"),
    "27": (policy(tagged()), MUST_SPECIFY),
    "empty list": (policy(tagged(prefixes=[])), MUST_SPECIFY),
    "28": (policy(tagged(prefixes=["a"], patterns=["b"])),
           "Only one of tagPrefixList and tagPatternList can be specified."),
    "list of untagged": (policy(rule(tagPrefixList=["a"])),
                         "tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED."),
    "29": (policy(tagged(patterns=["a*b*c*d*e*f"])), "Entries of tagPatternList can have at most 4 wildcards (*)."),
    "33": (policy(tagged(1, ["a"]), tagged(1, ["b"])), "Rules must have unique priorities."),
    "same prefixes": (policy(tagged(1, ["a", "b"]), tagged(2, ["b", "a", "a"])),
                      "Rules must have unique tagPrefixList or tagPatternList per storage class."),
    "34": (policy(rule(countType="sinceImagePulled")),
           "countType=sinceImagePulled can only be used with action type transition."),
    "35": (policy(rule(**(ARCHIVED | {"countNumber": 89}))),
           "countNumber must be at least 90 when countType=sinceImageTransitioned."),
    "37": (policy(rule(**(ARCHIVED | {"storageClass": None}))),
           "countType=sinceImageTransitioned can only be used with storageClass=archive."),
    "pushed in archive": (policy(rule(storageClass="archive")),
                          "storageClass=archive can only be used with countType=sinceImageTransitioned."),
    "transition of archived": (policy(rule(action="transition", target="archive", **ARCHIVED)),
                               "countType=sinceImageTransitioned can only be used with action type expire."),
    "51 rules": (policy(*[tagged(i, [f"tag-{i}"]) for i in range(1, 52)]),
                 "array is too long: must have at most 50 elements but instance has 51 elements"),
}


@pytest.mark.parametrize("case", BAD_LIFECYCLES)
def test_bad_lifecycle_policies(ecr, repository, case):
    text, why = BAD_LIFECYCLES[case]
    with refused("InvalidParameterException") as error:
        ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    assert error.message == invalid("LifecyclePolicyText", f"Lifecycle policy validation failure: {why}")
    with refused("LifecyclePolicyNotFoundException"):
        ecr.get_lifecycle_policy(repositoryName=repository)


@pytest.mark.parametrize(("length", "limit"), [(0, "greater than or equal to 100"), (99, "greater than or equal to 100"),
                                               (30721, "less than or equal to 30720")])
def test_lifecycle_texts_have_a_length(drydock, repository, length, limit):
    text = (policy(rule(description=None)) + " " * length)[:length]
    answer = call(drydock, "PutLifecyclePolicy", {"repositoryName": repository, "lifecyclePolicyText": text})
    assert (answer.code, answer.message) == (
        "InvalidParameterException", invalid("lifecyclePolicyText", f"Member must have length {limit}"))


def test_fewer_rules_where_the_quota_says_so(make_server):
    ecr = make_server("--quota", "lifecycle-rules=2").ecr()
    ecr.create_repository(repositoryName="app")
    ecr.put_lifecycle_policy(repositoryName="app", lifecyclePolicyText=policy(rule(1), tagged(2, ["a"])))
    with refused("InvalidParameterException"):
        ecr.put_lifecycle_policy(
            repositoryName="app", lifecyclePolicyText=policy(rule(1), tagged(2, ["a"]), tagged(3, ["b"])))
