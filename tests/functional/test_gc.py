"""Garbage collection: what goes, what never does, and who is told what was freed."""

import time

import pytest
from support.images import digest_of, oci_image, random_layer
from support.transfer import Transfer
from support.upkeep import run, run_json

SMALL, LARGE = 1000, 100_000  # a blob that is a row, and one that is a file
DAY, HOUR = 24 * 3600, 3600
NOTHING = {
    "freed_blobs": 0, "freed_bytes": 0, "waiting_blobs": 0, "waiting_bytes": 0, "orphan_files": 0, "orphan_bytes": 0,
    "expired_uploads": 0}


def collect(server, **body):
    return server.admin("POST", "gc", body or None)


def wait_until(what, seconds=10):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def files_of(folder):
    return [path for path in (folder / "blobs").rglob("*") if path.is_file()]


def delete(ecr, repository, *digests):
    answer = ecr.batch_delete_image(
        repositoryName=repository, imageIds=[{"imageDigest": digest} for digest in digests])
    assert not answer["failures"], answer["failures"]


# -- the door ---------------------------------------------------------------------------------------------------------

def test_what_was_freed(drydock, ecr, registry, repository):
    """Layers of a deleted image wait for their grace time; a body may say that they need not."""
    image = oci_image(layers=2, size=LARGE)
    registry.push_image(repository, image, "v1")
    size = sum(blob.size for blob in image.blobs)
    assert collect(drydock) == NOTHING
    assert collect(drydock, grace_seconds=0) == NOTHING
    delete(ecr, repository, image.digest)
    assert collect(drydock) == NOTHING | {"waiting_blobs": 3, "waiting_bytes": size}
    assert registry.head_blob(repository, image.layers[0].digest).status_code == 200
    assert collect(drydock, grace_seconds=0) == NOTHING | {"freed_blobs": 3, "freed_bytes": size}
    for blob in image.blobs:
        assert registry.head_blob(repository, blob.digest).status_code == 404
        assert registry.get_blob(repository, blob.digest).status_code == 404
    registry.push_image(repository, image, "v1")
    assert registry.pull_image(repository, "v1") == image.manifest


@pytest.mark.parametrize("body", [
    b"[]", b"1", b"{", b'{"grace_seconds": -1}', b'{"grace_seconds": "0"}', b'{"grace_seconds": 1e12}',
    b'{"grace": 0}', b'{"grace_seconds": 0, "more": 1}', b'{"grace_seconds": null}'])
def test_bodies_that_say_nothing(drydock, anonymous, registry, repository, body):
    blob = registry.push_blob(repository, b"some").headers["Docker-Content-Digest"]
    response = anonymous.request("POST", f"{drydock.url}/_drydock/gc", data=body)
    assert response.status_code == 400
    assert response.json()["message"] == (
        'The body must be empty or {"grace_seconds": N}, with N from 0 to ten years.')
    assert registry.head_blob(repository, blob).status_code == 200


def test_the_method(drydock, anonymous):
    assert anonymous.request("GET", f"{drydock.url}/_drydock/gc").status_code == 405


# -- the clock --------------------------------------------------------------------------------------------------------

def test_a_day_later(drydock, ecr, registry, repository):
    """Nobody asks: the clock alone makes it due."""
    image = oci_image(layers=1, size=LARGE)
    registry.push_image(repository, image, "v1")
    delete(ecr, repository, image.digest)
    drydock.advance(DAY - HOUR // 2)
    assert collect(drydock)["freed_blobs"] == 0
    begun = drydock.begun("collections")
    drydock.advance(2 * HOUR)
    assert drydock.begun("collections") == begun + 1
    # It has ended when the next begins. (To ask for the layer meanwhile would be to rely on it, and keep it.)
    wait_until(lambda: drydock.advance(2 * HOUR) and drydock.begun("collections") > begun + 1)
    fresh = drydock.registry()
    assert fresh.head_blob(repository, image.layers[0].digest).status_code == 404
    fresh.close()
    assert collect(drydock) == NOTHING


def test_images_keep_their_layers(drydock, registry, repository):
    image = oci_image(layers=2, size=LARGE)
    registry.push_image(repository, image, "v1")
    drydock.advance(400 * DAY)
    assert collect(drydock) == NOTHING
    fresh = drydock.registry()
    assert fresh.pull_image(repository, "v1") == image.manifest
    fresh.close()


def test_by_itself(make_server, tmp_path):
    """By real time, under requests without a pause as well."""
    server = make_server("--gc-grace", "1", "--gc-interval", "1", data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    registry = server.registry()
    assert registry.push_blob("app", b"x" * LARGE).status_code == 201
    assert len(files_of(tmp_path / "data")) == 1
    def gone():
        registry.push_blob("app", b"another")
        return not files_of(tmp_path / "data")
    wait_until(gone, 20)
    registry.close()


def test_never_by_itself(make_server):
    server = make_server("--gc-interval", "0")
    server.ecr().create_repository(repositoryName="app")
    registry = server.registry()
    digest = registry.push_blob("app", b"some").headers["Docker-Content-Digest"]
    registry.close()
    server.advance(10 * DAY)
    registry = server.registry()
    assert server.begun("collections") == 0
    assert registry.head_blob("app", digest).status_code == 200
    registry.close()


# -- promises ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def server(make_server):
    """A login that does not end with the clock's moves."""
    server = make_server("--auth", "open", "--gc-interval", "0")
    server.ecr().create_repository(repositoryName="app")
    return server


def ways_to_rely(server, registry, blob):
    other = blob.data + b"!"
    return {
        "head": lambda: registry.head_blob("app", blob.digest),
        "check": lambda: server.ecr().batch_check_layer_availability(
            repositoryName="app", layerDigests=[digest_of(other), blob.digest]),
        "upload": lambda: registry.push_blob("app", blob.data),
    }


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("way", ["head", "check", "upload"])
def test_who_was_told_that_it_is_there(server, way, size):
    """Each time anew it stays for (nearly) the whole grace time; then it goes."""
    registry, blob = server.registry(login=None), random_layer(size)
    rely = ways_to_rely(server, registry, blob)[way]
    registry.push_blob("app", blob.data)
    for _ in range(3):
        server.advance(DAY - HOUR)
        rely()
        server.advance(DAY * 7 // 8 - 60)
        assert collect(server)["freed_blobs"] == 0
        rely()
    server.advance(DAY)
    assert collect(server)["freed_blobs"] == 1
    assert registry.head_blob("app", blob.digest).status_code == 404
    checked = server.ecr().batch_check_layer_availability(repositoryName="app", layerDigests=[blob.digest])
    assert checked["layers"][0]["layerAvailability"] == "UNAVAILABLE"
    registry.close()


def test_reading_is_no_promise(server):
    """What a GET finds is not kept for it: nobody who reads a layer is about to push it."""
    registry, blob = server.registry(login=None), random_layer(LARGE)
    registry.push_blob("app", blob.data)
    server.advance(DAY - HOUR)
    assert registry.get_blob("app", blob.digest).content == blob.data
    server.advance(HOUR)
    assert collect(server)["freed_blobs"] == 1
    registry.close()


def test_a_mount_keeps_it(make_server):
    server = make_server("--auth", "open", "--profile", "oci", "--gc-interval", "0")
    registry, blob = server.registry(login=None), random_layer(LARGE)
    registry.push_blob("one", blob.data)
    registry.push_image("one", oci_image(), "v1")
    registry.push_image("two", oci_image(), "v1")
    registry.push_blob("one", blob.data)
    server.advance(DAY - HOUR)
    mounted = registry.start_upload("two", mount=blob.digest, **{"from": "one"})
    assert mounted.status_code == 201
    server.advance(2 * HOUR)
    assert collect(server)["freed_blobs"] == 0
    assert registry.head_blob("one", blob.digest).status_code == 404
    assert registry.head_blob("two", blob.digest).status_code == 200
    registry.close()


def test_an_upload_going_on_keeps_what_the_push_has_found(server):
    """A layer takes two days to arrive: what was there before it is still there at the end."""
    registry, there, slow = server.registry(login=None), random_layer(LARGE), b"x" * LARGE
    registry.push_blob("app", there.data)
    location = registry.start_upload("app").headers["Location"]
    running = Transfer(server, None, "PATCH", location, LARGE)
    running.send(slow[:LARGE // 2])
    server.advance(2 * DAY)
    assert collect(server)["freed_blobs"] == 0
    running.send(slow[LARGE // 2:])
    assert running.finish().status == 202
    assert registry.finish_upload(location, digest_of(slow)).status_code == 201
    assert registry.head_blob("app", there.digest).status_code == 200
    registry.close()


def test_uploads_without_end_keep_nothing_for_ever(server):
    """Only what was there, or had not been gone for long, when an upload began is kept for its push."""
    registry, blob = server.registry(login=None), random_layer(LARGE)
    registry.push_blob("app", blob.data)
    for _ in range(4):
        location = registry.start_upload("app").headers["Location"]
        registry.patch_upload(location, b"x" * LARGE)
        server.advance(DAY // 2)
        collect(server)
    assert registry.head_blob("app", blob.digest).status_code == 404
    registry.close()


def test_a_download_goes_on(server):
    """The bytes of what is collected meanwhile arrive, to the last."""
    registry, blob = server.registry(login=None), random_layer(8 << 20)
    registry.push_blob("app", blob.data)
    answer = registry.get_blob("app", blob.digest, stream=True)
    first = answer.raw.read(1000)
    wait_until(lambda: collect(server, grace_seconds=0)["freed_blobs"] == 1)
    assert registry.head_blob("app", blob.digest).status_code == 404
    assert first + answer.raw.read() == blob.data
    registry.close()


# -- the verb ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def folder(make_server, tmp_path):
    """A data folder with one image, and the layers of another that was deleted; the server that made it."""
    server = make_server(data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    registry, kept, gone = server.registry(), oci_image(size=LARGE), oci_image(size=LARGE)
    registry.push_image("app", kept, "kept")
    registry.push_image("app", gone, "gone")
    delete(server.ecr(), "app", gone.digest)
    registry.close()
    server.kept, server.freed = kept, sum(blob.size for blob in gone.blobs)
    return server


def test_in_a_folder(folder):
    waiting = NOTHING | {"waiting_blobs": 2, "waiting_bytes": folder.freed}
    folder.stop()
    assert run_json("gc", "--data", folder.data) == waiting
    assert run_json("gc", "--data", folder.data, "--grace=0") == NOTHING | {
        "freed_blobs": 2, "freed_bytes": folder.freed}
    assert run("gc", "--data", folder.data, "--grace", "0").stdout == "freed 0 blobs, 0 bytes\n"
    assert len(files_of(folder.data)) == 1
    folder.start()
    registry = folder.registry()
    assert registry.pull_image("app", "kept") == folder.kept.manifest
    registry.close()


def test_on_a_server(folder):
    said = run("gc", "--to", folder.url)
    assert said.returncode == 0 and said.stdout == (
        f"freed 0 blobs, 0 bytes\n2 blobs, {folder.freed / 1024:.1f} KiB, that no image holds are in their grace time\n")
    assert run("gc", "--to", folder.url, "--grace", "0").stdout == f"freed 2 blobs, {folder.freed / 1024:.1f} KiB\n"
    assert run_json("gc", "--to", folder.url, "--grace", "0") == NOTHING


def test_a_folder_in_use(folder):
    said = run("gc", "--data", folder.data)
    assert (said.returncode, said.stdout) == (1, "")
    assert f"is in use by another drydock (pid {folder.pid})" in said.stderr and "--to" in said.stderr


@pytest.mark.parametrize("words", [
    ["--grace", "soon"], ["--grace", "-1"], ["--nonsense"], ["--gc-grace", "x"], ["--ephemeral"], ["word"]])
def test_wrong_usage(words, tmp_path):
    said = run("gc", *words)
    assert (said.returncode, said.stdout) == (2, "") and said.stderr.startswith("drydock gc: ")


def test_nobody_there():
    said = run("gc", "--to", "http://127.0.0.1:1")
    assert said.returncode == 1 and "nothing answers on 127.0.0.1 port 1" in said.stderr
    assert "usage: drydock gc" in run("gc", "--help").stdout


# -- crashes ----------------------------------------------------------------------------------------------------------

def test_what_a_crash_left_is_swept(folder):
    """A file whose row was dropped, and that the process did not live to remove."""
    orphan = folder.data / "blobs/sha256/ab" / ("ab" * 32)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"left over")
    assert collect(folder)["orphan_files"] == 0, "without a crash nobody looks"
    folder.restart(kill=True)
    assert collect(folder) == NOTHING | {
        "waiting_blobs": 2, "waiting_bytes": folder.freed, "orphan_files": 1, "orphan_bytes": 9}
    assert not orphan.exists()
    assert collect(folder)["orphan_files"] == 0
