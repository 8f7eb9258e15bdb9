"""The client scenarios: real clients, unchanged, against the real program.

    engine          a docker engine of the session's own (engine.py), emptied and logged out before each test
    make_server     as in tests/functional/conftest.py, which is the guide to the rest as well

A client that is not installed skips its scenarios; under `make test-clients`, which installs them all, nothing is
skipped.
"""

import pytest
from engine import Engine, find_docker
from support.fixtures import *  # noqa: F401,F403


def pytest_collection_modifyitems(items):
    """Which tests one process runs (--dist loadgroup): those of a file, which share what its fixtures made; and all that
    want the session's engine, which is one."""
    for item in items:
        group = "engine" if "session_engine" in item.fixturenames else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def session_engine():
    try:
        find_docker()
    except (FileNotFoundError, PermissionError) as reason:
        pytest.skip(str(reason))
    engine = Engine()
    try:
        yield engine.start()
    finally:
        engine.stop()


@pytest.fixture
def engine(session_engine):
    session_engine.clear()
    yield session_engine
    session_engine.clear()
