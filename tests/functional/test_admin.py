"""Drydock's own doors: health, reset, clock, metrics, and who may not use them."""

import json
import re
import subprocess

import pytest
from support.binary import clean_environment, find_binary
from support.images import oci_image
from support.transfer import Transfer

UTC = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z")


def door(client, method, path, **arguments):
    return client.request(method, f"{client.url}/{path}", **arguments)


# -- health -----------------------------------------------------------------------------------------------------------

def test_health(drydock, anonymous):
    response = door(anonymous, "GET", "_drydock/health")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    version = subprocess.run([find_binary(), "version"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert response.json() == {"status": "ok", "version": version}
    assert door(anonymous, "HEAD", "_drydock/health").status_code == 200


def ask_health(*options, **environment):
    return subprocess.run(
        [find_binary(), "health", *options], capture_output=True, text=True, timeout=30,
        env=clean_environment(**environment))


def test_the_health_verb(drydock, make_server):
    for answer in (ask_health("--listen", drydock.host), ask_health(DRYDOCK_LISTEN=drydock.host)):
        assert (answer.returncode, json.loads(answer.stdout)["status"]) == (0, "ok")
    gone = make_server()
    gone.stop()
    answer = ask_health("--listen", gone.host)
    assert answer.returncode == 1
    assert f"nothing that answers listens on 127.0.0.1:{gone.port}" in answer.stderr
    assert "--listen" in answer.stderr
    assert ask_health("--listen", "nonsense").returncode == 2


# -- reset ------------------------------------------------------------------------------------------------------------

def test_reset_removes_everything(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    places = [{}, {"access_key": "123456789012", "region": "eu-west-1"}]
    image = oci_image(layers=2, size=200_000)
    for place in places:
        server.ecr(**place).create_repository(repositoryName="app")
        registry = server.registry(server.token(**place))
        registry.push_image("app", image, "v1")
        registry.patch_upload(registry.start_upload("app").headers["Location"], b"x" * 100_000)
        registry.close()
    login = server.token()
    server.advance(3600)
    server.admin("POST", "reset")
    for place in places:
        assert server.ecr(**place).describe_repositories()["repositories"] == []
    assert server.admin("GET", "clock")["offset_seconds"] == 0

    registry = server.registry(login)  # a token holds on: it says who asks, not what there is
    assert registry.tags("app").status_code == 404
    server.ecr().create_repository(repositoryName="app")
    assert registry.head_blob("app", image.layers[0].digest).status_code == 404
    registry.push_image("app", image, "v2")
    assert registry.pull_image("app", "v2") == image.manifest
    registry.close()
    server.restart(kill=True)
    registry = server.registry(login)
    assert registry.tags("app").json()["tags"] == ["v2"]
    assert registry.pull_image("app", "v2") == image.manifest
    registry.close()


def test_reset_gives_the_disk_back(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    registry = server.registry()
    registry.push_image("app", oci_image(layers=3, size=1 << 20), "v1")
    registry.close()

    def large_files():
        return [path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.stat().st_size >= 1 << 20
                and path.parent.name != "data"]

    assert len(large_files()) == 3
    server.admin("POST", "reset")
    server.stop()
    assert large_files() == []


@pytest.mark.parametrize("size", [1000, 500_000])
def test_reset_in_the_middle_of_an_upload(drydock, ecr, size):
    """The upload is gone like everything else; its client is told so, and may begin anew."""
    ecr.create_repository(repositoryName="app")
    registry = drydock.registry()
    location = registry.start_upload("app").headers["Location"]
    running = Transfer(drydock, drydock.token(), "PATCH", location, size)
    running.send(b"x" * (size // 2))
    drydock.admin("POST", "reset")
    running.send(b"x" * (size - size // 2))
    answer = running.finish()
    assert answer.status == 404 and (b"BLOB_UPLOAD_UNKNOWN" in answer.body or b"NAME_UNKNOWN" in answer.body)
    ecr.create_repository(repositoryName="app")
    assert registry.upload_status(location).status_code == 404
    image = oci_image(size=size)
    registry.push_image("app", image, "v1")
    assert registry.pull_image("app", "v1") == image.manifest
    registry.close()


def test_reset_again_and_again(drydock, ecr, registry):
    image = oci_image()
    for _ in range(5):
        ecr.create_repository(repositoryName="app")
        registry.push_image("app", image, "v1")
        drydock.admin("POST", "reset")
        assert ecr.describe_repositories()["repositories"] == []


# -- the clock --------------------------------------------------------------------------------------------------------

def test_the_clock(drydock):
    told = drydock.admin("GET", "clock")
    assert set(told) == {"now", "offset_seconds"} and told["offset_seconds"] == 0
    assert UTC.fullmatch(told["now"])
    moved = drydock.set_clock("2026-01-01T00:00:00Z")
    assert moved["now"].startswith("2026-01-01T00:00:0") and UTC.fullmatch(moved["now"])
    assert moved["offset_seconds"] != 0
    assert drydock.advance(2592000)["now"].startswith("2026-01-31T00:00:")
    assert drydock.advance(-86400)["now"].startswith("2026-01-30T00:00:")
    assert drydock.admin("GET", "clock")["now"].startswith("2026-01-30T00:00:")
    back = drydock.admin("POST", "clock", {"reset": True})
    assert back["offset_seconds"] == 0 and back["now"][:16] >= told["now"][:16]


def test_the_clock_runs_on(drydock):
    moments = [drydock.set_clock("2030-06-01T12:00:00.500Z")["now"]]
    moments += [drydock.admin("GET", "clock")["now"] for _ in range(20)]
    assert moments[0].startswith("2030-06-01T12:00:00.5") and moments == sorted(moments)


def test_fractions_of_a_second(drydock):
    before = drydock.admin("POST", "clock", {"reset": True})["offset_seconds"]
    assert drydock.advance(0.25)["offset_seconds"] == before + 0.25
    assert drydock.advance(-0.25)["offset_seconds"] == before


def test_what_is_made_has_the_clocks_time(drydock, ecr):
    drydock.set_clock("2031-02-03T04:05:06Z")
    created = ecr.create_repository(repositoryName="app")["repository"]["createdAt"]
    assert created.astimezone().timestamp() // 60 == 1927857906 // 60


def test_the_clock_keeps_its_offset_over_a_restart(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    server.set_clock("2040-01-01T00:00:00Z")
    for kill in (True, False):
        server.restart(kill=kill)
        assert server.admin("GET", "clock")["now"].startswith("2040-01-01T00:0")
    server.admin("POST", "clock", {"reset": True})
    server.restart(kill=True)
    assert server.admin("GET", "clock")["offset_seconds"] == 0


def test_the_clock_is_set_by_a_time_of_any_zone(drydock):
    assert drydock.admin("POST", "clock", {"set": "2026-01-01T01:30:00+01:30"})["now"].startswith("2026-01-01T00:00:0")


@pytest.mark.parametrize("body", [
    b"", b"{}", b"[]", b"null", b"now", b"{", b'{"advance_seconds": "60"}', b'{"advance_seconds": null}',
    b'{"advance_seconds": 1e300}', b'{"advance_seconds": -1e11}', b'{"advance_seconds": 1e12}', b'{"reset": false}',
    b'{"reset": "yes"}', b'{"set": 1767225600}', b'{"set": ""}', b'{"set": "2026-01-01"}',
    b'{"set": "2026-13-01T00:00:00Z"}',
    b'{"set": "2026-02-29T00:00:00Z"}', b'{"set": "2026-01-01T24:00:00Z"}', b'{"set": "2026-01-01T00:00:00"}',
    b'{"set": "2026-01-01T00:00:00+24:00"}', b'{"set": "1969-12-31T23:59:59Z"}', b'{"set": "tomorrow"}',
    b'{"advance_seconds": 1, "reset": true}', b'{"advance": 1}', b'{"advance_seconds": 1} x', b'{"set": "\xff"}'])
def test_bad_moves_of_the_clock(drydock, anonymous, body):
    before = drydock.set_clock("2026-01-01T00:00:00Z")["offset_seconds"]
    response = door(anonymous, "POST", "_drydock/clock", data=body)
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/json")
    message = response.json()["message"]
    assert "advance_seconds" in message and '{"set": "2026-01-01T00:00:00Z"}' in message
    assert drydock.admin("GET", "clock")["offset_seconds"] == before


# -- metrics ----------------------------------------------------------------------------------------------------------

def read_metrics(client):
    response = door(client, "GET", "metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    values, kinds = {}, {}
    for line in response.text.splitlines():
        if line.startswith("#"):
            _, word, name, rest = line.split(" ", 3)
            assert word in ("HELP", "TYPE") and rest
            kinds[name] = rest if word == "TYPE" else kinds.get(name)
        else:
            name, value = line.split(" ")
            values[name] = int(value)
    assert set(values) == set(kinds)
    assert all(name.endswith("_total") for name, kind in kinds.items() if kind == "counter")
    return values


def test_metrics(drydock, anonymous, wire):
    before = read_metrics(anonymous)
    for _ in range(7):
        door(anonymous, "GET", "_drydock/health")
    connection = wire()
    connection.send(b"nonsense\r\n\r\n")
    assert connection.read_response().status == 400
    after = read_metrics(anonymous)
    assert after["drydock_requests_total"] - before["drydock_requests_total"] == 9
    assert after["drydock_requests_refused_total"] - before["drydock_requests_refused_total"] == 1
    assert after["drydock_connections_total"] - before["drydock_connections_total"] == 1
    assert after["drydock_connections_open"] >= 1
    for name in ("drydock_received_bytes_total", "drydock_sent_bytes_total"):
        assert after[name] - before[name] > 7 * 50


# -- who may not ------------------------------------------------------------------------------------------------------

DOORS = [
    ("GET", "_drydock/health"), ("POST", "_drydock/reset"), ("GET", "_drydock/clock"), ("POST", "_drydock/clock"),
    ("GET", "metrics")]


@pytest.mark.parametrize("method, path", DOORS)
def test_pages_of_other_origins(drydock, ecr, anonymous, method, path):
    """A web page that someone happens to look at must not move clocks and empty stores."""
    ecr.create_repository(repositoryName="app")
    origins = [
        "http://evil.example", "https://evil.example:443", "null", "http://localhost",
        f"http://localhost:{drydock.port}",
        f"http://evil{drydock.host}", f"http://{drydock.host}.evil.example", f"http://{drydock.host}@evil.example",
        f"http://evil.example/{drydock.host}"]
    for origin in origins:
        response = door(anonymous, method, path, headers={"Origin": origin})
        assert response.status_code == 403, origin
        assert response.json()["message"] == "Web pages of other origins may not use this interface."
    assert len(ecr.describe_repositories()["repositories"]) == 1
    own = door(anonymous, method, path, headers={"Origin": f"http://{drydock.host}"}, data=b'{"reset": true}')
    assert own.status_code == 200


@pytest.mark.parametrize("method, path, status, message", [
    ("GET", "_drydock/", 404, "There is nothing at this path."),
    ("GET", "_drydock/nothing", 404, "There is nothing at this path."),
    ("POST", "_drydock/health/", 404, "There is nothing at this path."),
    ("GET", "_drydock/reset", 405, "This path does not take this method."),
    ("POST", "_drydock/health", 405, "This path does not take this method."),
    ("PUT", "_drydock/clock", 405, "This path does not take this method."),
    ("DELETE", "metrics", 405, "This path does not take this method.")])
def test_doors_that_are_none(anonymous, method, path, status, message):
    response = door(anonymous, method, path, data=b"{}" if method != "GET" else None)
    assert (response.status_code, response.json()) == (status, {"message": message})
