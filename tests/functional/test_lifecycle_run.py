"""Lifecycle policies at work: when they are run, what a run says, and what it leaves alone."""

import json
import random
import re
import threading
import time

import pytest
import requests
from support.images import oci_artifact, oci_image, oci_index
from support.lifecycle import (
    DAY, check_run, done, failed, policy, preview, put_policy, rule, run, statuses, variants)
from support.refusals import not_found
from support.server import Server
from support.shapes import seconds

OLD = rule(1, 30, "sinceImagePushed")
ACTIVATION = 61


def wait_until(condition, patience=20):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it has not happened"
        time.sleep(0.02)


def push(registry, repository, image, *tags):
    registry.push_image(repository, image, *tags)
    return image


def delete(ecr, repository, image):
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": image.digest}])
    assert answer["failures"] == []


def evaluated(ecr, repository):
    return seconds(ecr.get_lifecycle_policy(repositoryName=repository)["lastEvaluatedAt"])


# -- when ---------------------------------------------------------------------------------------------------------------

@pytest.mark.threads
def test_thirty_one_days_later(drydock, ecr, registry, repository):
    push(registry, repository, oci_image(), "v1")
    put_policy(ecr, repository, OLD)
    assert evaluated(ecr, repository) == 0
    now = drydock.advance(31 * DAY)
    drydock.wait_for_log(f"lifecycle run: {repository} in 000000000000, us-east-1: 1 expired, 0 archived")
    wait_until(lambda: evaluated(ecr, repository) > 0)
    assert statuses(ecr, repository) == {}
    assert abs(evaluated(ecr, repository) - time.time() - now["offset_seconds"]) < 30
    put_policy(ecr, repository, OLD)
    assert evaluated(ecr, repository) == 0


def test_it_is_due_every_hour(drydock, ecr, registry, repository):
    push(registry, repository, oci_image(), "v1")
    put_policy(ecr, repository, OLD)
    begun = drydock.begun("lifecycle_runs")
    drydock.advance(1800)
    assert drydock.begun("lifecycle_runs") == begun
    assert evaluated(ecr, repository) == 0
    drydock.advance(1801)
    wait_until(lambda: evaluated(ecr, repository) > 0)
    first = evaluated(ecr, repository)
    drydock.advance(-7200)  # nothing is due by moving back, and the hour begins anew
    drydock.advance(1800)
    assert drydock.begun("lifecycle_runs") == begun + 1
    assert evaluated(ecr, repository) == first
    drydock.advance(1801)
    assert drydock.begun("lifecycle_runs") == begun + 2
    wait_until(lambda: evaluated(ecr, repository) != first)
    assert len(statuses(ecr, repository)) == 1


def test_the_interval_is_an_option(make_server):
    server = make_server("--lifecycle-interval", "1")
    ecr, registry = server.ecr(), server.registry()
    ecr.create_repository(repositoryName="app")
    for _ in range(3):
        push(registry, "app", oci_image())
    put_policy(ecr, "app", rule(1, 1))
    wait_until(lambda: len(statuses(ecr, "app")) == 1)
    registry.close()


def test_it_can_be_left_to_requests(make_server):
    server = make_server("--lifecycle-interval", "0")
    ecr, registry = server.ecr(), server.registry()
    ecr.create_repository(repositoryName="app")
    push(registry, "app", oci_image())
    put_policy(ecr, "app", OLD)
    server.advance(31 * DAY)
    assert server.begun("lifecycle_runs") == 0
    assert len(statuses(ecr, "app")) == 1
    assert run(server)["app"]["expiredImageCount"] == 1
    registry.close()


def test_the_schedule_survives_the_process(make_server, tmp_path):
    server = make_server("--lifecycle-interval", "3600", data=tmp_path / "data")
    ecr, registry = server.ecr(), server.registry()
    ecr.create_repository(repositoryName="app")
    push(registry, "app", oci_image())
    put_policy(ecr, "app", OLD)
    server.advance(31 * DAY)
    server.wait_for_log("1 expired")
    registry.close()
    server.restart()
    first = evaluated(server.ecr(), "app")
    server.advance(60)
    assert server.begun("lifecycle_runs") == 0
    assert evaluated(server.ecr(), "app") == first
    server.advance(3600)
    assert server.begun("lifecycle_runs") == 1
    wait_until(lambda: evaluated(server.ecr(), "app") != first)


# -- the clock ------------------------------------------------------------------------------------------------------------

def test_moving_back_is_explained(drydock):
    assert "note" not in drydock.advance(60)
    assert "moved back" in drydock.advance(-30)["note"]
    assert "moved back" in drydock.admin("POST", "clock", {"reset": True})["note"]
    assert "note" not in drydock.admin("GET", "clock")


# -- what is asked, and what is said -----------------------------------------------------------------------------------------

def test_the_report(drydock, ecr, registry, repository):
    drydock.set_clock("2026-03-01T12:00:00Z")
    tagged, untagged = push(registry, repository, oci_image(), "v1", "v2"), push(registry, repository, oci_image())
    put_policy(ecr, repository, rule(3, 30, "sinceImagePushed", action="transition", prefixes=["v"]), rule(
        5, 1, "sinceImagePushed", tags="untagged"))
    ecr.create_repository(repositoryName="no/policy")
    drydock.admin("POST", "clock", {"advance_seconds": 3000})
    now = drydock.admin("GET", "clock")
    answer = drydock.admin("POST", "lifecycle/run")
    assert 0 <= answer["evaluatedAt"] - (1772366400 + 3000) < 60 and now["now"].startswith("2026-03-01T12:5")
    assert answer["repositories"] == [{
        "registryId": "000000000000", "region": "us-east-1", "repositoryName": repository, "hasLifecyclePolicy": True,
        "complete": True, "expiredImageCount": 0, "archivedImageCount": 0, "failureCount": 0, "images": []}]
    drydock.wait_for_log("MoveClock")
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=policy(
        rule(3, 1, "sinceImagePushed", action="transition", prefixes=["v"]),
        rule(5, 1, tags="untagged"), rule(9, 1000)))
    other = push(registry, repository, oci_image())
    report = run(drydock, repository)[repository]
    assert report["images"] == [{"imageDigest": untagged.digest, "imageTags": [], "action": "EXPIRE",
                                 "appliedRulePriority": 5, "cause": "rule"}]
    assert report["expiredImageCount"] == 1
    assert set(statuses(ecr, repository)) == {tagged.digest, other.digest}
    drydock.admin("POST", "clock", {"advance_seconds": 3 * DAY})
    wait_until(lambda: statuses(ecr, repository)[tagged.digest] == "ARCHIVED")
    assert run(drydock)[repository]["images"] == []


def test_children_are_failures_in_ecrs_words(drydock, ecr, registry, repository):
    index = oci_index([oci_image(), oci_image()])
    push(registry, repository, index, "multi")
    drydock.advance(3000)
    put_policy(ecr, repository, rule(1, 1, tags="untagged"))
    report = run(drydock, repository)[repository]
    assert done(report) == {} and report["failureCount"] == 1
    failure, = failed(report).values()
    assert failure == {"failureCode": "ImageReferencedByManifestList",
                       "failureReason": f"Requested image referenced by manifest list: [{index.digest}]"}
    assert len(statuses(ecr, repository)) == 3


def test_other_registries(drydock, ecr, registry, repository):
    place = {"access_key": "123456789012", "region": "eu-west-1"}
    elsewhere, there = drydock.ecr(**place), drydock.registry(drydock.token(**place))
    elsewhere.create_repository(repositoryName="other")
    for client, where, name in ((ecr, registry, repository), (elsewhere, there, "other")):
        for _ in range(2):
            push(where, name, oci_image())
        put_policy(client, name, rule(1, 1))
    body = {"repositoryName": "other", "registryId": "123456789012", "region": "eu-west-1"}
    report, = drydock.admin("POST", "lifecycle/run", body)["repositories"]
    assert (report["registryId"], report["region"]) == ("123456789012", "eu-west-1") and len(report["images"]) == 1
    assert len(statuses(ecr, repository)) == 2
    reports = run(drydock)
    assert [len(reports[name]["images"]) for name in (repository, "other")] == [1, 0]
    there.close()


@pytest.mark.parametrize("body", [
    b"[]", b"{", b'{"repositoryName": 1}', b'{"repositoryName": ""}', b'{"repositoryName": "UPPER"}',
    b'{"registryId": "123456789012"}', b'{"repositoryName": "team/app", "registryId": "1"}',
    b'{"repositoryName": "team/app", "region": "Nowhere!"}', b'{"repository": "team/app"}'])
def test_bad_bodies(drydock, anonymous, repository, body):
    response = anonymous.request("POST", f"{anonymous.url}/_drydock/lifecycle/run", data=body)
    assert response.status_code == 400 and "repositoryName" in response.json()["message"]


def test_a_repository_that_is_not_there(drydock, anonymous):
    response = anonymous.request(
        "POST", f"{anonymous.url}/_drydock/lifecycle/run", data=b'{"repositoryName": "nobody/here"}')
    assert (response.status_code, response.json()["message"]) == (400, not_found("nobody/here"))
    assert anonymous.request("GET", f"{anonymous.url}/_drydock/lifecycle/run").status_code == 405


def test_a_repository_without_a_policy(drydock, ecr, registry, repository):
    push(registry, repository, oci_image())
    report = run(drydock, repository)[repository]
    assert not report["hasLifecyclePolicy"] and report["images"] == []


# -- referrers ---------------------------------------------------------------------------------------------------------------

def referrer(subject):
    return oci_artifact("application/vnd.example.signature", subject=subject)


@pytest.mark.parametrize("door", ["api", "registry"])
def test_referrers_go_within_a_day_of_their_subject(drydock, ecr, registry, repository, door):
    subject = push(registry, repository, oci_image(), "v1")
    first = push(registry, repository, referrer(subject))
    second = push(registry, repository, referrer(first), "signed")
    never = push(registry, repository, referrer(oci_image()))
    if door == "api":
        delete(ecr, repository, subject)
    else:
        assert registry.request("DELETE", f"{repository}/manifests/{subject.digest}").status_code == 202
    late = push(registry, repository, referrer(subject))
    assert set(statuses(ecr, repository)) == {image.digest for image in (first, second, never, late)}
    drydock.advance(DAY)
    wait_until(lambda: set(statuses(ecr, repository)) == {never.digest, late.digest})


def test_a_subject_that_is_back_keeps_its_referrers(drydock, ecr, registry, repository):
    subject = push(registry, repository, oci_image(), "v1")
    signature = push(registry, repository, referrer(subject))
    delete(ecr, repository, subject)
    push(registry, repository, subject, "v1")
    assert run(drydock, repository)[repository]["images"] == []
    assert set(statuses(ecr, repository)) == {subject.digest, signature.digest}
    delete(ecr, repository, subject)
    assert list(done(run(drydock)[repository])) == [signature.digest]


def test_a_referrer_that_a_list_names_stays(drydock, ecr, registry, repository):
    subject = push(registry, repository, oci_image(), "v1")
    signature = push(registry, repository, referrer(subject))
    index = oci_index([signature])
    registry.put_manifest(repository, "multi", index.manifest, index.media_type)
    delete(ecr, repository, subject)
    for _ in range(2):
        failure, = failed(run(drydock, repository)[repository]).values()
        assert failure["failureCode"] == "ImageReferencedByManifestList"
    delete(ecr, repository, index)
    assert list(done(run(drydock, repository)[repository])) == [signature.digest]


def test_a_pushed_again_referrer_is_no_orphan(drydock, ecr, registry, repository):
    subject = push(registry, repository, oci_image(), "v1")
    signature = push(registry, repository, referrer(subject))
    delete(ecr, repository, subject)
    delete(ecr, repository, signature)
    push(registry, repository, signature)
    assert run(drydock, repository)[repository]["images"] == []
    assert set(statuses(ecr, repository)) == {signature.digest}


# -- random policies on random images ----------------------------------------------------------------------------------------

def random_rule(dice, priority, tags):
    kinds = ["imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"]
    kind = dice.choice(kinds)
    does = {"sinceImagePulled": "transition", "sinceImageTransitioned": "expire"}.get(
        kind, dice.choice(["expire", "transition"]))
    more = {"storageClass": "archive"} if kind == "sinceImageTransitioned" else {}
    count = {"imageCountMoreThan": dice.randint(1, 8), "sinceImageTransitioned": dice.randint(90, 120)}.get(
        kind, dice.randint(1, 40))
    if tags == "tagged":
        lists = dice.choice(["prefixes", "patterns"])
        words = dice.sample(["dev", "prod", "v", "dev-1"], dice.randint(1, 2))
        more[lists] = [word + "*" * (lists == "patterns") for word in words]
    return rule(priority, count, kind, tags=tags, action=does, **more)


def random_policy(dice):
    rules, used = [], set()
    for priority in sorted(dice.sample(range(1, 60), dice.randint(1, 4))):
        tags = dice.choice(["tagged", "untagged"])
        new = random_rule(dice, priority, tags)
        storage = new["selection"].get("storageClass", "standard")
        lists = json.dumps([new["selection"].get("tagPrefixList"), new["selection"].get("tagPatternList")])
        key = (tags, storage, lists)
        if key not in used and (tags == "tagged" or ("untagged", storage) not in {k[:2] for k in used}):
            used.add(key)
            rules.append(new)
    rules.append(random_rule(dice, 99, "any"))
    return policy(*rules)


def random_images(dice, server, ecr, registry, repository):
    known = []
    for image in variants(registry, repository, dice.randint(10, 25)):
        tags = dice.sample(["dev-1", "dev-2", "prod-1", "prod-2", "v1", "v2", "x"], dice.choice([0, 0, 1, 1, 2]))
        if known and dice.random() < 0.2:
            image = oci_index(dice.sample(known, min(len(known), 2)))
        elif known and dice.random() < 0.2:
            image = referrer(dice.choice(known))
            for blob in image.blobs:
                registry.push_blob(repository, blob.data)
        for reference in tags or [image.digest]:
            assert registry.put_manifest(repository, reference, image.manifest, image.media_type).status_code == 201
        known.append(image)
        server.advance(dice.choice([1, 600, DAY, 5 * DAY]))
        for what in range(dice.randint(0, 2)):
            one = dice.choice(known)
            target = dice.choice(["ARCHIVE", "STANDARD", None])
            if target is None:
                registry.get_manifest(repository, one.digest)
                continue
            try:
                ecr.update_image_storage_class(
                    repositoryName=repository, imageId={"imageDigest": one.digest}, targetStorageClass=target)
            except ecr.exceptions.ImageStorageClassUpdateNotSupportedException:
                pass
    server.advance(dice.choice([1, DAY, 95 * DAY]))


@pytest.mark.parametrize("seed", range(12))
def test_a_run_does_what_its_preview_says(random_server, seed):
    dice, server, repository = random.Random(seed), random_server, f"random/r{seed}"
    ecr, registry = server.ecr(), server.registry(login=None)
    ecr.create_repository(repositoryName=repository)
    random_images(dice, server, ecr, registry, repository)
    for _ in range(3):
        text = random_policy(dice)
        results = preview(ecr, repository, text)
        ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
        check_run(server, ecr, repository, results)
        server.advance(dice.choice([3600, 10 * DAY]))
    registry.close()


@pytest.fixture(scope="module")
def random_server(tmp_path_factory):
    server = Server("--auth", "open", "--lifecycle-interval", "0", "--gc-interval", "0",
                    folder=tmp_path_factory.mktemp("random"))
    yield server.start()
    server.stop()


# -- beside others --------------------------------------------------------------------------------------------------------------

def test_killed_in_the_middle(make_server, tmp_path):
    """Whatever a run had done by then, the store is whole, and the next run does the rest."""
    server = make_server("--auth", "open", data=tmp_path / "data")
    ecr, registry = server.ecr(), server.registry(login=None)
    ecr.create_repository(repositoryName="app")
    images = variants(registry, "app", 600)
    for number, image in enumerate(images):
        registry.put_manifest("app", f"t{number}", image.manifest, image.media_type)
    put_policy(ecr, "app", rule(1, 1))
    partly = 0
    for hundredths in range(1, 30):
        if hundredths > 5 and partly:
            break
        runner = threading.Thread(target=ask_for_a_run, args=(server.url,))
        runner.start()
        time.sleep(hundredths / 100)
        server.restart(kill=True)
        runner.join()
        left = statuses(server.ecr(), "app")
        partly += 1 < len(left) < 600
        assert images[-1].digest in left
        tags = all_tags(server.registry(login=None), "app")
        assert set(left) == {image.digest for number, image in enumerate(images) if f"t{number}" in tags}
    report = run(server, "app")["app"]
    assert set(statuses(server.ecr(), "app")) == {images[-1].digest}
    assert report["failureCount"] == 0
    assert partly > 0, "no run was caught in the middle"
    registry.close()


def all_tags(registry, repository):
    """What the registry's own list says, which is read from other rows than images are."""
    found, query = set(), {}
    while query is not None:
        answer = registry.tags(repository, **query)
        found |= set(answer.json()["tags"])
        link = answer.headers.get("Link")
        query = {"last": re.search("[?&]last=([^&>]+)", link)[1]} if link else None
    return found


def ask_for_a_run(url):
    try:
        requests.post(f"{url}/_drydock/lifecycle/run", timeout=30)
    except requests.ConnectionError:
        pass


@pytest.mark.threads
def test_pushes_go_on_beside_a_run(make_server):
    """What is pushed, tagged or restored while a run goes on is there afterwards."""
    server = make_server("--auth", "open")
    ecr, registry = server.ecr(), server.registry(login=None)
    ecr.create_repository(repositoryName="app")
    images = variants(registry, "app", 900)
    for image in images:
        registry.put_manifest("app", image.digest, image.manifest, image.media_type)
    put_policy(ecr, "app", rule(1, 1, tags="untagged"), rule(2, 10000))
    reports, errors, kept = [], [], set()
    runner = threading.Thread(target=lambda: reports.append(run(server, "app")["app"]))
    runner.start()
    for number, image in enumerate(reversed(images)):  # a run goes from the oldest on
        answer = registry.put_manifest("app", f"kept-{number}", image.manifest, image.media_type)
        if answer.status_code != 201:
            errors.append(answer.text)
        kept.add(image.digest)
        if not runner.is_alive():
            break
    runner.join()
    assert errors == []
    there = statuses(ecr, "app")
    assert kept <= set(there)
    report, = reports
    assert report["expiredImageCount"] + len(there) >= 900
    assert all_tags(registry, "app") == {f"kept-{number}" for number in range(len(kept))}
    registry.close()
