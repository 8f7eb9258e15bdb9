"""A disk that is full: a clear error in the envelope, the upload gone, the server alive, all well once there is room.

The data folder is a small tmpfs in a mount namespace of the server's own: it is gone with the process.
"""

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from support import shapes  # noqa: F401 (answers are held against the model)
from support.aws import refused
from support.images import digest_of, docker_image, oci_image
from support.refusals import refusal
from support.server import Server
from support.waiting import wait_until

DISK_BYTES = 16 << 20
TEXT = (
    "The disk that holds Drydock's data is full: make room on it, or start Drydock with --data on a larger one, and "
    "try again")
FULL = (507, "UNKNOWN", TEXT)
OWN_MOUNTS = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])


class OnSmallDisk(Server):
    disk_bytes = DISK_BYTES

    def command(self):
        mount = f'mount -t tmpfs -o size={self.disk_bytes} drydock "$0" && exec "$@"'
        return [*OWN_MOUNTS, "sh", "-c", mount, str(self.data), *super().command()]

    def let_go(self):
        """What is left once it has ended."""

    @property
    def disk(self):
        """The data folder, as the server sees it."""
        return Path(f"/proc/{self.pid}/root{self.data}")

    def free_bytes(self):
        return shutil.disk_usage(self.disk).free

    def fill(self, leave=0):
        """Ballast takes everything but some bytes."""
        with open(self.disk / "ballast", "ab", buffering=0) as ballast:
            while (more := self.free_bytes() - leave) > 0:
                ballast.write(b"x" * min(more, 1 << 20))

    def make_room(self):
        (self.disk / "ballast").unlink(missing_ok=True)


def small_disk(kind, tmp_path):
    if subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not make a mount namespace: run the tests as root")
    (tmp_path / "data").mkdir()
    server = kind("--quirk", "chunk-minimum=off", folder=tmp_path, data=tmp_path / "data")
    server.start()
    server.ecr().create_repository(repositoryName="app")
    try:
        yield server
        print(server.log())
        server.check()
        server.stop()
    finally:
        server.kill()
        server.let_go()


@pytest.fixture
def server(tmp_path):
    yield from small_disk(OnSmallDisk, tmp_path)


@pytest.fixture
def registry(server):
    registry = server.registry()
    yield registry
    registry.close()


def all_is_well(server, registry):
    image = docker_image(layers=2, size=100_000)
    registry.push_image("app", image, "well")
    assert registry.pull_image("app", "well") == image.manifest
    assert server.admin("GET", "health")["status"] == "ok"


@pytest.mark.parametrize("form", ["put", "patch", "stream", "chunks", "post"])
def test_a_layer_larger_than_the_disk(server, registry, form):
    """Refused on the way; its bytes are given back, and smaller pushes go on as if nothing had been."""
    free, data = server.free_bytes(), os.urandom(DISK_BYTES * 2)
    if form in ("put", "post"):
        response = registry.push_blob("app", data, form=form)
        location = response.request.path_url.split("?")[0]
    else:
        location = registry.start_upload("app").headers["Location"]
        if form == "chunks":
            for first in range(0, len(data), 5 << 20):
                response = registry.patch_upload(location, data[first:first + (5 << 20)], first)
                if response.status_code != 202:
                    break
        else:
            pieces = iter([data[at:at + (1 << 20)] for at in range(0, len(data), 1 << 20)])
            response = registry.patch_upload(location, data if form == "patch" else pieces)
    assert refusal(response) == FULL
    if form != "post":
        assert refusal(registry.upload_status(location))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.head_blob("app", digest_of(data)).status_code == 404
    assert server.free_bytes() > free - (2 << 20), "its bytes are given back before it is answered"
    assert list((server.disk / "uploads").iterdir()) == []
    all_is_well(server, registry)


def test_a_full_disk(server, registry):
    """Everything that must be written is refused in words, everything else goes on; then there is room again."""
    ecr, image, late = server.ecr(), oci_image(layers=2, size=100_000), oci_image(size=200)
    registry.push_image("app", image, "v1")
    for blob in late.blobs:
        registry.push_blob("app", blob.data)
    server.fill()

    refusals, data = [], os.urandom(100_000)
    for number in range(60):  # what the database has in hand is used up first
        manifest = oci_image(layers=late.layers, annotations={"fill": os.urandom(20_000).hex()}).manifest
        refusals += [
            registry.push_blob("app", data, form="post"),
            registry.put_manifest("app", "v2", late.manifest, late.media_type),
            registry.push_blob("app", os.urandom(5000), form="post"),
            registry.put_manifest("app", f"t{number}", manifest, late.media_type)]
    statuses = {response.status_code for response in refusals}
    assert 507 in statuses and statuses <= {201, 404, 507}, statuses
    for response in refusals:
        if response.status_code == 507:
            assert refusal(response) == FULL
    assert refusal(registry.push_blob("app", data, form="post")) == FULL
    with refused("ServerException", status=500) as error:
        for number in range(500):
            ecr.create_repository(repositoryName=f"more-{number}", tags=[
                {"Key": str(i), "Value": "v" * 256} for i in range(50)])
    assert error.message == TEXT

    # Nothing is lost, and reading goes on.
    assert registry.pull_image("app", "v1") == image.manifest
    assert {"imageDigest": image.digest, "imageTag": "v1"} in ecr.list_images(repositoryName="app")["imageIds"]
    server.make_room()
    all_is_well(server, registry)
    registry.push_image("app", late, "v2")
    assert registry.pull_image("app", "v2") == late.manifest
    assert ecr.create_repository(repositoryName="again")["repository"]["repositoryName"] == "again"


@pytest.mark.parametrize("size", [1000, 100_000])
def test_an_upload_that_meets_a_full_disk(server, registry, size):
    """It is gone; what its client was told of other layers holds, and it may begin anew as soon as there is room."""
    image = docker_image(layers=2, size=size)
    for blob in image.blobs[:2]:
        registry.push_blob("app", blob.data)
    location, data = registry.start_upload("app").headers["Location"], image.blobs[2].data
    registry.patch_upload(location, data[:100])
    server.fill()
    for _ in range(2000):  # small blobs find room within what the database has already
        full = registry.push_blob("app", os.urandom(size), form="post")
        if full.status_code != 201:
            break
    assert refusal(full) == FULL
    response = registry.patch_upload(location, data[100:])
    if response.status_code == 202:
        response = registry.finish_upload(location, image.blobs[2].digest)
    assert refusal(response) == FULL
    assert refusal(registry.upload_status(location))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")

    server.make_room()
    assert registry.head_blob("app", image.blobs[2].digest).status_code == 404
    for blob in image.blobs[:2]:
        assert registry.head_blob("app", blob.digest).status_code == 200
    registry.push_image("app", image, "v1")
    assert registry.pull_image("app", "v1") == image.manifest


@pytest.mark.parametrize("size", [1000, 5 << 20])
def test_a_part_that_meets_a_full_disk(server, registry, size):
    """Through the API: a large one finds no room for its request, a small one none for its bytes."""
    ecr, data = server.ecr(), os.urandom(size)
    upload = ecr.initiate_layer_upload(repositoryName="app")["uploadId"]
    server.fill()
    with refused("ServerException", status=500) as error:
        for first in range(0, 200 * size, size):  # some find room in files that are there already
            ecr.upload_layer_part(
                repositoryName="app", uploadId=upload, partFirstByte=first, partLastByte=first + size - 1,
                layerPartBlob=data)
    assert error.message == TEXT
    server.make_room()
    upload = ecr.initiate_layer_upload(repositoryName="app")["uploadId"]
    ecr.upload_layer_part(
        repositoryName="app", uploadId=upload, partFirstByte=0, partLastByte=size - 1, layerPartBlob=data)
    ecr.complete_layer_upload(repositoryName="app", uploadId=upload, layerDigests=[digest_of(data)])
    all_is_well(server, registry)


def test_deletion_on_a_full_disk(server, registry):
    """It either works or says why not; it never leaves a repository half deleted."""
    image = docker_image(layers=2, size=100_000)
    registry.push_image("app", image, "v1")
    server.fill()
    ecr = server.ecr()
    try:
        ecr.delete_repository(repositoryName="app", force=True)
        deleted = True
    except ecr.exceptions.ServerException as error:
        deleted = False
        assert error.response["Error"]["Message"] == TEXT
    if not deleted:
        assert registry.pull_image("app", "v1") == image.manifest
    server.make_room()
    if not deleted:
        ecr.delete_repository(repositoryName="app", force=True)
    assert ecr.describe_repositories()["repositories"] == []
    ecr.create_repository(repositoryName="app")
    all_is_well(server, registry)


class OnLastingDisk(OnSmallDisk):
    """Large enough for a reserve, and there for as long as a process of its own is: over restarts."""
    disk_bytes = 48 << 20
    holder = None

    def start(self):
        if self.holder is None:
            mount = f'mount -t tmpfs -o size={self.disk_bytes} drydock "$0" && echo there && exec sleep 1000'
            self.holder = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *OWN_MOUNTS, "sh", "-c", mount, str(self.data)],
                stdout=subprocess.PIPE, text=True)
            assert self.holder.stdout.readline() == "there\n"
        return super().start()

    def command(self):
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "-t", str(self.holder.pid), "--mount", *user, *Server.command(self)]

    @property
    def disk(self):
        return Path(f"/proc/{self.holder.pid}/root{self.data}")

    def let_go(self):
        if self.holder:
            self.holder.kill()
            self.holder.wait()
            self.holder.stdout.close()


@pytest.fixture
def roomy(tmp_path):
    yield from small_disk(OnLastingDisk, tmp_path)


def reserve_of(server):
    path = server.disk / "reserve"
    return path.stat().st_blocks * 512 if path.exists() else 0


def fill_by_pushes(server, registry, repository="app"):
    """Images until nothing goes in any more, then ballast; the images."""
    images = []
    for number in range(1000):
        image = oci_image(layers=1, size=1_500_000 if number % 2 else 20_000)
        responses = [registry.push_blob(repository, blob.data, form="post") for blob in image.blobs]
        responses.append(registry.put_manifest(repository, f"t{number}", image.manifest, image.media_type))
        if 507 in {response.status_code for response in responses}:
            break
        images.append(image)
    else:
        pytest.fail("the disk was never full")
    server.fill()
    for size in (60_000, 5000, 10):  # what the database has in hand is used up, too
        refused_in_a_row = 0
        for _ in range(2000):
            full = registry.push_blob(repository, os.urandom(size), form="post").status_code == 507
            refused_in_a_row = refused_in_a_row + 1 if full else 0
            if refused_in_a_row == 10:
                break
        server.fill()
    return images


def wait_for_reserve(server):
    wait_until(lambda: reserve_of(server) >= 8 << 20, 20)


@pytest.mark.parametrize("restart", [False, True])
def test_deleting_on_a_full_disk(roomy, restart):
    """Each way to make room works, also after a restart; what it made is there for pushes, and the reserve is taken again."""
    registry, ecr = roomy.registry(), roomy.ecr()
    wait_for_reserve(roomy)
    ecr.create_repository(repositoryName="doomed")
    ecr.create_repository(repositoryName="aged")
    for name in ("doomed", "aged"):
        registry.push_image(name, oci_image(layers=2, size=200_000), "v1")
    ecr.put_lifecycle_policy(repositoryName="aged", lifecyclePolicyText=json.dumps({"rules": [{
        "rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
        "action": {"type": "expire"}}]}))
    registry.push_image("aged", oci_image(layers=1, size=200_000), "v2")
    images = fill_by_pushes(roomy, registry)
    assert len(images) > 10
    assert refusal(registry.push_blob("app", os.urandom(100_000), form="post")) == FULL
    if restart:
        roomy.restart(kill=True)

    answer = ecr.batch_delete_image(
        repositoryName="app", imageIds=[{"imageDigest": image.digest} for image in images[:8]])
    assert len(answer["imageIds"]) == 8 and not answer["failures"]
    for image in images[8:10]:
        assert registry.request("DELETE", f"/v2/app/manifests/{image.digest}").status_code == 202
    ecr.delete_repository(repositoryName="doomed", force=True)
    roomy.admin("POST", "lifecycle/run", {"repositoryName": "aged"})
    assert len(ecr.list_images(repositoryName="aged")["imageIds"]) == 1
    freed = roomy.admin("POST", "gc", {"grace_seconds": 0})
    assert freed["freed_blobs"] >= 15 and freed["freed_bytes"] > 4 * 1_500_000

    wait_for_reserve(roomy)
    registry.push_image("app", oci_image(layers=1, size=200_000), "again")
    for image in images[10:]:
        assert registry.pull_image("app", image.digest) == image.manifest
    registry.close()


def test_others_are_refused_while_the_reserve_is_given_up(roomy):
    """Deleting on and on beside pushes that take any room there is."""
    registry, ecr = roomy.registry(), roomy.ecr()
    wait_for_reserve(roomy)
    images = fill_by_pushes(roomy, registry)
    stop, statuses = threading.Event(), set()

    def push():
        mine = roomy.registry()
        while not stop.is_set():
            statuses.add(mine.push_blob("app", os.urandom(50_000), form="post").status_code)
            statuses.add(mine.push_blob("app", os.urandom(500_000), form="post").status_code)
        mine.close()

    threads = [threading.Thread(target=push) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for image in images:
            answer = ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageDigest": image.digest}])
            assert answer["imageIds"], answer
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses <= {201, 404, 507} and 507 in statuses
    registry.close()
