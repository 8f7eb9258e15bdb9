"""A push that is cut at every stage, by its client or by the server's restart: it goes on, or begins anew, and is whole."""

import os
import signal
import time

import pytest
from support.images import digest_of, oci_image
from support.refusals import refusal
from support.transfer import Transfer
from support.upkeep import run_json

SMALL, LARGE = 3000, 300_000  # of a layer: the bytes are a row's, or a file's


class Push:
    """One image, request by request; up_to() leaves off in the middle of one, and says what is under way."""

    def __init__(self, server, registry, size):
        self.server, self.registry = server, registry
        self.image = oci_image(size=size)
        self.layer = self.image.layers[0]
        self.location = None

    def begin(self):
        self.location = self.registry.start_upload("app").headers["Location"]

    def send(self, method, path, data, upto, headers=()):
        running = Transfer(self.server, self.server.login, method, path, len(data), headers)
        assert running.refusal is None
        running.send(data[:upto])
        return running

    def patch(self, share):
        half = self.layer.data[:self.layer.size // 2]
        return self.send("PATCH", self.location, half, int(len(half) * share))

    def put(self, share):
        rest = self.layer.data[self.layer.size // 2:]
        return self.send("PUT", f"{self.location}?digest={self.layer.digest}", rest, int(len(rest) * share))

    def manifest(self, share):
        return self.send(
            "PUT", "/v2/app/manifests/v1", self.image.manifest, int(self.image.size * share),
            [("Content-Type", self.image.media_type)])

    def others(self):
        for blob in self.image.blobs:
            if blob.digest != self.layer.digest:
                self.registry.push_blob("app", blob.data)


def looked(push):
    assert push.registry.head_blob("app", push.layer.digest).status_code == 404


def begun_unheard(push):
    wire = push.server.connect()
    wire.request("POST", "/v2/app/blobs/uploads/", [
        ("Content-Length", "0"), ("Authorization", push.registry.request("GET", "").request.headers["Authorization"])])
    return wire


def begun(push):
    push.begin()


def chunk_half(push):
    push.begin()
    return push.patch(0.5)


def chunk_unheard(push):
    push.begin()
    return push.patch(1)


def chunk(push):
    push.begin()
    assert push.patch(1).finish().status == 202


def last_half(push):
    chunk(push)
    return push.put(0.5)


def last_unheard(push):
    chunk(push)
    return push.put(1)


def layer(push):
    chunk(push)
    assert push.put(1).finish().status == 201


def manifest_half(push):
    layer(push)
    push.others()
    return push.manifest(0.5)


def manifest_unheard(push):
    layer(push)
    push.others()
    return push.manifest(1)


def acknowledged(push):
    layer(push)
    push.others()
    assert push.manifest(1).finish().status == 201


STAGES = [
    looked, begun_unheard, begun, chunk_half, chunk_unheard, chunk, last_half, last_unheard, layer, manifest_half,
    manifest_unheard, acknowledged]


def leave(running):
    if running is not None:
        running.close() if hasattr(running, "close") else running.vanish()


def client(server, running):
    leave(running)


def stopped(server, running):
    """The server is told to end; it waits for what runs, which its client then leaves."""
    server.process.send_signal(signal.SIGTERM)
    leave(running)
    assert server.wait_for_exit() == 0
    server.start()


def killed(server, running):
    server.kill()
    leave(running)
    server.start()


def upload_size(push):
    """What the server has of the upload; None when it has none (any more). Whoever was cut is heard of in a moment."""
    for _ in range(500):
        answer = push.registry.patch_upload(push.location, b"")
        if answer.status_code == 404:
            assert refusal(answer)[1] == "BLOB_UPLOAD_UNKNOWN"
            return None
        if answer.status_code == 202:
            break
        assert answer.status_code == 409, answer.text
        time.sleep(0.01)
    status = push.registry.upload_status(push.location)
    assert status.status_code == 204
    last = int(status.headers["Range"].split("-")[1])
    return last + 1 if last else None  # none and one look alike: then from the beginning


def resume(push):
    """As a client does that remembers its upload: it asks how far it has come."""
    had = upload_size(push) if push.location else None
    if had is not None and push.registry.head_blob("app", push.layer.digest).status_code == 404:
        assert had <= push.layer.size
        assert push.registry.finish_upload(
            push.location, push.layer.digest, push.layer.data[had:], had).status_code == 201
    push.registry.push_image("app", push.image, "v1")


def anew(push):
    """As docker does."""
    push.registry.push_image("app", push.image, "v1")


def assert_all_or_nothing(push, stage):
    """Before it goes on: its image is there whole, or not at all."""
    found = push.registry.get_manifest("app", push.image.digest).status_code
    if stage is acknowledged:
        assert found == 200, "acknowledged is acknowledged"
    elif stage is not manifest_unheard:
        assert found == 404
    if found == 200:
        push.registry.pull_image("app", push.image.digest)
    if stage in (layer, manifest_half, manifest_unheard, acknowledged):
        assert push.registry.head_blob("app", push.layer.digest).status_code == 200


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("go_on", [resume, anew])
@pytest.mark.parametrize("cut", [client, stopped, killed])
def test_at_every_stage(make_server, tmp_path, cut, go_on, size):
    server = make_server("--quirk", "chunk-minimum=off", data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    server.login = server.token()
    registry = server.registry(server.login)
    for stage in STAGES:
        push = Push(server, registry, size)
        cut(server, stage(push))
        assert_all_or_nothing(push, stage)
        go_on(push)
        assert registry.pull_image("app", "v1") == push.image.manifest, stage
        assert registry.get_blob("app", push.layer.digest).content == push.layer.data
    registry.close()
    server.stop()
    assert run_json("check", "--data", server.data)["findings"] == []


def test_two_uploads_of_one_layer(make_server, tmp_path):
    """Begun anew while the old one still hangs: whichever ends first, the layer is whole, and the other is refused nothing."""
    server = make_server("--quirk", "chunk-minimum=off", data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    server.login, data = server.token(), os.urandom(LARGE)
    registry = server.registry(server.login)
    first = registry.start_upload("app").headers["Location"]
    hanging = Transfer(server, server.login, "PATCH", first, LARGE)
    hanging.send(data[:LARGE // 2])
    assert registry.push_blob("app", data).status_code == 201
    hanging.send(data[LARGE // 2:])
    assert hanging.finish().status == 202
    assert registry.finish_upload(first, digest_of(data)).status_code == 201
    assert registry.get_blob("app", digest_of(data)).content == data
    registry.close()
    server.stop()
    assert run_json("check", "--data", server.data)["findings"] == []
