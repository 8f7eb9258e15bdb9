"""Every route and every error of the registry, in both profiles, held against testdata/registry/*.json."""

import pytest
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
        started[profile] = Server("--profile", profile, folder=tmp_path_factory.mktemp(profile))
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
    if case["send"].startswith("GET "):
        world.check(world.send(case, "HEAD"), expected, head=True)
    servers[profile].check()


def test_every_route_has_cases(servers):
    """The routes that the program has are those of testdata/registry."""
    routes = {(case["send"].split(" ")[0], path.stem) for path in FOLDER.glob("*.json") for case in cases(path.stem)}
    assert {
        ("GET", "version"), ("GET", "catalog"), ("GET", "tags"), ("GET", "referrers"),
        ("GET", "manifests"), ("PUT", "manifests"), ("DELETE", "manifests"), ("GET", "blobs"), ("DELETE", "blobs"),
        ("POST", "uploads"), ("GET", "uploads"), ("PATCH", "uploads"), ("PUT", "uploads"), ("DELETE", "uploads"),
    } <= routes
