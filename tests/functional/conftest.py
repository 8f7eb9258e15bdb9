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

from pathlib import Path

import pytest
from support.fixtures import *  # noqa: F401,F403


def pytest_collection_modifyitems(items):
    """What looks back at the run comes last."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def pytest_deselected(items):
    items[0].config.drydock_deselected = True


@pytest.fixture
def whole_run(request):
    """Skips a test that looks back at the run when that is only a part of tests/functional."""
    config, folder = request.config, Path(__file__).parent
    collected = {item.path for item in request.session.items}
    part = getattr(config, "drydock_deselected", False) or any("::" in argument for argument in config.args)
    if part or not collected.issuperset(folder.glob("test_*.py")):
        pytest.skip("looks back at a whole run of tests/functional")
