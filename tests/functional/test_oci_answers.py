"""Every route and every error of the registry, in both profiles, held against testdata/registry/*.json."""

import re
from pathlib import Path

import pytest
from support import errors
from support.binary import SOURCE
from support.expected import FOLDER, World, cases
from support.server import Server

ALL = [
    pytest.param(profile, case, id=f"{path.stem}-{profile}-{case['case']}")
    for path in sorted(FOLDER.glob("*.json")) for case in cases(path.stem) for profile in ("ecr", "oci")
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    started = {}
    for profile in ("ecr", "oci"):
        started[profile] = Server(
            "--profile", profile, "--quota", "tags-per-image=10", folder=tmp_path_factory.mktemp(profile))
        started[profile].start()
    yield started
    for server in started.values():
        server.stop()


def world_of(server):
    server.reset()
    world = World()
    world.build(server)
    return world


@pytest.mark.parametrize("profile, case", ALL)
def test_answer(servers, profile, case):
    world = world_of(servers[profile])
    expected = case["answer"] if "answer" in case else case[profile]
    world.check(world.send(case), expected)
    if case["send"].startswith("GET ") and case.get("head", True):
        world.check(world.send(case, "HEAD"), expected, head=True)
    servers[profile].check()


# -- what has cases ---------------------------------------------------------------------------------------------------

# The errors that no case shows, each with why, or with the test that shows it.
API_ONLY = "the registry says nothing of what it is about"
ELSEWHERE = {
    "ERR_LAYER_TOO_LARGE": "52,000 MiB would have to be sent",
    "ERR_UPLOAD_BUSY": "test_registry_uploads.py::test_two_writers_on_one_upload",
    "ERR_STORAGE_FULL": "test_disk_full.py::test_a_full_disk",
    "ERR_STORAGE_FAILED": "test_durability.py::test_a_layer_whose_file_is_gone",
    "ERR_THROTTLED": "thousands of requests would have to hold an upload each at the same time",
    "ERR_ACCESS_DENIED": "test_iam_access.py::test_the_instance_pulls_and_cannot_push",
    "ERR_SHUTTING_DOWN": "a server that stops finishes what runs, and takes no more",
    "ERR_MEMORY_SHORT": "test_memory.py::test_unread_answers_where_memory_is_little",
    "ERR_IMAGE_ARCHIVED": "the registry says that there is no such image, as ECR does",
} | dict.fromkeys([
    "ERR_VALIDATION", "ERR_SERIALIZATION", "ERR_UNKNOWN_OPERATION", "ERR_OPERATION_NOT_OFFERED",
    "ERR_MISSING_AUTHENTICATION", "ERR_UNRECOGNIZED_CLIENT", "ERR_INCOMPLETE_SIGNATURE", "ERR_INVALID_SIGNATURE",
    "ERR_REPOSITORY_EXISTS", "ERR_REPOSITORY_NOT_EMPTY", "ERR_INVALID_TAG_PARAMETER", "ERR_TOO_MANY_TAGS",
    "ERR_REPOSITORY_POLICY_NOT_FOUND", "ERR_LIFECYCLE_POLICY_NOT_FOUND", "ERR_REGISTRY_POLICY_NOT_FOUND",
    "ERR_PREVIEW_NOT_FOUND", "ERR_PREVIEW_IN_PROGRESS", "ERR_CREDENTIALS_EXPIRED", "ERR_STS_ACTION",
    "ERR_POLICY_MALFORMED", "ERR_SIGNING_NOT_FOUND", "ERR_TEMPLATE_NOT_FOUND", "ERR_TEMPLATE_EXISTS", "ERR_PULL_THROUGH_RULE_NOT_FOUND",
    "ERR_PULL_THROUGH_RULE_EXISTS", "ERR_UPSTREAM_UNSUPPORTED", "ERR_SECRET_INACCESSIBLE", "ERR_EXCLUSION_NOT_FOUND",
    "ERR_EXCLUSION_EXISTS", "ERR_SETTING_NOT_FOUND", "ERR_IMAGE_NOT_FOUND", "ERR_IMAGE_EXISTS",
    "ERR_STORAGE_CLASS_UPDATE", "ERR_IMAGE_UNSUPPORTED", "ERR_SCAN_NOT_FOUND", "ERR_LAYER_INACCESSIBLE",
    "ERR_LAYER_EXISTS", "ERR_UPLOAD_EMPTY", "ERR_LAYER_PART_INVALID", "ERR_SIGNATURE_REFUSED", "ERR_CREDENTIALS_EXPIRED",
    "ERR_STS_ACTION", "ERR_POLICY_MALFORMED", "ERR_PREVIEW_NOT_FOUND", "ERR_PREVIEW_IN_PROGRESS",
], API_ONLY)

FILES = {
    "ROOT": "version", "CATALOG": "catalog", "TAGS": "tags", "REFERRERS": "referrers", "MANIFEST": "manifests",
    "BLOB": "blobs", "UPLOADS": "uploads", "UPLOAD": "uploads"}


def routes():
    """{(method, file)} of the program's table. HEAD is asked with each GET."""
    source = (SOURCE / "server/registry/route.c").read_text()
    found = re.findall(r"^    \{RESOURCE_(\w+), METHOD_(\w+),", source, re.MULTILINE)
    return {(method.replace("HEAD", "GET"), FILES[resource]) for resource, method in found}


ROUTES = routes()
# What every request passes before its handler, and so every route must show.
OF_EVERY_ROUTE = {"ERR_NOT_AUTHORIZED", "ERR_TOKEN_EXPIRED"}
OF_EVERY_REPOSITORYS_ROUTE = {"ERR_NAME_INVALID", "ERR_REPOSITORY_NOT_FOUND"}


def errors_shown():
    """{error: {(method, file)}} of all cases; fails when an answer is no entry of the table."""
    entries, shown = errors.table(), {}
    for profile, case, name in ((param.values[0], param.values[1], param.id.split("-")[0]) for param in ALL):
        answer = case["answer"] if "answer" in case else case[profile]
        if answer["status"] < 400:
            continue
        code, message = answer.get("error", (None, answer.get("text", "")))
        meant = errors.meant(entries, profile, answer["status"], code, message)
        assert meant, f"{name}: {case['case']}: no error of the table says that"
        for error in meant:
            shown.setdefault(error, set()).add((case["send"].split(" ")[0], name))
    return shown


def test_every_error_has_a_case():
    """Or the reason is named why it has none."""
    entries, shown = errors.table(), errors_shown()
    assert set(entries) - set(shown) - set(ELSEWHERE) == set()
    # An entry whose whole message is its detail says whatever another one says: it is not shown by that.
    told = {name for name, entry in entries.items() if entry.literal() > 0}
    assert set(ELSEWHERE) & set(shown) & told == set(), "has a case by now"
    assert set(ELSEWHERE) <= set(entries)
    for reason in set(ELSEWHERE.values()):
        file, _, test = reason.partition("::")
        assert not test or f"def {test}(" in (Path(__file__).parent / file).read_text(), reason


def test_every_route_has_cases():
    assert len(ROUTES) >= 14
    assert {(case["send"].split(" ")[0], path.stem) for path in FOLDER.glob("*.json") for case in cases(path.stem)} >= ROUTES


@pytest.mark.parametrize("method, name", sorted(ROUTES))
def test_every_route_shows_what_is_looked_at_first(method, name):
    shown = errors_shown()
    wanted = OF_EVERY_ROUTE | (OF_EVERY_REPOSITORYS_ROUTE if name not in ("version", "catalog") else set())
    assert [error for error in sorted(wanted) if (method, name) not in shown[error]] == []
