"""Who holds the connections: at the limit those that do nothing give way to those that want something.

The times and rates themselves are the unit tests' business (tests/unit/http/test_fairness.c).
"""

import re
import resource
import socket
import threading

import pytest
from support.images import docker_image

LIMIT = 40


@pytest.fixture
def crowd():
    """crowd(server, count): opens so many connections, the first one first."""
    opened = []

    def make(server, count, asks=False):
        made = []
        for _ in range(count):
            opened.append(server.connect())
            made.append(opened[-1])
            if asks:
                assert asks_health(made[-1])
        return made

    yield make
    for connection in opened:
        connection.close()


def asks_health(connection):
    connection.request("GET", "/_drydock/health")
    return connection.read_response().status == 200


def is_closed(connection):
    connection.socket.settimeout(5)
    try:
        return connection.at_end()
    except socket.timeout:
        return False


def displaced(server):
    with server.connect() as connection:
        connection.request("GET", "/metrics")
        text = connection.read_response().body.decode()
    return int(re.search(r"^drydock_connections_displaced_total (\d+)$", text, re.MULTILINE)[1])


@pytest.mark.parametrize("asks", [True, False], ids=["between requests", "silent"])
def test_pushes_go_on_at_the_limit(make_server, crowd, asks):
    server = make_server("--max-connections", str(LIMIT), "--auth", "open")
    server.ecr().create_repository(repositoryName="team/app")
    idle = crowd(server, 3 * LIMIT, asks)
    registry = server.registry(login=None)
    for number in range(5):
        image = docker_image(layers=2, size=100_000)
        registry.push_image("team/app", image, f"v{number}")
        assert registry.pull_image("team/app", f"v{number}") == image.manifest
    registry.close()
    assert displaced(server) >= 2 * LIMIT
    if asks:  # in this order; of those that come at once any may be the first
        assert all(is_closed(connection) for connection in idle[:2 * LIMIT])
        assert asks_health(idle[-1]), "the one that came last was idle for the shortest time"


def test_an_upload_under_way_is_not_cut(make_server, crowd):
    server = make_server("--max-connections", str(LIMIT), "--auth", "open")
    server.ecr().create_repository(repositoryName="team/app")
    layer = docker_image(layers=1, size=20 << 20).layers[0]
    registry = server.registry(login=None)
    upload = registry.start_upload("team/app").headers["Location"]
    with server.connect() as connection:
        connection.request("PATCH", upload, [("Content-Length", str(len(layer.data)))])
        for at in range(0, len(layer.data), 1 << 20):
            connection.send(layer.data[at:at + (1 << 20)])
            crowd(server, LIMIT // 4)
        assert connection.read_response().status == 202
    registry.close()


def test_out_of_descriptors(make_server, crowd):
    """The system may allow fewer than --max-connections: then that is the limit."""
    server = make_server("--auth", "open")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (64, 64))
    silent = crowd(server, 200)
    with server.connect() as connection:
        assert asks_health(connection)
    assert is_closed(silent[0])


def test_many_at_once_are_all_served(make_server, crowd):
    """Each in a moment: more than the limit, from several sides, beside those that do nothing."""
    server = make_server("--max-connections", str(LIMIT), "--auth", "open")
    crowd(server, LIMIT)
    failed = []

    def ask():
        for _ in range(50):
            try:
                with server.connect() as connection:
                    assert asks_health(connection)
            except (AssertionError, OSError, EOFError) as error:
                failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
