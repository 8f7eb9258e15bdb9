"""testdata/lifecycle through a server: images pushed with the clock moved, a preview read, the policy run."""

import datetime
import json

import pytest
from support.aws import refused
from support.binary import SOURCE
from support.images import Blob, oci_artifact, oci_image, oci_index
from support.lifecycle import check_run, failed, foreseen, preview
from support.server import Server

CASES = {path.stem: json.loads(path.read_text()) for path in sorted((SOURCE / "testdata/lifecycle").glob("*.json"))}
ACTED = [name for name, case in CASES.items() if "refused" not in case]
NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone.utc)
# The server's clock goes on while images are pushed: what is "14 days ago" must not be older by the time it is judged.
SLACK = 20
ACTIVATION = 60


def set_clock(server, days_ago, earlier=0):
    when = NOW - datetime.timedelta(days=days_ago, seconds=earlier)
    server.set_clock(when.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def make_image(known, row):
    """An image that stands for a row of a case: what it names was made before."""
    if "subject" in row:
        subject = known.get(row["subject"])
        if subject:
            return oci_artifact("application/vnd.example.signature", subject=subject)
        absent = Blob(b"nobody pushed this")
        return oci_image(subject=absent.descriptor())
    if "children" in row:
        return oci_index([known[name] for name in row["children"]], annotations={"name": row["name"]})
    return oci_image()


def push_row(server, registry, repository, row, image):
    set_clock(server, row["pushed_days_ago"])
    for blob in image.blobs:
        registry.push_blob(repository, blob.data)
    for reference in row.get("tags") or [image.digest]:
        answer = registry.put_manifest(repository, reference, image.manifest, image.media_type)
        assert answer.status_code == 201, answer.text


def push(server, ecr, registry, repository, rows):
    """Pushes the images of a case at their times; {name: Image}."""
    known, by_name = {}, {row["name"]: row for row in rows}
    for row in rows:
        known[row["name"]] = make_image(known, row)
    # A referrer can be archived by itself only while its subject is not there.
    alone = [row for row in rows if "archived_days_ago" in row and row.get("subject") in by_name
             and "archived_days_ago" not in by_name[row["subject"]]]
    for row in alone:
        push_row(server, registry, repository, row, known[row["name"]])
        play(server, ecr, registry, repository, [row], known)
    for row in rows:
        if row not in alone:
            push_row(server, registry, repository, row, known[row["name"]])
    play(server, ecr, registry, repository, [row for row in rows if row not in alone], known)
    return known


def events(rows):
    """(days ago, seconds before that, what, name) in order of time; lists before what they name."""
    found = []
    for place, row in enumerate(rows):
        for member, what, earlier in (("pulled_days_ago", "pull", 0), ("archived_days_ago", "archive", 0),
                                      ("restored_days_ago", "restore", ACTIVATION)):
            if member in row:
                found.append((row[member], earlier, -place, what, row["name"]))
    return sorted(found, key=lambda event: (-event[0], -event[1], event[2]))


def play(server, ecr, registry, repository, rows, known):
    for days_ago, earlier, _, what, name in events(rows):
        set_clock(server, days_ago, earlier)
        digest = known[name].digest
        if what == "pull":
            assert registry.get_manifest(repository, digest).status_code == 200
            continue
        detail, = ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])["imageDetails"]
        if what == "archive" and detail["imageStatus"] == "ARCHIVED":
            continue  # it went with its subject
        ecr.update_image_storage_class(
            repositoryName=repository, imageId={"imageDigest": digest},
            targetStorageClass="ARCHIVE" if what == "archive" else "STANDARD")
    set_clock(server, 0, SLACK)
    for row in rows:
        if row.get("status") == "ACTIVATING":
            ecr.update_image_storage_class(
                repositoryName=repository, imageId={"imageDigest": known[row["name"]].digest},
                targetStorageClass="STANDARD")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # Lists may be older than what they name, and nothing runs before it is asked to.
    server = Server("--quirk", "children-first=off", "--lifecycle-interval", "0", "--auth", "open",
                    folder=tmp_path_factory.mktemp("vectors"))
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("name", ACTED)
def test_what_becomes_of_each_image(server, name):
    server.reset()
    case, repository = CASES[name], "team/app"
    ecr, registry = server.ecr(), server.registry(login=None)
    ecr.create_repository(repositoryName=repository)
    known = push(server, ecr, registry, repository, case["images"])
    registry.close()

    names = {image.digest: name for name, image in known.items()}
    wanted = {name: (one["action"].upper(), one["rule"]) for name, one in case["expected"].items()
              if "protected_by" not in one}
    text = json.dumps(case["policy"]).ljust(100)
    results = preview(ecr, repository, text)
    assert {names[digest]: what for digest, what in foreseen(results).items()} == wanted

    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    report = check_run(server, ecr, repository, results)
    kept = {name: one["protected_by"] for name, one in case["expected"].items() if "protected_by" in one}
    said = {names[digest]: failure for digest, failure in failed(report).items()}
    assert set(said) == set(kept)
    for child, parent in kept.items():
        assert said[child]["failureCode"] == "ImageReferencedByManifestList"
        prefix, digests = said[child]["failureReason"].rstrip("]").split(" [")
        assert prefix == "Requested image referenced by manifest list:"
        assert parent in {names[digest] for digest in digests.split(", ")}


@pytest.mark.parametrize("name", [name for name in CASES if name not in ACTED])
def test_what_is_refused(server, name):
    server.reset()
    case, ecr = CASES[name], server.ecr(validate=False)
    ecr.create_repository(repositoryName="team/app")
    text = case.get("policy_text") or json.dumps(case["policy"])
    for operation in (ecr.put_lifecycle_policy, ecr.start_lifecycle_policy_preview):
        with refused("InvalidParameterException") as error:
            operation(repositoryName="team/app", lifecyclePolicyText=text)
        assert error.message == case["refused"]
    with refused("LifecyclePolicyPreviewNotFoundException"):
        ecr.get_lifecycle_policy_preview(repositoryName="team/app")
