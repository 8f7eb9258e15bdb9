"""drydock policy explain: what is decided, by which statement, and why; on files and on a data folder."""

import json
import re
import subprocess

import pytest
from support.binary import SOURCE, clean_environment, find_binary

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/session"
ARN = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"


def run(*words):
    return subprocess.run(
        [find_binary(), "policy", *map(str, words)], env=clean_environment(), capture_output=True, text=True, timeout=60)


def explain(*words, principal=ROLE, action="ecr:PutImage", resource=ARN):
    done = run("explain", "--principal", principal, "--action", action, "--resource", resource, "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(*words, code=1):
    done = run(*words)
    assert done.returncode == code
    assert done.stdout == ""
    return done.stderr


@pytest.fixture
def policy(tmp_path):
    """policy(name, *statements) -> the path of a file."""
    def write(name, *statements, version="2012-10-17"):
        path = tmp_path / name
        path.write_text(json.dumps({"Version": version, "Statement": list(statements)}))
        return path
    return write


def allow(action="ecr:*", **more):
    return {"Effect": "Allow", "Action": action} | more


def test_readme_prints_what_the_program_says():
    section = (SOURCE / "README.md").read_text().split("## What policies decide, and why\n")[1].split("\n## ")[0]
    command, said = re.findall(r"^```\w*\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", f'drydock() {{ "{find_binary()}" "$@"; }}\n{command}'], cwd=SOURCE, env=clean_environment(),
        capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_usage_names_the_options_of_readme():
    section = (SOURCE / "README.md").read_text().split("## What policies decide, and why\n")[1].split("\n## ")[0]
    usage = run("explain", "--help")
    assert usage.returncode == 0
    table = set(re.findall(r"`(--[a-z-]+)", "".join(line for line in section.splitlines() if line.startswith("|"))))
    assert table == set(re.findall(r"--[a-z-]+", usage.stdout))


# -- files --------------------------------------------------------------------------------------------------------------

def test_without_policies_nothing_is_allowed():
    said = explain()
    assert (said["allowed"], said["explicitDeny"], said["source"], said["statements"]) == (False, False, "identity", [])
    assert said["principal"] == SESSION
    assert said["message"] == (
        f"User: {SESSION} is not authorized to perform: ecr:PutImage on resource: {ARN} because no identity-based policy "
        "allows the ecr:PutImage action")


def test_each_statement_and_why(policy):
    identity = policy(
        "mine.json", allow("ecr:Get*", Resource="*", Sid="Read"), allow(Resource=f"{ARN}-other"),
        allow(Resource="*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        allow(Resource="*", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}),
        {"Effect": "Allow", "NotAction": "ecr:Put*", "NotResource": "*"}, allow(Resource="*", Sid="All"))
    repository = policy(
        "repository.json", allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/other"}),
        allow(Principal={"AWS": ACCOUNT}))
    said = explain("--identity", identity, "--repository-policy", repository, "--context", "aws:SourceIp=192.0.2.1")
    assert said["allowed"] and said["source"] == "identity" and "message" not in said
    assert [one["because"] for one in said["statements"]] == [
        "its Action does not name ecr:PutImage", f"its Resource does not name {ARN}",
        'its condition IpAddress on aws:SourceIp is not met: the request says "192.0.2.1"',
        "its condition StringEquals on aws:ResourceTag/team is not met: the request has no such key "
        "(--context aws:ResourceTag/team=... gives it one)",
        "its NotAction names ecr:PutImage", "it applies", f"its Principal does not name {SESSION}",
        "it applies, but names the account, which leaves the matter to its identity policies"]
    assert [one["decides"] for one in said["statements"]] == [False] * 5 + [True] + [False] * 2
    assert [one["index"] for one in said["statements"]] == [0, 1, 2, 3, 4, 5, 0, 1]
    assert [one.get("sid") for one in said["statements"]][::5] == ["Read", "All"]
    assert said["statements"][5]["statement"] == allow(Resource="*", Sid="All")
    assert {one["policy"] for one in said["statements"]} == {str(identity), str(repository)}


def test_variables_without_a_value_are_told(policy):
    mine = policy(
        "mine.json", allow(Resource=["arn:aws:ecr:*:*:repository/other", "arn:aws:ecr:*:*:repository/${aws:username}/*"]),
        {"Effect": "Deny", "Action": "ecr:*", "NotResource": "arn:aws:ecr:*:*:repository/${aws:username}/*"},
        allow(Resource="*", Condition={"StringNotEquals": {"aws:PrincipalArn": "${aws:PrincipalTag/odd}"}}))
    said = explain("--identity", mine)
    assert [one["because"] for one in said["statements"]] == [
        f"its Resource does not name {ARN} (${{aws:username}} has no value in this request)",
        "its NotResource cannot be known (${aws:username} has no value in this request)",
        f'its condition StringNotEquals on aws:PrincipalArn is not met: the request says "{ROLE}" '
        "(${aws:PrincipalTag/odd} has no value in this request)"]


def test_a_deny_wins(policy):
    mine = policy("mine.json", allow("*", Resource="*"))
    registry = policy("registry.json", {"Effect": "Deny", "Principal": "*", "Action": "ecr:Put*", "Sid": "Frozen"})
    said = explain("--identity", mine, "--registry-policy", registry)
    assert (said["allowed"], said["explicitDeny"], said["source"]) == (False, True, "registry")
    assert said["message"].endswith(" with an explicit deny in a resource-based policy")
    assert [one["sid"] for one in said["statements"] if one["decides"]] == ["Frozen"]


def test_across_accounts(policy):
    guest = "arn:aws:iam::223456789012:user/guest"
    mine = policy("mine.json", allow(Resource="*"))
    theirs = policy("theirs.json", allow(Principal={"AWS": "223456789012"}))
    said = explain("--identity", mine, principal=guest)
    assert said["message"].endswith("because no resource-based policy allows the ecr:PutImage action")
    said = explain("--repository-policy", theirs, principal=guest)
    assert said["message"].endswith("because no identity-based policy allows the ecr:PutImage action")
    said = explain("--repository-policy", theirs, "--identity", mine, principal=guest)
    assert said["allowed"] and [one["decides"] for one in said["statements"]] == [True, True]


def test_a_session_policy_narrows(policy):
    mine, session = policy("mine.json", allow(Resource="*")), policy("session.json", allow("ecr:Get*", Resource="*"))
    said = explain("--identity", mine, "--session", session)
    assert (said["allowed"], said["source"]) == (False, "session")


def test_context_keys_with_several_values(policy):
    mine = policy("mine.json", allow(
        Resource="*", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]}}))
    keys = ("--context", "aws:TagKeys=team", "--context", "aws:tagkeys=cost")
    assert explain("--identity", mine, *keys)["allowed"]
    said = explain("--identity", mine, *keys, "--context=aws:TagKeys=x=y")
    assert said["statements"][0]["because"].endswith('the request says "team", "cost", "x=y"')


def test_what_the_registrys_own_operations_are_checked_against(policy):
    mine = policy("mine.json", allow("ecr:GetAuthorizationToken", Resource="*"))
    done = run("explain", "--principal", ROLE, "--action", "ecr:GetAuthorizationToken", "--identity", mine)
    assert done.stdout.startswith("allowed: ") and "  resource   *\n" in done.stdout


def test_a_name_is_of_the_principals_own_account():
    assert explain(resource="team/app")["resource"] == ARN
    said = explain("--account", "223456789012", resource="team/app")
    assert said["resource"] == ARN.replace(ACCOUNT, "223456789012") and said["source"] == "repository"


def test_regions_have_their_partition(policy):
    said = explain("--region", "cn-north-1", "--account", ACCOUNT, resource="team/app", principal=ACCOUNT)
    assert said["resource"] == f"arn:aws-cn:ecr:cn-north-1:{ACCOUNT}:repository/team/app"
    assert said["allowed"] and said["source"] == "account"


# -- the file of --iam --------------------------------------------------------------------------------------------------

SAMPLE = SOURCE / "testdata/iam/sample.json"
PLANNER = "arn:aws:ecr:us-east-1:503561414328:repository/smart-budget-planner"


def sample(kind, name, action, *words):
    return explain(
        "--iam", SAMPLE, *words, principal=f"arn:aws:iam::503561414328:{kind}/{name}", action=action, resource=PLANNER)


def test_the_sample_of_serve(policy):
    said = sample("role", "app-instance", "ecr:BatchGetImage")
    assert said["allowed"] and said["principal"] == "arn:aws:sts::503561414328:assumed-role/app-instance/session"
    (decides,) = [one for one in said["statements"] if one["decides"]]
    assert (decides["policy"], decides["sid"]) == (f'"pull" in {SAMPLE}', "Pull")
    assert decides["statement"]["Action"] == ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    assert not sample("role", "app-instance", "ecr:PutImage")["allowed"]
    assert sample("user", "pipeline", "ecr:PutImage")["allowed"]
    assert sample("user", "stranger", "ecr:BatchGetImage")["statements"] == []
    # a file named besides is one more
    more = policy("more.json", allow("ecr:PutImage", Resource="*", Sid="More"))
    said = sample("role", "app-instance", "ecr:PutImage", "--identity", more)
    assert said["allowed"] and said["statements"][-1]["sid"] == "More"


def test_who_is_not_in_the_file(tmp_path):
    ask = ("explain", "--action", "ecr:PutImage", "--resource", PLANNER)
    assert "nobody in" in refused(*ask, "--iam", SAMPLE, "--principal", "arn:aws:iam::503561414328:user/nobody")
    assert "nobody in" in refused(*ask, "--iam", SAMPLE, "--principal", "arn:aws:iam::503561414328:role/pipeline")
    assert explain("--iam", SAMPLE, principal="503561414328", resource=PLANNER)["source"] == "account"
    (tmp_path / "bad.json").write_text('{"accounts": {"1": {}}}')
    assert "--iam" in refused(*ask, "--iam", tmp_path / "bad.json", "--principal", ROLE)


# -- a data folder ------------------------------------------------------------------------------------------------------

@pytest.fixture
def kept(make_server, tmp_path):
    """A server over a folder with a repository that has a policy and a tag, in a registry that has a policy."""
    server = make_server(data=tmp_path / "data")
    ecr = server.ecr(access_key=ACCOUNT)
    ecr.create_repository(repositoryName="team/app", tags=[{"Key": "team", "Value": "blue"}])
    ecr.set_repository_policy(repositoryName="team/app", policyText=json.dumps({"Statement": allow(
        "ecr:PutImage", Principal={"AWS": ROLE},
        Condition={"StringEquals": {"aws:ResourceTag/team": "blue", "ecr:ResourceTag/team": "blue"}})}))
    ecr.put_registry_policy(policyText=json.dumps({"Statement": {
        "Effect": "Deny", "Principal": {"AWS": ROLE}, "Action": "ecr:DeleteRepository"}}))
    return server


def test_the_stored_policies(kept, tmp_path):
    data = ("--data", tmp_path / "data")
    for _ in range(2):  # beside the running server, and without it
        said = explain(*data)
        assert (said["allowed"], said["source"]) == (True, "repository")
        assert {one["source"] for one in said["statements"]} == {"repository", "registry"}
        said = explain(*data, action="ecr:DeleteRepository")
        assert (said["explicitDeny"], said["source"]) == (True, "registry")
        kept.stop()


def test_a_file_takes_the_place_of_a_stored_policy(kept, tmp_path, policy):
    instead = policy("instead.json", allow("ecr:Get*", Principal={"AWS": ROLE}))
    said = explain("--data", tmp_path / "data", "--repository-policy", instead)
    assert not said["allowed"]
    assert {one["source"]: one["policy"] for one in said["statements"]} == {
        "repository": str(instead), "registry": str(tmp_path / "data")}


def test_folders_that_do_not_help(kept, tmp_path):
    def ask(folder, resource):
        return refused(
            "explain", "--principal", ROLE, "--action", "ecr:PutImage", "--resource", resource, "--data", folder)

    assert "no repository team/other" in ask(tmp_path / "data", ARN.replace("app", "other"))
    assert "there is no drydock.db" in ask(tmp_path / "nowhere", ARN)
    assert not (tmp_path / "nowhere").exists()


# -- mistakes -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, says, code", [
    (("--principal", "me"), "--principal expects", 2), (("--action", "ecr:PushImage"), "--action expects", 2),
    (("--action", "ecr:*"), "--action expects", 2), (("--resource", "Team"), "--resource expects", 2),
    (("--resource", "arn:aws:s3:::bucket"), "--resource expects", 2),
    (("--identity", "/nowhere.json"), "No such file", 1), (("--identity", "."), "Is a directory", 1)])
def test_mistakes_are_told(words, says, code):
    assert says in refused(
        "explain", "--principal", ROLE, "--action", "ecr:PutImage", "--resource", ARN, *words, code=code)


def test_malformed_policies_are_told(policy, tmp_path):
    mine = ("explain", "--principal", ROLE, "--action", "ecr:PutImage", "--identity")
    for statement in (
            allow(), allow(Resource="*", Principal="*"), allow("s3", Resource="*"), allow(Resource="app"),
            allow(Resource="*", Condition={"StringSame": {"a": "b"}})):
        assert "no policy that is accepted" in refused(*mine, policy("bad.json", statement))
    (tmp_path / "large.json").write_text(" " * (1024 * 1024 + 1))
    assert "larger than" in refused(*mine, tmp_path / "large.json")


@pytest.mark.parametrize("words", [
    (), ("implain",), ("explain", "--nothing"), ("explain", "word"), ("explain", "--context", "SourceIp=1"),
    ("explain", "--context", "aws:SourceIp"), ("explain", "--account", "12"), ("explain", "--identity")])
def test_wrong_usage(words):
    refused(*words, code=2)


def test_missing_words():
    assert "--action is missing" in refused("explain", "--principal", ROLE, code=2)
    assert "--principal is missing" in refused("explain", "--action", "ecr:PutImage", code=2)
