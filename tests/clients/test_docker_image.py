"""The container image of docker/: built, started by hand and by the compose file, pushed to and stopped."""

import json
import shutil
import socket
import time
from types import SimpleNamespace

import pytest
from application import Application
from base_image import import_base
from engine import run
from support import aws
from support.binary import SOURCE

pytestmark = [pytest.mark.image, pytest.mark.timeout(1200)]

SIZE_AIM = 8_000_000


@pytest.fixture(scope="module")
def image(session_engine, tmp_path_factory):
    """The image, built by the Dockerfile on a fresh system, without a network."""
    session_engine.clear()
    import_base(session_engine, "base", tmp_path_factory.mktemp("base") / "root")
    session_engine.docker(
        "build", "--network", "none", "--build-arg", "BASE=base", "--tag", "drydock", "--file",
        SOURCE / "docker/Dockerfile", SOURCE)
    yield json.loads(session_engine.docker("image", "inspect", "drydock").stdout)[0]
    session_engine.clear()


@pytest.fixture
def run_image(session_engine, image):
    """Starts a container of the image; returns its id."""
    containers = []

    def run_container(*options, arguments=()):
        started = session_engine.docker("run", "--detach", *options, "drydock", *arguments)
        containers.append(started.stdout.strip())
        return containers[-1]

    yield run_container
    for container in containers:
        print(logs(session_engine, container))  # shown when the test failed
        session_engine.docker("rm", "--force", container)


@pytest.fixture
def compose(session_engine, image):
    """compose("up", ...): the compose file as a user runs it, on a free port (compose.port)."""
    program = shutil.which("docker-compose")
    assert program, "docker-compose is missing: tests/setup/install.sh clients"
    port = free_port()
    environment = session_engine.env | {"DRYDOCK_PORT": str(port), "COMPOSE_PROJECT_NAME": "drydock-test"}

    def command(*arguments):
        return run([program, "--file", str(SOURCE / "docker/compose.yaml"), *arguments], environment).stdout

    command.port = port
    yield command
    print(command("logs"))  # shown when the test failed
    command("down", "--volumes")


def logs(engine, container):
    result = engine.docker("logs", container, check=False)
    return result.stdout + result.stderr


def inspect(engine, container):
    return json.loads(engine.docker("inspect", container).stdout)[0]


def wait_until_healthy(engine, container, seconds=60):
    """Waits for docker's own opinion, which comes from the HEALTHCHECK."""
    deadline = time.monotonic() + seconds
    while (state := inspect(engine, container)["State"])["Health"]["Status"] != "healthy":
        assert state["Running"], logs(engine, container)
        assert time.monotonic() < deadline, state
        time.sleep(0.2)


def stop(engine, container):
    """`docker stop` is SIGTERM; a program that has to be killed would end with 137."""
    engine.docker("stop", container)
    assert inspect(engine, container)["State"]["ExitCode"] == 0, logs(engine, container)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_image_is_small_and_unprivileged(image, capsys):
    with capsys.disabled():
        print(f"\nthe container image has {image['Size']:,} bytes")
    assert image["Size"] < SIZE_AIM
    user = image["Config"]["User"].split(":")[0]
    assert user.isdigit() and int(user) > 0
    assert "/data" in image["Config"]["Volumes"]
    assert image["Config"]["Healthcheck"]["Test"] == ["CMD", "drydock", "health"]


def test_starts_as_it_is(session_engine, run_image):
    container = run_image("--network", "none")
    wait_until_healthy(session_engine, container)
    session_engine.docker("exec", container, "drydock", "health")
    stop(session_engine, container)


def test_health_of_nothing_is_bad(session_engine, image):
    assert session_engine.refused("run", "--rm", "--network", "none", "drydock", "health") != ""


def test_runs_without_keeping_anything(session_engine, run_image):
    container = run_image("--network", "none", "--tmpfs", "/tmp:mode=1777", arguments=("serve", "--ephemeral"))
    wait_until_healthy(session_engine, container)
    stop(session_engine, container)


def test_compose_up_push_and_find_it_again(session_engine, compose, tmp_path):
    engine, host = session_engine, f"127.0.0.1:{compose.port}"
    server = SimpleNamespace(host=host, url=f"http://{host}")
    compose("up", "--detach", "--no-build")
    wait_until_healthy(engine, compose("ps", "--quiet").strip())

    ecr = aws.client("ecr", server.url)
    uri = ecr.create_repository(repositoryName="team/app")["repository"]["repositoryUri"]
    assert uri == f"{host}/team/app"
    engine.login(server)
    expected = Application(tmp_path / "application", [100_000]).build(engine, "one", f"{uri}:v1")
    digest, _ = engine.push(f"{uri}:v1")

    compose("down")
    compose("up", "--detach", "--no-build")
    wait_until_healthy(engine, compose("ps", "--quiet").strip())
    details = ecr.describe_images(repositoryName="team/app")["imageDetails"]
    assert [(detail["imageDigest"], detail["imageTags"]) for detail in details] == [(digest, ["v1"])]
    engine.docker("image", "rm", f"{uri}:v1")
    engine.docker("pull", f"{uri}:v1")
    assert engine.run(f"{uri}:v1") == expected
