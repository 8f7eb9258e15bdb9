"""drydock lifecycle explain: on files that describe images, on data folders, beside a running server."""

import hashlib
import json
import os
import pty
import re
import subprocess

import pytest
from support.binary import SOURCE, clean_environment, find_binary
from support.images import oci_artifact, oci_image, oci_index

CASES = sorted((SOURCE / "testdata" / "lifecycle").glob("*.json"))
OLD = [case for case in CASES if "images" in json.loads(case.read_text())]
REFUSED = [case for case in CASES if case not in OLD]
DAY = 86400
START = "2026-01-01T00:00:00Z"


def run(*words, **environment):
    return subprocess.run(
        [find_binary(), "lifecycle", "explain", *map(str, words)], env=clean_environment(**environment),
        capture_output=True, text=True, timeout=60)


def done(*words):
    result = run(*words)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def explained(*words):
    """The repositories of its JSON, by name: {None or name: {"summary": ..., "images": ...}}."""
    found = json.loads(done(*words, "--json"))
    return {one.get("repositoryName"): one for one in found["repositories"]}


def refused(*words, code=1):
    result = run(*words)
    assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
    assert result.stderr.startswith("drydock lifecycle explain: ") or code == 2
    return result.stderr.removeprefix("drydock lifecycle explain: ").rstrip("\n")


def rule(priority=1, action="expire", **selection):
    chosen = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14} | selection
    doing = {"type": action} | ({"targetStorageClass": "archive"} if action == "transition" else {})
    return {"rulePriority": priority, "selection": {k: v for k, v in chosen.items() if v is not None}, "action": doing}


def policy(*rules):
    return json.dumps({"rules": rules or (rule(),)})


def write(path, text):
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


@pytest.fixture
def simple(tmp_path):
    return write(tmp_path / "policy.json", policy())


# -- files that describe images -----------------------------------------------------------------------------------------

def label(name):
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


def check_expected(image, expected):
    name = image["name"]
    if name not in expected:
        assert image["decision"] == "KEPT", name
        return
    want = expected[name]
    decision = "PROTECTED" if "protected_by" in want else "FOLLOWS" if "follows" in want else "ACTS"
    assert (image["decision"], image["action"], image["rulePriority"]) == (
        decision, want["action"].upper(), want["rule"]), name
    assert image.get("protectedBy") == (label(want["protected_by"]) if "protected_by" in want else None)
    if "follows" in want:
        assert image["subject"] == label(want["follows"])


@pytest.mark.parametrize("case", OLD, ids=lambda case: case.stem)
def test_the_cases_of_testdata(tmp_path, case):
    content = json.loads(case.read_text())
    text = write(tmp_path / "policy.json", content["policy"])
    found = explained("--policy", text, "--images", case, "--at", "2026-06-01T00:00:00Z")[None]
    assert len(found["images"]) == len(content["images"])
    for image in found["images"]:
        check_expected(image, content["expected"])
    acts = [image["name"] for image in found["images"] if image["decision"] in ("ACTS", "FOLLOWS")]
    assert acts == [name for name, want in content["expected"].items() if "protected_by" not in want]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.stem)
def test_refused_policies_are_told_in_ecrs_words(tmp_path, case):
    content = json.loads(case.read_text())
    text = write(tmp_path / "policy.json", content.get("policy_text", content.get("policy")))
    assert refused("--policy", text, "--images", OLD[0]) == content["refused"]


def test_the_words(tmp_path):
    text = write(tmp_path / "policy.json", policy(
        rule(1, tagStatus="tagged", tagPrefixList=["v"], countType="imageCountMoreThan", countUnit=None, countNumber=1),
        rule(2),
        rule(3, "transition", tagStatus="any", countType="sinceImagePulled", countNumber=90)))
    images = write(tmp_path / "images.json", {"images": [
        {"name": "new", "tags": ["v2"], "pushed_days_ago": 1},
        {"name": "old", "tags": ["v1"], "pushed_days_ago": 100},
        {"name": "bare", "pushed_days_ago": 14.5},
        {"name": "used", "tags": ["x"], "pushed_days_ago": 200, "pulled_days_ago": 91},
        {"name": "never", "tags": ["y"], "pushed_days_ago": 91},
        {"name": "back", "tags": ["z"], "pushed_days_ago": 300, "archived_days_ago": 200, "restored_days_ago": 95},
        {"name": "moving", "tags": ["z"], "pushed_days_ago": 300, "archived_days_ago": 200, "status": "ACTIVATING"},
        {"name": "index", "tags": ["v3"], "pushed_days_ago": 0.01, "children": ["child"]},
        {"name": "child", "pushed_days_ago": 20},
        {"name": "signature", "pushed_days_ago": 20, "subject": "old"},
        {"name": "kept", "pushed_days_ago": 20, "subject": "new"}]})
    found = explained("--policy", text, "--images", images)[None]
    why = {image["name"]: image["why"] for image in found["images"]}
    assert why == {
        "new": "expires by rule 1: not the newest",
        "old": "expires by rule 1: not the newest",
        "bare": "expires by rule 2: pushed 14 days 12 hours ago, more than 14",
        "used": "is archived by rule 3: last pulled 91 days ago, more than 90",
        "never": "is archived by rule 3: never pulled, pushed 91 days ago, more than 90",
        "back": "is archived by rule 3: not pulled since it was restored 95 days ago, more than 90",
        "moving": "kept: it is being restored",
        "index": "kept by rule 1: it is the newest",
        "child": "protected: index index names it (rule 2 would expire it: pushed 20 days ago, more than 14)",
        "signature": "expires with its subject old (rule 1)",
        "kept": "expires with its subject new (rule 1)"}
    assert found["summary"] == {"images": 11, "expire": 5, "transition": 3, "protected": 1, "kept": 2}
    table = done("--policy", text, "--images", images)
    assert "rule 1: tagged images with v..., all but the newest: expire" in table
    assert "rule 3: all images not pulled for more than 90 days: archive" in table
    assert "rule 3 would archive it (never pulled, pushed 100 days ago, more than 90), but rule 1 claims it" in table
    for words in why.values():
        assert words in table


def test_what_describe_images_prints(tmp_path, simple, drydock, ecr, registry, repository):
    drydock.set_clock(START)
    old, new = oci_image(), oci_image()
    registry.push_image(repository, old)
    registry.push_image(repository, new, "v1")
    details = ecr.describe_images(repositoryName=repository)["imageDetails"]
    printed = json.dumps({"imageDetails": details}, default=lambda moment: moment.isoformat())
    found = explained("--policy", simple, "--images", write(tmp_path / "images.json", printed),
                      "--at", "2026-01-16T00:00:00Z")[None]
    decisions = {image["digest"]: image["decision"] for image in found["images"]}
    assert decisions == {old.digest: "ACTS", new.digest: "KEPT"}


@pytest.mark.parametrize(("images", "why"), [
    ("{", "it is no JSON text, or too large a one"),
    ({"images": [{"name": "A", "pushed_days_ago": 1, "tag": "x"}]}, 'image 1: "tag" is no member of an image')])
def test_refused_images(tmp_path, simple, images, why):
    path = write(tmp_path / "images.json", images)
    assert refused("--policy", simple, "--images", path) == f"{path}: {why}"


@pytest.mark.parametrize("words", [
    ["--images", "x.json"], ["--at", "yesterday"], ["--repository", "Team"], ["--nonsense"], ["--policy"], ["word"],
    ["--policy", "p", "--images", "x", "--repository", "a"], ["--region", "x" * 60]])
def test_wrong_usage(words):
    assert refused(*words, code=2)


def test_the_verb_alone():
    for words, code in ([], 2), (["forget"], 2), (["--help"], 0), (["explain", "--help"], 0):
        result = subprocess.run([find_binary(), "lifecycle", *words], env=clean_environment(), capture_output=True,
                                text=True, timeout=60)
        assert result.returncode == code
        assert "--policy FILE" in (result.stderr if code else result.stdout)


def on_a_terminal(*words, **environment):
    leader, follower = pty.openpty()
    process = subprocess.Popen([find_binary(), "lifecycle", "explain", *map(str, words)], stdout=follower,
                               env=clean_environment(TERM="xterm", **environment))
    os.close(follower)
    said = b""
    try:
        while piece := os.read(leader, 65536):
            said += piece
    except OSError:
        pass                      # the other side is closed
    os.close(leader)
    assert process.wait(timeout=60) == 0
    return said.decode()


def test_colour_is_for_terminals(tmp_path, simple):
    images = write(tmp_path / "images.json", {"images": [{"name": "A\x1b[2J", "pushed_days_ago": 20}]})
    words = ["--policy", simple, "--images", images]
    assert "\x1b" not in done(*words)
    shown = on_a_terminal(*words)
    assert "\x1b[31mexpires by rule 1" in shown
    assert "\x1b[2J" not in shown and "A?[2J" in shown
    assert "\x1b" not in on_a_terminal(*words, NO_COLOR="1")


# -- data folders -------------------------------------------------------------------------------------------------------

def picture(folder):
    """Every file with its time and content, but for what SQLite shares between readers."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith("-shm")}


@pytest.fixture
def stocked(make_server, tmp_path):
    """A server on tmp_path/data, twenty days after a push; with what was pushed."""
    server = make_server("--lifecycle-interval", "0", data=tmp_path / "data")
    server.set_clock(START)
    ecr, registry = server.ecr(), server.registry()
    for name in ("app", "web", "bare"):
        ecr.create_repository(repositoryName=name)
    images = {"old": oci_image(), "child": oci_image(), "new": oci_image()}
    images["index"] = oci_index([images["child"]])
    images["signature"] = oci_artifact("application/vnd.example", images["old"])
    registry.push_image("app", images["old"], "v1")
    registry.push_image("app", images["signature"], "sig")
    registry.push_image("app", images["index"], "multi")
    registry.push_image("app", images["new"], "v1")
    ecr.put_lifecycle_policy(repositoryName="app", lifecyclePolicyText=policy(rule(5)))
    ecr.put_lifecycle_policy(repositoryName="web", lifecyclePolicyText=policy(rule(6)))
    server.advance(20 * DAY)
    return server, images


def decisions_of(found, images):
    names = {image.digest: name for name, image in images.items()}
    return {names[one["digest"]]: one["decision"] for one in found["images"]}


DECIDED = {"old": "ACTS", "signature": "FOLLOWS", "child": "PROTECTED", "new": "KEPT", "index": "KEPT"}


def test_a_data_folder_at_rest(stocked, tmp_path):
    server, images = stocked
    server.stop()
    before = picture(tmp_path / "data")
    found = explained("--data", tmp_path / "data")
    assert list(found) == ["app", "web"]
    assert decisions_of(found["app"], images) == DECIDED
    assert found["web"]["images"] == []
    assert picture(tmp_path / "data") == before
    assert not list((tmp_path / "data").glob("drydock.db-*"))


def test_beside_its_server(stocked, tmp_path):
    server, images = stocked
    found = explained("--data", tmp_path / "data", "--repository", "app")
    assert decisions_of(found["app"], images) == DECIDED
    by_environment = run("--repository", "app", DRYDOCK_DATA=str(tmp_path / "data"))
    assert "20 days" in by_environment.stdout and by_environment.returncode == 0
    assert server.ecr().describe_repositories()["repositories"]


def test_after_kill_9(stocked, tmp_path):
    server, images = stocked
    server.kill()
    before = picture(tmp_path / "data")
    assert decisions_of(explained("--data", tmp_path / "data")["app"], images) == DECIDED
    assert picture(tmp_path / "data") == before


def test_another_policy_and_another_time(stocked, tmp_path):
    server, images = stocked
    server.stop()
    every = write(tmp_path / "policy.json", policy(rule(1, tagStatus="any", countNumber=30)))
    found = explained("--data", tmp_path / "data", "--policy", every)
    assert list(found) == ["app", "bare", "web"]
    assert set(decisions_of(found["app"], images).values()) == {"KEPT"}
    found = explained("--data", tmp_path / "data", "--policy", every, "--repository", "app", "--at", "2026-02-01T00:00:00Z")
    assert decisions_of(found["app"], images) == {
        "old": "ACTS", "signature": "FOLLOWS", "child": "ACTS", "new": "ACTS", "index": "ACTS"}


def test_what_is_not_there(stocked, tmp_path, simple):
    server, _ = stocked
    server.stop()
    data = ["--data", tmp_path / "data"]
    missing = "does not exist in the registry with id '000000000000'"
    assert missing in refused(*data, "--repository", "none", "--policy", simple)
    assert missing in refused(*data, "--repository", "none")
    assert refused(*data, "--repository", "bare").startswith("Lifecycle policy does not exist for the repository")
    assert "there is no drydock.db in it" in refused("--data", tmp_path)
    assert not list(tmp_path.glob("drydock.db*"))
    assert done(*data, "--account", "123456789012") == "no repository of 123456789012 in us-east-1 has a lifecycle policy\n"
    assert explained(*data, "--region", "eu-west-1") == {}
    assert re.search("cannot be read", refused(*data, "--policy", tmp_path / "none"))


def test_a_policy_from_standard_input(tmp_path):
    result = subprocess.run(
        [find_binary(), "lifecycle", "explain", "--policy", "-", "--images", OLD[0]], input=policy(), text=True,
        env=clean_environment(), capture_output=True, timeout=60)
    assert result.returncode == 0 and "rule 1: untagged images pushed more than 14 days ago: expire" in result.stdout
