"""The harness of the functional tests: the real program, driven by a real SDK and by hand-made requests.

Which program: DRYDOCK_BIN, else build/dev/drydock (sanitizers), else build/drydock. A test that ends with the server
gone, with an exit code other than 0 after SIGTERM, or with a sanitizer's report or a busy event loop on its standard error
output, fails.

Fixtures
    drydock          one ephemeral server for the session, emptied and its clock set right before each test
    make_server      factory of own servers: make_server("--auth", "open", data=tmp_path / "data", env={...}).
                     Without `data` it is ephemeral. All are stopped (and must stop well) when the test ends.
                     start=False returns it unstarted. Then: stop(), kill() (SIGKILL), restart(), restart(kill=True)
                     (same port, same data), log(), wait_for_log(text), peak_memory_bytes(), cpu_seconds()
    ecr              boto3 client of `drydock`; one attempt per call, us-east-1, made-up keys
    unchecked_ecr    the same without the SDK's own validation, so that bad parameters reach the server
    repository       the name of an empty repository in `drydock`: "team/app"
    registry         registry client of `drydock`, logged in with a token (support/registry.py)
    anonymous        the same without credentials
    wire             wire() opens a plain HTTP/1.1 connection to `drydock` (support/wire.py)
    tmp_path         pytest's; everything below it is removed at the end of the session

A Server (`drydock`, or what make_server returns) also has
    url, host, port, pid                        "http://127.0.0.1:PORT", "127.0.0.1:PORT", ...
    ecr(region=..., access_key=..., validate=)  boto3 clients; an access key of twelve digits is an account
    sts(), token(), registry(login=...), connect()
    reset(), advance(seconds), set_clock("2026-01-01T00:00:00Z"), admin(method, path, body)

Beside the fixtures
    support.aws.refused     with refused("RepositoryNotFoundException") as error: ...; assert error.message == "..."
    support.images          docker_image(), oci_image(), oci_index([...]), docker_list([...]), oci_artifact(type,
                            subject), random_layer(size), tar_layer({path: bytes}), digest_of(data)
    support.registry        Registry.push_image(repository, image, "v1", "latest"), pull_image(), push_blob(form=...)
                            for each of UPLOAD_FORMS, put_manifest(), ...; error_of(response) -> (code, message)
    support.streams         Pattern(size, seed): gigabytes of reproducible bytes without the memory; pattern_digest()
    support.binary          SOURCE (the checkout), find_binary(), clean_environment(), python_tool("aws")

test_workflow.py is the example to read.
"""

import json
import os
import time
from pathlib import Path

import pytest
from support import shapes
from support.fixtures import *  # noqa: F401,F403

FOLDER = Path(__file__).parent


class WholeRun:
    """What a run of tests/functional has seen, in whatever number of processes it was made.

    Each process that runs tests leaves a file in the folder DRYDOCK_WHOLE_RUN (`make test` names one) when its session
    ends: the tests it ran and what the API answered. The tests marked `last` come in a session after those, and judge
    the sum. Without the folder the one session must have run everything.
    """

    def __init__(self):
        self.folder = os.environ.get("DRYDOCK_WHOLE_RUN")
        self.files, self.expected, self.ran = set(), set(), set()  # paths of files; names of tests

    def save(self):
        if self.folder and self.ran:
            os.makedirs(self.folder, exist_ok=True)
            Path(self.folder, f"{os.getpid()}-{time.time_ns()}.json").write_text(json.dumps({
                "ran": sorted(self.ran), "errors": sorted(shapes.SEEN_ERRORS), "success": sorted(shapes.SEEN_SUCCESS),
                "pages": sorted(shapes.SEEN_PAGES)}))

    def load(self):
        """Adds what the other processes have left."""
        for file in Path(self.folder).glob("*.json") if self.folder else ():
            seen = json.loads(file.read_text())
            self.ran |= set(seen["ran"])
            shapes.SEEN_ERRORS.update(map(tuple, seen["errors"]))
            shapes.SEEN_SUCCESS.update(seen["success"])
            shapes.SEEN_PAGES.update(seen["pages"])


def pytest_configure(config):
    config.drydock_whole_run = WholeRun()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Before -m and -k take some away. What takes long comes first, so that no process is left with it at the end; what looks
    back at the run comes last."""
    items.sort(key=lambda item: 2 if item.get_closest_marker("last") else 0 if item.get_closest_marker("long") else 1)
    run = config.drydock_whole_run
    run.files = {item.path for item in items}
    run.expected = {item.nodeid for item in items if not item.get_closest_marker("last")}


def pytest_runtest_setup(item):
    item.config.drydock_whole_run.ran.add(item.nodeid)


def pytest_sessionfinish(session):
    session.config.drydock_whole_run.save()


@pytest.fixture
def whole_run(request):
    """Skips a test that looks back at the run when that was only a part of tests/functional; where the run is said to
    be whole it fails, and names what is missing."""
    run = request.config.drydock_whole_run
    run.load()
    whole = run.files.issuperset(FOLDER.glob("test_*.py")) and not any("::" in name for name in request.config.args)
    missing = sorted(run.expected - run.ran)
    if missing or not whole:
        reason = f"looks back at a whole run of tests/functional, and {len(missing) or 'some'} of its tests were not run"
        if not run.folder:
            pytest.skip(reason)
        pytest.fail("\n".join([reason, *missing[:20]]))
