"""Clients that ask for much and take nothing: they may not take the server's memory, or its end would be theirs to choose."""

import http.client
import json
import random
import socket
import time

import pytest
from sizes import READERS
from support.api import TARGET_PREFIX

from attacker import resident_bytes
from doors import image_of, layer_of
from light_client import Client

LIMIT = 128 << 20  # of addresses: a container of that much memory ends it no later
MANIFEST = 4 << 20  # the largest there may be, or a little less
HELD = 3  # seconds that the readers stay


def padded(dice, size):
    """An image whose manifest is nearly of this size."""
    return image_of(dice, [layer_of(dice, 100)], annotations={"made.of": "x" * (size - 5000)})


class Silent:
    """A connection that has asked and does not read."""

    def __init__(self, port, request):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(request)

    def close(self):
        self.socket.close()


PATIENCE = 20  # seconds


def manifest_request(host, images):
    return (f"GET /v2/app/manifests/{images[0].digest} HTTP/1.1\r\nHost: {host}\r\n"
            f"Accept: {images[0].media_type}\r\n\r\n").encode()


def batch_request(host, images):
    body = json.dumps({
        "repositoryName": "app", "imageIds": [{"imageDigest": image.digest} for image in images]}).encode()
    return (f"POST / HTTP/1.1\r\nHost: {host}\r\nX-Amz-Target: {TARGET_PREFIX}.BatchGetImage\r\n"
            f"Content-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def push_and_pull(server, client, dice, readers):
    image = image_of(dice, [layer_of(dice, 1000)])
    try:
        # While answers are being made there may be no memory for more: then a client is told to come again, and may.
        end = time.monotonic() + PATIENCE
        while (answer := client.push("app", image)).status == 503 and time.monotonic() < end:
            time.sleep(0.2)
        assert answer.status == 201, f"beside {readers} readers that take nothing: {answer}"
        client.read_whole("app", image)
    except (OSError, http.client.HTTPException) as failure:
        code = server.wait_for_exit(10)
        raise AssertionError(f"{readers} readers ended it with {code}: {failure!r}\n{server.log()}") from None


# The kernel holds some megabytes of each answer as well, so that it takes more of the smaller ones.
@pytest.mark.parametrize("request_of, readers_of_one", [(manifest_request, 4), (batch_request, 1)], ids=["4 MiB", "12 MiB"])
def test_readers_that_take_nothing(make_release, seed, request_of, readers_of_one):
    server = make_release("--auth", "open", "--log-level", "error", limits=[f"--as={LIMIT}"])
    dice, client = random.Random(f"{seed} readers"), Client(server.port, timeout=30)
    client.api("CreateRepository", repositoryName="app")
    images = [padded(dice, MANIFEST) for _ in range(3)]
    for image in images:
        assert client.push("app", image).status == 201
    before, readers = resident_bytes(server), []
    try:
        for _ in range(READERS * readers_of_one):
            readers.append(Silent(server.port, request_of(server.host, images)))
        end, pushed = time.monotonic() + HELD, 0
        while time.monotonic() < end:
            push_and_pull(server, client, dice, len(readers))
            pushed += 1
        print(f"{len(readers)} readers, {pushed} images pushed beside them, RSS {before >> 20} -> "
              f"{resident_bytes(server) >> 20} MiB, peak {server.peak_memory_bytes() >> 20} MiB of {LIMIT >> 20}")
    finally:
        for reader in readers:
            reader.close()
    answer = client.get_manifest("app", images[0].digest, images[0].media_type)
    assert answer.body == images[0].manifest
    client.close()
