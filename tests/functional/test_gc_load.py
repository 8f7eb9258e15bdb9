"""Collections under load: pushes that share layers, mounts, tags that move, images and repositories that are deleted.

DRYDOCK_LOAD_SECONDS makes it run for as long; without it a few seconds.
"""

import hashlib
import os
import random
import threading
import time

import pytest
import requests
from botocore.exceptions import ClientError
from support.images import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Blob, Image
from support.registry import error_of
from support.upkeep import run_json

pytestmark = pytest.mark.alone

SECONDS = float(os.environ.get("DRYDOCK_LOAD_SECONDS", "6"))
PUSHERS, REPOSITORIES, TAGS = 8, 3, 5
GRACE = 2  # seconds; a client that takes longer than seven eighths of it may have to upload a layer again


def layer(number):
    size = 300 + number if number % 2 else 70_000 + number
    return Blob(hashlib.shake_256(b"load %d" % number).digest(size), OCI_LAYER)


LAYERS = [layer(number) for number in range(10)]


class Load:
    """What all threads share. sure[repository, tag] is the image acknowledged last, and not touched by anybody since."""

    def __init__(self, server):
        self.server, self.login = server, server.token()
        self.over, self.failures = threading.Event(), []
        self.lock, self.sure = threading.Lock(), {}
        self.pushed = self.uploaded_again = self.freed = self.collections = 0

    def names(self):
        return [f"load/r{number}" for number in range(REPOSITORIES)]

    def guarded(self, work):
        """Runs a thread's work until it is over; that the server was killed is no failure."""
        def body(*arguments):
            try:
                while not self.over.is_set():
                    work(*arguments)
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                if not self.over.is_set():
                    self.failures.append("the server is gone")
            except Exception as failure:  # noqa: BLE001 (any is the test's)
                if not self.over.is_set() or isinstance(failure, AssertionError):
                    self.failures.append(repr(failure))
        return body


class Pusher:
    def __init__(self, load, number):
        self.load, self.number, self.dice = load, number, random.Random(number)
        self.registry, self.ecr, self.count = load.server.registry(load.login), load.server.ecr(), 0

    def image(self):
        self.count += 1
        config = Blob(b'{"pusher": %d, "count": %d}' % (self.number, self.count), OCI_CONFIG)
        layers = self.dice.sample(LAYERS, self.dice.randint(1, 4))
        document = {
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.descriptor(),
            "layers": [one.descriptor() for one in layers]}
        return Image(document, OCI_MANIFEST, [config, *layers])

    def upload(self, repository, blob):
        """Asks first, as docker does: by HEAD or by BatchCheckLayerAvailability; mounts what may be elsewhere."""
        if self.dice.random() < 0.3:
            answer = self.ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[blob.digest])
            if answer["layers"][0]["layerAvailability"] == "AVAILABLE":
                return
        elif self.registry.head_blob(repository, blob.digest).status_code == 200:
            return
        if self.dice.random() < 0.4:
            other = self.dice.choice(self.load.names())
            answer = self.registry.start_upload(repository, mount=blob.digest, **{"from": other})
            assert answer.status_code in (201, 202), answer.text
            if answer.status_code == 201:
                return
        answer = self.registry.push_blob(repository, blob.data, form=self.dice.choice(["put", "patch", "post"]))
        assert answer.status_code == 201, answer.text

    def push(self, repository, image, tag):
        while True:
            began = time.monotonic()
            for blob in image.blobs:
                self.upload(repository, blob)
            answer = self.registry.put_manifest(repository, tag, image.manifest, image.media_type)
            if answer.status_code == 201:
                return
            took = time.monotonic() - began
            assert error_of(answer)[0] == "MANIFEST_BLOB_UNKNOWN", answer.text
            assert took > GRACE * 7 / 8, f"a layer was lost {took:.2f} s after it was promised: {answer.text}"
            self.load.uploaded_again += 1

    def step(self):
        load, repository = self.load, self.dice.choice(self.load.names())
        tag, image = f"p{self.number}-t{self.dice.randrange(TAGS)}", self.image()
        with load.lock:
            load.sure.pop((repository, tag), None)
        self.push(repository, image, tag)
        with load.lock:
            load.sure[repository, tag] = image
            load.pushed += 1
        if self.dice.random() < 0.6:  # most images go soon; by tag, or by digest
            victim = self.dice.choice([{"imageTag": tag}, {"imageDigest": image.digest}])
            with load.lock:
                load.sure.pop((repository, tag), None)
            answer = self.ecr.batch_delete_image(repositoryName=repository, imageIds=[victim])
            assert not answer["failures"], answer["failures"]

    def close(self):
        self.registry.close()


def collector(load):
    """Now and then somebody asks for it, besides the schedule."""
    answer = load.server.admin("POST", "gc")
    with load.lock:
        load.collections += 1
        load.freed += answer["freed_blobs"]
    time.sleep(0.05)


def whole_repositories(load):
    """One that comes and goes, with all that is in it."""
    ecr, registry = load.server.ecr(), load.server.registry(load.login)
    try:
        ecr.create_repository(repositoryName="load/short")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "RepositoryAlreadyExistsException"
    for one in LAYERS[:4]:
        assert registry.push_blob("load/short", one.data).status_code == 201
    ecr.delete_repository(repositoryName="load/short", force=True)
    registry.close()


def start(load):
    pushers = [Pusher(load, number) for number in range(PUSHERS)]
    work = [pusher.step for pusher in pushers] + [lambda: collector(load), lambda: whole_repositories(load)]
    threads = [threading.Thread(target=load.guarded(one)) for one in work]
    for thread in threads:
        thread.start()
    return threads, pushers


def end(load, threads, pushers):
    load.over.set()
    for thread in threads:
        thread.join()
    for pusher in pushers:
        pusher.close()
    assert not load.failures, "\n".join(load.failures[:5])


def assert_whole(load):
    """What was acknowledged, and nobody touched since, and everything else that is there."""
    ecr, registry = load.server.ecr(), load.server.registry(load.login)
    for (repository, tag), image in load.sure.items():
        assert registry.pull_image(repository, tag) == image.manifest
    for repository in load.names():
        pages = ecr.get_paginator("describe_images").paginate(repositoryName=repository)
        for detail in pages.build_full_result()["imageDetails"]:
            registry.pull_image(repository, detail["imageDigest"])
    registry.close()


@pytest.fixture
def server(make_server, tmp_path):
    server = make_server("--gc-grace", str(GRACE), "--gc-interval", "1", data=tmp_path / "data")
    ecr = server.ecr()
    for number in range(REPOSITORIES):
        ecr.create_repository(repositoryName=f"load/r{number}")
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    return server


@pytest.mark.threads
def test_under_load(server):
    load = Load(server)
    threads, pushers = start(load)
    time.sleep(SECONDS)
    end(load, threads, pushers)
    assert load.pushed > 10 and load.freed > 0, (load.pushed, load.freed)
    assert_whole(load)
    server.stop()
    assert run_json("check", "--data", server.data)["findings"] == []
    server.start()
    assert_whole(load)
    images = sum(len(server.ecr().get_paginator("list_images").paginate(repositoryName=name).build_full_result()
                     ["imageIds"]) for name in load.names())
    for name in load.names():
        server.ecr().delete_repository(repositoryName=name, force=True)
    deadline = time.monotonic() + 20
    while any((server.data / "blobs").rglob("?" * 64)):
        server.admin("POST", "gc", {"grace_seconds": 0})
        assert time.monotonic() < deadline, f"something of {images} images is left"
    # Small layers are rows, which cannot be seen in the folder: the repositories' images may still have held some of them.
    for _ in range(5):
        server.admin("POST", "gc", {"grace_seconds": 0})
        server.stop()
        answer = run_json("check", "--data", server.data)
        if answer["blobs"] == 0:
            break
        server.start()
    assert (answer["findings"], answer["images"], answer["blobs"]) == ([], 0, 0), "nothing is left of it all"


@pytest.mark.parametrize("seed", range(4))
def test_killed_under_load(server, seed):
    """Wherever the process dies, nothing that is wrong is left: at most files that the next collection takes."""
    load, dice = Load(server), random.Random(seed)
    for _ in range(2):
        load.over.clear()
        threads, pushers = start(load)
        time.sleep(dice.uniform(0.5, 1.5) * max(1, SECONDS / 20))
        load.over.set()
        server.kill()
        end(load, threads, pushers)
        found = run_json("check", "--data", server.data, code=None)
        assert {finding["kind"] for finding in found["findings"]} <= {"file-left-over"}, found["findings"]
        server.start()
        assert_whole(load)
        server.admin("POST", "gc")
    server.stop()
    assert run_json("check", "--data", server.data)["findings"] == []
