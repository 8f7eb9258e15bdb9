"""Layers far larger than memory, and many at once: byte for byte the same, and the server's memory stays small.

Measured with the release build (a sanitizer's memory says nothing): DRYDOCK_RELEASE_BIN, else build/drydock, which is
built when it is missing.
"""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from support.binary import SOURCE
from support.server import Server
from support.streams import Pattern, digest_of_stream
from support.transfer import Transfer

GIB, MIB = 1 << 30, 1 << 20
MEMORY_MAX = 64 * MIB


def release_binary():
    binary = Path(os.environ.get("DRYDOCK_RELEASE_BIN") or SOURCE / "build/drydock").resolve()
    if not os.access(binary, os.X_OK):
        subprocess.run(["make", "build"], cwd=SOURCE, check=True, stdout=subprocess.DEVNULL)
    assert b"__asan_init" not in binary.read_bytes(), f"{binary} has a sanitizer in it: its memory says nothing"
    return binary


class ReleaseServer(Server):
    def command(self):
        return [str(release_binary()), *super().command()[1:]]


@pytest.fixture
def server(tmp_path):
    server = ReleaseServer(folder=tmp_path, data=tmp_path / "data")
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
