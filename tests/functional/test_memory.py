"""What clients can make the server keep: answers that nobody reads, requests and handshakes that stall.

Measured with the release build, as test_large.py. DRYDOCK_MEMORY_CLIENTS: how many times as many clients, and the bounds
with them; a process may have as many descriptors as that takes.
"""

import json
import os
import socket
import time
from pathlib import Path

import pytest
from support.api import TARGET_PREFIX, authorization
from support.images import OCI_MANIFEST, digest_of
from test_large import MIB, ReleaseServer, SecureReleaseServer

SCALE = int(os.environ.get("DRYDOCK_MEMORY_CLIENTS", "1"))
STALLED = 3000 * SCALE
STALLED_MAX = 90 * MIB  # ARCHITECTURE.md: what makes heads small and bodies go to files, and what clients do not choose
UNREAD_MAX = 168 * MIB  # ARCHITECTURE.md: the 160 MiB of requests and replies, and what clients do not choose
HEAD = "GET /_drydock/health HTTP/1.1\r\nHost: {host}\r\n"


class SmallServer(ReleaseServer):
    """One that has 128 MiB of addresses, and can have no more."""

    def command(self):
        return ["prlimit", f"--as={128 * MIB}", *super().command()]


def resident_bytes(server):
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait_until_small(server, most, seconds=20):
    """Memory is given back some time after a peak."""
    deadline = time.monotonic() + seconds
    while resident_bytes(server) > most:
        assert time.monotonic() < deadline, f"{resident_bytes(server) / MIB:.1f} MiB"
        time.sleep(0.1)


def is_prompt(server):
    begin = time.monotonic()
    assert server.admin("GET", "health")
    assert time.monotonic() - begin < 5


def push_manifests(server, count, size):
    """Images whose manifests have `size` bytes; their digests."""
    registry = server.registry(login=None)
    digests = []
    registry.push_blob("app", b"{}")
    for number in range(count):
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": digest_of(b"{}")},
            "layers": [], "annotations": {"number": str(number), "fill": ""}})
        manifest = manifest.replace('"fill": "', '"fill": "' + "x" * (size - len(manifest))).encode()
        response = registry.put_manifest("app", f"t{number}", manifest, OCI_MANIFEST)
        assert response.status_code == 201, response.text
        digests.append(response.headers["Docker-Content-Digest"])
    registry.close()
    return digests


def manifest_request(server, digests):
    return (f"GET /v2/app/manifests/{digests[0]} HTTP/1.1\r\nHost: {server.host}\r\n\r\n").encode()


def batch_request(server, digests):
    body = json.dumps({"repositoryName": "app", "imageIds": [{"imageDigest": digest} for digest in digests]})
    return (
        f"POST / HTTP/1.1\r\nHost: {server.host}\r\nX-Amz-Target: {TARGET_PREFIX}.BatchGetImage\r\n"
        f"Authorization: {authorization()}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


REQUESTS = {"manifests": manifest_request, "BatchGetImage": batch_request}


def connect_small(server):
    """A client that takes little, and reads nothing."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.settimeout(30)
    one.connect(("127.0.0.1", server.port))
    return one


def ask_and_read_nothing(server, request, count):
    readers = []
    for _ in range(count):
        readers.append(connect_small(server))
        readers[-1].sendall(request)
    deadline = time.monotonic() + 60
    for reader in readers:  # an answer has begun for each, or it was refused
        reader.settimeout(max(1, deadline - time.monotonic()))
        assert reader.recv(12)
    return readers


def close_all(sockets):
    for one in sockets:
        one.close()


@pytest.fixture
def start(tmp_path):
    started = []

    def make(kind, *options):
        server = kind("--auth", "open", *options, folder=tmp_path, data=tmp_path / "data")
        started.append(server)
        return server.start()

    yield make
    for server in started:
        print(server.log()[-3000:])
        if server.process:
            server.check()
            server.stop()


def serve_app(start, kind, *options):
    server = start(kind, *options)
    server.ecr().create_repository(repositoryName="app")
    return server


# -- answers that nobody reads ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("what", REQUESTS)
def test_unread_answers_where_memory_is_little(start, what):
    """Each gets its answer from a file, or is told to come back; the server lives, and works for others."""
    server = serve_app(start, SmallServer)
    digests = push_manifests(server, 3, 4 * MIB - 1000)
    readers = ask_and_read_nothing(server, REQUESTS[what](server, digests), 60)
    is_prompt(server)
    push_manifests(server, 1, 1000)
    close_all(readers)
    is_prompt(server)


@pytest.mark.parametrize("what, count", [("manifests", 150), ("BatchGetImage", 30)])
def test_unread_answers(start, what, count):
    server = serve_app(start, ReleaseServer)
    digests = push_manifests(server, 3, 4 * MIB - 1000)
    before = resident_bytes(server)
    readers = ask_and_read_nothing(server, REQUESTS[what](server, digests), count * SCALE)
    peak = server.peak_memory_bytes()
    assert peak <= UNREAD_MAX, f"{peak / MIB:.1f} MiB"
    is_prompt(server)
    # those who do read get every byte
    for reader in readers[:3]:
        reader.settimeout(30)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        received, chunk = 12, b" "
        while chunk and received < (11 if what == "BatchGetImage" else 3) * MIB:
            chunk = reader.recv(1 << 20)
            received += len(chunk)
        assert chunk
    close_all(readers)
    wait_until_small(server, before + 12 * MIB)
    readers = ask_and_read_nothing(server, REQUESTS[what](server, digests), 20)
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 15  # 10 s are theirs
    close_all(readers)


def test_answers_are_whole_however_they_are_read(start):
    """By readers slow and fast, plain and over TLS, from memory and from files."""
    for kind in (ReleaseServer, SecureReleaseServer):
        server = serve_app(start, kind)
        digests = push_manifests(server, 1, 4 * MIB - 1000)
        registry = server.registry(login=None)
        expected = registry.get_manifest("app", digests[0]).content
        registry.close()
        # one more begins while each waits: the last of them are sent from files
        waiting = [server.connect() for _ in range(12)]
        for wire in waiting:
            wire.send(manifest_request(server, digests) * 2)
            time.sleep(0.02)
        time.sleep(1)
        for wire in waiting:
            for _ in range(2):
                answer = wire.read_response()
                assert (answer.status, answer.body) == (200, expected)
            wire.request("GET", "/_drydock/health")
            assert wire.read_response().status == 200
            wire.close()
        server.ecr().delete_repository(repositoryName="app", force=True)
        server.stop()


# -- requests that stall ----------------------------------------------------------------------------------------------

def body_short_of_its_end(server):
    return (
        f"PUT /v2/app/manifests/x HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: 65536\r\n\r\n"
        + "x" * 64512).encode()


def body_and_large_head(server):
    return body_short_of_its_end(server).replace(b"\r\n\r\n", b"\r\nX-Fill: " + b"x" * 31000 + b"\r\n\r\n")


def large_head(server):
    return (HEAD.format(host=server.host) + "X-Fill: " + "x" * 32000).encode()


def small_head(server):
    return HEAD.format(host=server.host).encode()


def half_a_hello(_):
    return b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(32)


STALLS = {
    "bodies": (body_short_of_its_end, ReleaseServer), "bodies with large heads": (body_and_large_head, ReleaseServer),
    "large heads": (large_head, ReleaseServer), "heads": (small_head, ReleaseServer),
    "handshakes": (half_a_hello, SecureReleaseServer)}


@pytest.mark.parametrize("name", STALLS)
def test_stalled(start, name):
    make, kind = STALLS[name]
    server = serve_app(start, kind)
    before = resident_bytes(server)
    begun, stalled = make(server), []
    for _ in range(STALLED):
        stalled.append(socket.create_connection(("127.0.0.1", server.port), 30))
        try:
            stalled[-1].sendall(begun)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused at once
    is_prompt(server)
    assert server.peak_memory_bytes() <= STALLED_MAX, f"{server.peak_memory_bytes() / MIB:.1f} MiB"
    server.registry(login=None).push_blob("app", os.urandom(1000))
    close_all(stalled)
    wait_until_small(server, before + 12 * MIB)


@pytest.mark.parametrize("name", STALLS)
def test_stalled_where_memory_is_little(start, name):
    make, kind = STALLS[name]
    server = serve_app(start, type("Small", (SmallServer, kind), {}))
    begun, stalled = make(server), []
    for _ in range(STALLED):
        try:
            stalled.append(socket.create_connection(("127.0.0.1", server.port), 30))
            stalled[-1].sendall(begun)
        except (BrokenPipeError, ConnectionResetError):
            pass
    close_all(stalled)
    deadline = time.monotonic() + 20
    while True:  # it may have been refused while they were there
        try:
            is_prompt(server)
            break
        except (AssertionError, OSError):
            server.check()
            assert time.monotonic() < deadline
            time.sleep(0.2)
    server.registry(login=None).push_blob("app", os.urandom(1000))
