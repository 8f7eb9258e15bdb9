"""The fixtures; tests/functional/conftest.py is the guide to them."""

import pytest

from .server import Server


def serve(tmp_path_factory, *options):
    """The body of a `shared_server`: a module that needs options of its own overrides that fixture with one."""
    server = Server(*options, folder=tmp_path_factory.mktemp("shared"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    """The one ephemeral server of the session; tests ask for `drydock`, which empties it first."""
    yield from serve(tmp_path_factory)


@pytest.fixture
def drydock(shared_server):
    if not shared_server.alive():
        shared_server.start()
    shared_server.reset()
    log_begins = len(shared_server.log(limit=None))
    yield shared_server
    print(shared_server.log(limit=None)[log_begins:][-20000:])  # shown when the test failed
    shared_server.check()


@pytest.fixture
def make_server(tmp_path):
    servers = []

    def make(*options, start=True, kind=Server, **settings):
        server = kind(*options, folder=tmp_path, **settings)
        servers.append(server)
        return server.start() if start else server

    yield make
    failures = []
    for server in reversed(servers):
        print(server.log())  # shown when the test failed
        try:
            server.stop()
            server.check_reports()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture
def ecr(drydock):
    return drydock.ecr()


@pytest.fixture
def unchecked_ecr(drydock):
    return drydock.ecr(validate=False)


@pytest.fixture
def registry(drydock):
    registry = drydock.registry()
    yield registry
    registry.close()


@pytest.fixture
def anonymous(drydock):
    registry = drydock.registry(login=None)
    yield registry
    registry.close()


@pytest.fixture
def wire(drydock):
    opened = []

    def connect(**settings):
        opened.append(drydock.connect(**settings))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def repository(ecr):
    """The name of a repository that exists and is empty."""
    return ecr.create_repository(repositoryName="team/app")["repository"]["repositoryName"]
