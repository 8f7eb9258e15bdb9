"""Layers far larger than memory, and many at once: byte for byte the same, and the server's memory stays small.

Measured with the release build (a sanitizer's memory says nothing): DRYDOCK_RELEASE_BIN, else build/drydock, which is
built when it is missing.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.api import TARGET_PREFIX, authorization
from support.binary import SOURCE
from support.server import Server
from support.streams import Pattern, digest_of_stream
from support.tls import OverTls
from support.transfer import Transfer

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]  # gigabytes take minutes on a busy machine

GIB, MIB = 1 << 30, 1 << 20
MEMORY_MAX = 64 * MIB
BODIES_MEMORY_MAX = 144 * MIB  # ARCHITECTURE.md: 64 MiB of large bodies are read at once, and made trees of


def release_binary():
    binary = Path(os.environ.get("DRYDOCK_RELEASE_BIN") or SOURCE / "build/drydock").resolve()
    if not os.access(binary, os.X_OK):
        subprocess.run(["make", "build"], cwd=SOURCE, check=True, stdout=subprocess.DEVNULL)
    assert b"__asan_init" not in binary.read_bytes(), f"{binary} has a sanitizer in it: its memory says nothing"
    return binary


class ReleaseServer(Server):
    def command(self):
        return [str(release_binary()), *super().command()[1:]]


class SecureReleaseServer(OverTls, ReleaseServer):
    pass


@pytest.fixture(params=[ReleaseServer, SecureReleaseServer], ids=["plain", "tls"])
def server(tmp_path, request):
    server = request.param(folder=tmp_path, data=tmp_path / "data")
    server.start()
    server.ecr().create_repository(repositoryName="app")
    yield server
    print(server.log())
    server.check()
    server.admin("POST", "reset")
    server.stop()


class Push:
    """An upload in docker's form: POST, one PATCH, PUT. The digest is made as the bytes go out."""

    def __init__(self, server, login, source, framing):
        self.server, self.login, self.source, self.sha256 = server, login, source, hashlib.sha256()
        self.last_piece = None
        registry = server.registry(login)
        self.location = registry.start_upload("app").headers["Location"]
        registry.close()
        self.patch = Transfer(server, login, "PATCH", self.location, source.size if framing == "length" else None)

    def send_some(self):
        """One more piece; False when there is none."""
        piece = self.source.read(MIB)
        if piece:
            self.patch.send(piece)
            self.sha256.update(piece)
            self.last_piece = piece
        return bool(piece)

    def finish(self):
        """The digest of what was pushed."""
        answer = self.patch.finish()
        assert (answer.status, answer.header("range")) == (202, f"0-{self.source.size - 1}")
        digest = "sha256:" + self.sha256.hexdigest()
        registry = self.server.registry(self.login)
        assert registry.finish_upload(self.location, digest).status_code == 201
        registry.close()
        return digest


def test_the_harness_makes_reproducible_bytes():
    """What both tests below rest on."""
    assert digest_of_stream(Pattern(5 * MIB + 7, seed=3)) == digest_of_stream(Pattern(5 * MIB + 7, seed=3))
    assert digest_of_stream(Pattern(5 * MIB, seed=3)) != digest_of_stream(Pattern(5 * MIB, seed=4))


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_layer_of_three_gibibytes(server, framing):
    login, size = server.token(), 3 * GIB
    push = Push(server, login, Pattern(size, seed=len(framing)), framing)
    while push.send_some():
        pass
    digest = push.finish()

    registry = server.registry(login)
    assert registry.head_blob("app", digest).headers["Content-Length"] == str(size)
    with registry.get_blob("app", digest, stream=True) as response:
        assert (response.status_code, response.headers["Content-Length"]) == (200, str(size))
        assert digest_of_stream(response.raw) == digest
    end = registry.get_blob("app", digest, headers={"Range": f"bytes=-{MIB}"})
    assert (end.status_code, end.content) == (206, push.last_piece)
    registry.close()
    assert server.peak_memory_bytes() <= MEMORY_MAX, f"{server.peak_memory_bytes() / MIB:.1f} MiB"


def test_fifty_uploads_and_pulls_at_once(server):
    login, size = server.token(), 64 * MIB
    pushes = [Push(server, login, Pattern(size, seed), ("length", "chunks")[seed % 2]) for seed in range(50)]
    # Turn by turn: none ends before all are under way.
    while all([push.send_some() for push in pushes]):
        pass
    digests = [push.finish() for push in pushes]
    assert len(set(digests)) == 50

    registry = server.registry(login)
    pulls = [registry.get_blob("app", digest, stream=True) for digest in digests]
    hashes = [hashlib.sha256() for _ in pulls]
    for _ in range(size // MIB):
        for response, sha256 in zip(pulls, hashes):
            sha256.update(response.raw.read(MIB))
    assert ["sha256:" + sha256.hexdigest() for sha256 in hashes] == digests
    for response in pulls:
        response.close()
    registry.close()
    assert server.peak_memory_bytes() <= MEMORY_MAX, f"{server.peak_memory_bytes() / MIB:.1f} MiB"


def begin_call(server, operation, length):
    """A request to the API on a connection of its own, but for its body."""
    wire = server.connect()
    wire.request("POST", "/", [
        ("X-Amz-Target", f"{TARGET_PREFIX}.{operation}"), ("Authorization", authorization()),
        ("Content-Length", str(length))])
    return wire


def upload_in_parts(server, data, part=20 * MIB):
    ecr = server.ecr()
    upload = ecr.initiate_layer_upload(repositoryName="app")["uploadId"]
    for first in range(0, len(data), part):
        piece = data[first:first + part]
        ecr.upload_layer_part(
            repositoryName="app", uploadId=upload, partFirstByte=first, partLastByte=first + len(piece) - 1,
            layerPartBlob=piece)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    completed = ecr.complete_layer_upload(repositoryName="app", uploadId=upload, layerDigests=[digest])
    assert completed["layerDigest"] == digest


def open_bodies(server):
    """How many files without a name the server holds open in its data folder."""
    count = 0
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            target = os.readlink(link)
            count += target.startswith(str(server.data)) and target.endswith("(deleted)")
    return count


@pytest.mark.alone
def test_large_bodies_that_stall(server):
    """Forty bodies that end just before their last byte: they cost no memory, and hold nobody up."""
    start = b'{"repositoryName": "app", "imageManifest": "'
    body = start + b"x" * (25 * MIB - len(start))
    stalled = [begin_call(server, ("PutImage", "UploadLayerPart")[i % 2], len(body)) for i in range(40)]
    for wire in stalled:
        wire.send(body[:-1])
    assert server.peak_memory_bytes() <= MEMORY_MAX, f"{server.peak_memory_bytes() / MIB:.1f} MiB"

    begin = time.monotonic()
    ecr = server.ecr()
    assert [one["repositoryName"] for one in ecr.describe_repositories()["repositories"]] == ["app"]
    upload_in_parts(server, os.urandom(20 * MIB + 5))
    assert time.monotonic() - begin < 20
    assert open_bodies(server) == 40
    # Those that do end are answered, and those that leave leave nothing.
    for wire in stalled[:10]:
        wire.send(b"x")
    for wire in stalled[:10]:
        answer = wire.read_response()
        assert (answer.status, json.loads(answer.body)["__type"]) == (400, "SerializationException")
    for wire in stalled:
        wire.close()
    deadline = time.monotonic() + 10
    while open_bodies(server):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert server.peak_memory_bytes() <= BODIES_MEMORY_MAX, f"{server.peak_memory_bytes() / MIB:.1f} MiB"


def test_parts_of_many_at_once(server):
    layers = [os.urandom(40 * MIB) for _ in range(8)]
    with ThreadPoolExecutor(len(layers)) as pool:
        list(pool.map(lambda layer: upload_in_parts(server, layer), layers))
    assert server.peak_memory_bytes() <= BODIES_MEMORY_MAX, f"{server.peak_memory_bytes() / MIB:.1f} MiB"
