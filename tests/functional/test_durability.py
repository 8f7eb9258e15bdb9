"""What was acknowledged is there after kill -9, nothing half-made is, and a client's retry succeeds."""

import os
import random
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
import requests
from support.binary import clean_environment, find_binary
from support.images import digest_of, docker_image, oci_image, oci_index
from support.refusals import refusal
from support.transfer import Transfer
from support.waiting import wait_until

SMALL, LARGE = 1000, 300_000  # a blob that is a row, and one that is a file


@pytest.fixture
def server(make_server, tmp_path):
    """A server that keeps its data, with the repository app; login holds over restarts. Parts of uploads may have any
    size (what ECR wants of them is test_quirks.py's)."""
    server = make_server("--quirk", "chunk-minimum=off", data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    server.login = server.token()
    return server


@pytest.fixture
def registry(server):
    registry = server.registry(server.login)
    yield registry
    registry.close()


def crash(server):
    server.restart(kill=True)


def tags_by_digest(server):
    pages = server.ecr().get_paginator("describe_images").paginate(repositoryName="app")
    return {detail["imageDigest"]: detail.get("imageTags", []) for page in pages for detail in page["imageDetails"]}


def acknowledged(registry, location):
    """How many bytes of an upload the server has; it tells none and one alike."""
    response = registry.upload_status(location)
    assert response.status_code == 204, response.text
    return int(response.headers["Range"].split("-")[1]) + 1


# -- kill -9 after each acknowledgement -------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_every_acknowledged_step_holds(server, registry, size):
    """Blob by blob, manifest, tags, an index, deletions: after each answer the process dies."""
    image, other = docker_image(layers=1, size=size), oci_image(layers=1, size=size)
    index = oci_index([image, other])
    for blob in image.blobs + other.blobs:
        assert registry.push_blob("app", blob.data).status_code == 201
        crash(server)
        assert registry.head_blob("app", blob.digest).headers["Content-Length"] == str(blob.size)
        assert registry.get_blob("app", blob.digest).content == blob.data
    assert tags_by_digest(server) == {}

    registry.push_image("app", image, "v1")
    crash(server)
    assert tags_by_digest(server) == {image.digest: ["v1"]}
    assert registry.pull_image("app", "v1") == image.manifest

    registry.push_image("app", other, "v1", "v2")
    crash(server)
    assert tags_by_digest(server) == {image.digest: [], other.digest: ["v1", "v2"]}
    registry.push_image("app", index, "multi")
    crash(server)
    assert registry.pull_image("app", "multi") == index.manifest

    ecr = server.ecr()
    ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])
    crash(server)
    assert tags_by_digest(server)[other.digest] == ["v2"]
    ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "multi"}, {"imageDigest": other.digest}])
    crash(server)
    assert tags_by_digest(server) == {image.digest: []}
    ecr.delete_repository(repositoryName="app", force=True)
    crash(server)
    assert ecr.describe_repositories()["repositories"] == []


def test_every_change_by_the_api_holds(server):
    ecr = server.ecr()
    created = ecr.create_repository(
        repositoryName="team/app", imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}],
        imageScanningConfiguration={"scanOnPush": True}, encryptionConfiguration={"encryptionType": "KMS"},
        tags=[{"Key": "a", "Value": "b"}])["repository"]
    crash(server)
    assert ecr.describe_repositories(repositoryNames=["team/app"])["repositories"] == [created]
    ecr.delete_repository(repositoryName="team/app")
    crash(server)
    assert [one["repositoryName"] for one in ecr.describe_repositories()["repositories"]] == ["app"]
    server.admin("POST", "reset")
    crash(server)
    assert ecr.describe_repositories()["repositories"] == []


# -- kill -9 in the middle --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [SMALL, 60_000, 70_000, LARGE, 5 << 20])
@pytest.mark.parametrize("step", ["PATCH", "PUT"])
def test_in_the_middle_of_an_upload(server, registry, size, step):
    """The bytes of a part that was not acknowledged count only as far as the server says."""
    data = os.urandom(size)
    location = registry.start_upload("app").headers["Location"]
    first = size // 3
    assert registry.patch_upload(location, data[:first]).status_code == 202
    path = location if step == "PATCH" else f"{location}?digest={digest_of(data)}"
    running = Transfer(server, server.login, step, path, size - first)
    running.send(data[first:2 * size // 3])
    crash(server)
    running.vanish()

    assert registry.head_blob("app", digest_of(data)).status_code == 404
    had = acknowledged(registry, location)
    assert first <= had <= 2 * size // 3, "nothing that was acknowledged is lost"
    assert registry.finish_upload(location, digest_of(data), data[had:], had).status_code == 201
    assert registry.get_blob("app", digest_of(data)).content == data


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("sizes", [[SMALL] * 3, [LARGE] * 3, [SMALL, LARGE], [60_000, 6000]], ids=str)
def test_an_upload_goes_on_after_every_part(server, registry, sizes, kill):
    data = os.urandom(sum(sizes))
    location, first = registry.start_upload("app").headers["Location"], 0
    for size in sizes:
        server.restart(kill=kill)
        assert registry.patch_upload(location, data[first:first + size], first).status_code == 202
        first += size
        server.restart(kill=kill)
        assert acknowledged(registry, location) == first
        response = registry.patch_upload(location, b"x", first + 1)
        assert (response.status_code, response.headers["Range"]) == (416, f"0-{first - 1}")
    assert registry.finish_upload(location, digest_of(data)).status_code == 201
    server.restart(kill=kill)
    assert registry.get_blob("app", digest_of(data)).content == data
    assert registry.upload_status(location).status_code == 404


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_wrong_digest_after_a_restart(server, registry, size):
    """The hash that grew with the bytes is lost with the process: they are read again."""
    data = os.urandom(size)
    for algorithm in ("sha256", "sha512"):
        location = registry.start_upload("app").headers["Location"]
        registry.patch_upload(location, data)
        crash(server)
        wrong = f"{algorithm}:" + "0" * (64 if algorithm == "sha256" else 128)
        assert refusal(registry.finish_upload(location, wrong))[:2] == (400, "DIGEST_INVALID")
        assert registry.upload_status(location).status_code == 404
    assert registry.head_blob("app", digest_of(data)).status_code == 404


def test_between_blobs_and_manifest(server, registry):
    image = docker_image(layers=3, size=LARGE)
    for blob in image.blobs:
        registry.push_blob("app", blob.data)
    crash(server)
    assert tags_by_digest(server) == {} and registry.tags("app").json()["tags"] == []
    for blob in image.blobs:
        assert registry.head_blob("app", blob.digest).status_code == 200, "the client need not send it again"
    assert registry.put_manifest("app", "v1", image.manifest, image.media_type).status_code == 201
    crash(server)
    assert registry.pull_image("app", "v1") == image.manifest


def test_in_the_middle_of_a_manifest(server, registry):
    image = oci_image()
    for blob in image.blobs:
        registry.push_blob("app", blob.data)
    running = Transfer(
        server, server.login, "PUT", "/v2/app/manifests/v1", image.size, [("Content-Type", image.media_type)])
    running.send(image.manifest[:-1])
    crash(server)
    running.vanish()
    assert tags_by_digest(server) == {}
    registry.push_image("app", image, "v1")
    assert registry.pull_image("app", "v1") == image.manifest


@pytest.mark.parametrize("seed", range(3))
def test_in_the_middle_of_everything(server, seed):
    """Four clients push without end, the process dies at some moment: every image that was acknowledged is whole, every
    other one is whole or not there, and pushing on works."""
    sure, begun = {}, {}

    def push(number):
        client = server.registry(server.login)
        try:
            for count in range(1000):
                tag = f"c{number}-{count}"
                image = docker_image(layers=2, size=random.choice((10, 5000, 100_000)))
                begun[tag] = image
                client.push_image("app", image, tag)
                sure[tag] = image
        except requests.RequestException:
            pass
        finally:
            client.close()

    threads = [threading.Thread(target=push, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(sure) > 10, seconds=60)
    time.sleep(0.17 * seed)
    server.kill()
    for thread in threads:
        thread.join()
    server.start()

    registry = server.registry(server.login)
    there = {tag for tags in tags_by_digest(server).values() for tag in tags}
    assert there >= set(sure) and there <= set(begun)
    for tag in there:
        assert registry.pull_image("app", tag) == begun[tag].manifest
    for tag, image in begun.items():
        registry.push_image("app", image, tag)
        assert registry.pull_image("app", tag) == image.manifest
    registry.close()


def test_abandoned_uploads_leave_no_bytes(server, registry, tmp_path):
    """Cancelled, refused and finished ones; over a crash as well."""
    data = os.urandom(1 << 20)
    locations = [registry.start_upload("app").headers["Location"] for _ in range(4)]
    for location in locations:
        registry.patch_upload(location, data)
    crash(server)
    registry.cancel_upload(locations[0])
    registry.finish_upload(locations[1], "sha256:" + "0" * 64)
    registry.finish_upload(locations[2], digest_of(data))
    registry.cancel_upload(locations[3])
    server.stop()
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.stat().st_size == len(data)]
    assert [path.name for path in files] == [digest_of(data).split(":")[1]]
    server.start()


# -- stopping ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_sigterm_lets_an_upload_finish(server, registry, size):
    """What runs goes on, what is idle is closed, what is new finds nobody; then it ends, with exit code 0."""
    data = os.urandom(size)
    idle = server.connect()
    idle.request("GET", "/_drydock/health")
    assert idle.read_response().status == 200
    running = Transfer(
        server, server.login, "POST", f"/v2/app/blobs/uploads/?digest={digest_of(data)}", size)
    running.send(data[:size // 2])
    process = server.process
    process.send_signal(signal.SIGTERM)
    assert idle.at_end()
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        for _ in range(200):
            socket.create_connection(("127.0.0.1", server.port)).close()
            time.sleep(0.01)
    assert process.poll() is None
    running.send(data[size // 2:])
    answer = running.finish()
    assert (answer.status, answer.header("connection")) == (201, "close")
    assert server.wait_for_exit() == 0
    server.start()
    assert registry.get_blob("app", digest_of(data)).content == data


def test_sigterm_does_not_wait_for_ever(server, registry):
    """An upload that does not go on is cut after ten seconds; what came of it is kept."""
    data = os.urandom(LARGE)
    location = registry.start_upload("app").headers["Location"]
    running = Transfer(server, server.login, "PATCH", location, LARGE)
    running.send(data[:LARGE // 2])
    began = time.monotonic()
    server.stop()
    assert 9 < time.monotonic() - began < 25
    running.vanish()
    server.start()
    had = acknowledged(registry, location)
    assert had == LARGE // 2
    assert registry.finish_upload(location, digest_of(data), data[had:], had).status_code == 201


def test_a_second_signal_ends_it_at_once(server, registry):
    """Also then nothing that was acknowledged is lost."""
    server.env["TSAN_OPTIONS"] = "report_thread_leaks=0"  # so abrupt an end joins no thread
    server.restart()
    data = os.urandom(LARGE)
    location = registry.start_upload("app").headers["Location"]
    registry.patch_upload(location, data[:1000])
    running = Transfer(server, server.login, "PATCH", location, LARGE - 1000)
    running.send(data[1000:2000])
    process = server.process
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert server.wait_for_exit() != 0
    assert time.monotonic() - began < 5
    running.vanish()
    server.start()
    had = acknowledged(registry, location)
    assert registry.finish_upload(location, digest_of(data), data[had:], had).status_code == 201


def test_the_port_is_kept(server):
    """A restart finds its port again, with connections of before still around."""
    port, held = server.port, [server.connect() for _ in range(5)]
    for connection in held:
        connection.request("GET", "/_drydock/health")
        connection.read_response()
    for kill in (False, True, False):
        server.restart(kill=kill)
        assert server.port == port
    for connection in held:
        connection.close()


# -- the data folder --------------------------------------------------------------------------------------------------

def serve(folder):
    """A further server on this folder, which is expected to end by itself."""
    return subprocess.run(
        [find_binary(), "serve", "--listen", "127.0.0.1:0", "--data", str(folder)], env=clean_environment(),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)


def test_a_folder_has_one_owner(server, tmp_path):
    second = serve(tmp_path / "data")
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == (
        f"drydock: the data folder {tmp_path}/data is in use by another drydock (pid {server.pid}): stop it, or choose "
        "another with --data\n")
    assert server.ecr().describe_repositories()["repositories"]
    crash(server)  # a dead owner is none


def test_a_newer_folder_is_refused(server, tmp_path):
    server.stop()
    database = tmp_path / "data/drydock.db"
    with sqlite3.connect(database) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    refused = serve(tmp_path / "data")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"drydock: the data folder {tmp_path}/data cannot be used: it was written by a newer drydock (schema 999, this "
        f"one knows {version}): use that version, or choose another folder with --data\n")
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 999
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    server.start()
    assert server.ecr().describe_repositories()["repositories"]


def test_a_broken_database_is_refused(server, tmp_path):
    server.stop()
    (tmp_path / "data/drydock.db").write_bytes(b"this is not a database" * 1000)
    refused = serve(tmp_path / "data")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"the data folder {tmp_path}/data cannot be used: " in refused.stderr
    assert (tmp_path / "data/drydock.db").read_bytes().startswith(b"this is not")


def test_a_layer_whose_file_is_gone(server, registry, tmp_path):
    """Somebody tidied up: nobody has that layer any more, everything else goes on, and a push brings it back."""
    image = oci_image(layers=2, size=LARGE)
    registry.push_image("app", image, "v1")
    gone, kept = image.layers
    next((tmp_path / "data").rglob(gone.digest.split(":")[1])).unlink()
    assert refusal(registry.get_blob("app", gone.digest))[:2] == (404, "BLOB_UNKNOWN")
    assert registry.get_blob("app", kept.digest).content == kept.data
    assert registry.get_manifest("app", "v1").content == image.manifest
    assert registry.push_blob("app", gone.data).status_code == 201
    assert registry.get_blob("app", gone.digest).content == gone.data


def test_an_upload_whose_file_is_gone(server, registry, tmp_path):
    """Its client is told that there is no such upload, and begins anew."""
    data = os.urandom(LARGE)
    location = registry.start_upload("app").headers["Location"]
    registry.patch_upload(location, data)
    server.kill()
    (tmp_path / "data/uploads" / location.rsplit("/", 1)[1]).unlink()
    server.start()
    assert refusal(registry.finish_upload(location, digest_of(data)))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.push_blob("app", data).status_code == 201
