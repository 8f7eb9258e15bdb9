"""The server on the wire: what a request may look like, what the answer does, and when the connection ends.

The grammar is the unit tests' business (tests/unit/http); here it is the whole program that is asked.
"""

import os
import random
import resource
import socket
import threading
import time

import pytest
from support.cases import cases
from support.images import digest_of, oci_image
from support.refusals import refusal
from support.server import Server
from support.transfer import Transfer

HEAD_MAX, TARGET_MAX, FIELDS_MAX = 32 << 10, 8 << 10, 100
CASES = cases("wire")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A server that asks for no token."""
    server = Server("--auth", "open", folder=tmp_path_factory.mktemp("wire"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running):
    """It, with the one empty repository team/app."""
    running.reset()
    running.ecr().create_repository(repositoryName="team/app")
    yield running
    running.check()


@pytest.fixture
def connect(server):
    opened = []

    def make():
        opened.append(server.connect())
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


def send_slowly(connection, data):
    """Byte by byte; the server may well have had enough before the end."""
    for at in range(len(data)):
        try:
            connection.send(data[at:at + 1])
        except (BrokenPipeError, ConnectionResetError):
            return


def still_answers(connection):
    connection.request("GET", "/_drydock/health")
    return connection.read_response().status == 200


# -- the cases in testdata/wire/ --------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["at once", "byte by byte"])
@pytest.mark.parametrize("name", CASES)
def test_cases(connect, name, how):
    case, connection = CASES[name], connect()
    (connection.send if how == "at once" else lambda data: send_slowly(connection, data))(case.sent)
    for number, expected in enumerate(case.answers, 1):
        # The one answer without a body, where it has a length, is to the first request of a HEAD case.
        answer = connection.read_response(head=name.startswith("head") and number == 1)
        assert answer.status == expected.status, f"answer {number}: {answer}"
        for header, value in expected.headers:
            assert answer.header(header) == value, f"answer {number}: {answer}"
        if expected.body is not None:
            assert answer.body == expected.body, f"answer {number}"
        assert answer.header("date") and answer.header("content-length") is not None
    if case.closed:
        assert connection.at_end()
    else:
        assert still_answers(connection)


# -- too large --------------------------------------------------------------------------------------------------------

def test_heads_of_any_size(connect):
    """32 KiB is the most; what is larger is told so, at once."""
    for size, status in ((1000, 200), (HEAD_MAX, 200), (HEAD_MAX + 1, 431), (1 << 20, 431)):
        connection = connect()
        head = f"GET /_drydock/health HTTP/1.1\r\nHost: {connection.host}\r\nX-Fill: ".encode()
        connection.send(head + b"x" * (size - len(head) - 4) + b"\r\n\r\n")
        answer = connection.read_response()
        assert answer.status == status, size
        if status == 431:
            assert answer.header("connection") == "close"
            assert b"too large" in answer.body
            assert connection.at_end()


@pytest.mark.parametrize("count, status", [(FIELDS_MAX, 200), (FIELDS_MAX + 1, 431), (5000, 431)])
def test_header_fields_of_any_number(connect, count, status):
    connection = connect()
    connection.request("GET", "/_drydock/health", [("A", "b")] * (count - 1))
    assert connection.read_response().status == status


def test_targets_of_any_size(connect):
    for size, status in ((1000, 404), (TARGET_MAX, 404), (TARGET_MAX + 1, 414), (HEAD_MAX * 2, 414)):
        connection = connect()
        connection.request("GET", "/" + "x" * (size - 1))
        answer = connection.read_response()
        assert answer.status == status, size
        if status == 414:
            assert b"too long" in answer.body and connection.at_end()


def test_a_body_too_large_in_chunks(server, connect):
    """No length says so beforehand: it is noticed on the way, and the client still reads the answer."""
    for path, limit, code in (
            ("/v2/team/app/manifests/v1", 4 << 20, b"SIZE_INVALID"), ("/_drydock/clock", 4096, b"message")):
        connection = connect()
        method = "PUT" if path.startswith("/v2/") else "POST"
        connection.request(method, path, [("Transfer-Encoding", "chunked")])
        for _ in range(limit // 4096 + 1):
            connection.send_chunk(b"x" * 4096)
        answer = connection.read_response()
        assert answer.status == 413 and code in answer.body
        assert connection.at_end()


def test_a_client_that_sends_on_reads_its_refusal(server):
    """Tens of megabytes may be under way when the refusal comes; the connection is not reset under it."""
    registry = server.registry(login=None)
    for size in (1000, 100_000, 20 << 20):
        response = registry.patch_upload(
            "team/app/blobs/uploads/00000000-0000-4000-8000-000000000000", b"x" * size)
        assert refusal(response)[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
    registry.close()


# -- percent-encoded paths --------------------------------------------------------------------------------------------

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]


def escaped(path, at):
    return f"{path[:at]}%{ord(path[at]):02X}{path[at + 1:]}"


@pytest.mark.parametrize("method", METHODS)
def test_a_link_to_a_layer_with_any_character_escaped(connect, method):
    """The path is decoded once, and what it says then decides: a link that is none is refused as one."""
    connection = connect()
    for at in range(1, len("/_drydock/layers/")):
        connection.request(method, escaped("/_drydock/layers/x", at))
        answer = connection.read_response(head=method == "HEAD")
        if method in ("GET", "HEAD"):
            assert answer.status == 403, at
            assert method == "HEAD" or answer.body == b"This is not a link of GetDownloadUrlForLayer.\n"
        else:
            assert (answer.status, answer.body) == (405, b"A link to a layer takes GET and HEAD.\n"), at
    assert still_answers(connection)


@pytest.mark.parametrize("path, status", [
    ("/v2/", 200), ("/v2/team/app/tags/list", 200), ("/v2/team/none/tags/list", 404), ("/_drydock/health", 200),
    ("/_drydock/clock", 200), ("/_drydock/none", 404), ("/nothing", 404)])
def test_an_escaped_path_is_the_same_path(connect, path, status):
    connection = connect()
    for at in range(1, len(path)):
        connection.request("GET", escaped(path, at))
        assert connection.read_response().status == status, escaped(path, at)


@pytest.mark.parametrize("method, path, start", [
    ("PUT", "/v2/team/app/manifests/v1", b'{"errors":[{"code":"SIZE_INVALID"'), ("POST", "/_drydock/clock", b'{"message":'),
    ("GET", "/_drydock/layers/x", b"the request body is too large")])
def test_a_body_too_large_is_refused_by_the_api_it_came_to(connect, method, path, start):
    """However its path is written."""
    for at in range(len(path)):
        connection = connect()
        connection.request(method, escaped(path, at) if at else path, [("Content-Length", "5000000")])
        answer = connection.read_response()
        assert answer.status == 413 and answer.body.startswith(start), (at, answer)


def test_a_form_too_large_is_refused_by_sts(connect):
    connection = connect()
    connection.request("POST", "/?Action=GetCallerIdentity", [("Content-Length", "5000000")])
    answer = connection.read_response()
    assert answer.status == 413 and answer.body.startswith(b"<ErrorResponse ")


# -- 100-continue -----------------------------------------------------------------------------------------------------

def test_continue_is_said_where_the_body_is_wanted(server, connect):
    data = os.urandom(1000)
    connection = connect()
    connection.request("POST", f"/v2/team/app/blobs/uploads/?digest={digest_of(data)}", [
        ("Content-Length", "1000"), ("Expect", "100-continue")])
    assert connection.read_response(interim=True).status == 100
    connection.send(data)
    assert connection.read_response().status == 201
    assert still_answers(connection)


def test_continue_is_not_said_when_the_body_is_there_already(connect):
    connection = connect()
    connection.request("POST", f"/v2/team/app/blobs/uploads/?digest={digest_of(b'x')}", [
        ("Expect", "100-continue")], body=b"x")
    assert connection.read_response(interim=True).status == 201


@pytest.mark.parametrize("method, path, headers, status", [
    ("PATCH", "blobs/uploads/00000000-0000-4000-8000-000000000000", [], 404),
    ("PUT", f"blobs/uploads/00000000-0000-4000-8000-000000000000?digest={digest_of(b'')}", [], 404),
    ("PATCH", "blobs/uploads/UPLOAD", [("Content-Range", "5-14")], 416),
    ("PUT", "blobs/uploads/UPLOAD?digest=none", [], 400),
    ("POST", "blobs/uploads/?digest=none", [], 400),
    ("PUT", "blobs/uploads/", [], 405)])
def test_refusals_come_instead_of_continue(server, connect, method, path, headers, status):
    registry = server.registry(login=None)
    upload = registry.start_upload("team/app").headers["Docker-Upload-UUID"]
    registry.close()
    connection = connect()
    connection.request(method, "/v2/team/app/" + path.replace("UPLOAD", upload), [
        ("Content-Length", "10"), ("Expect", "100-continue"), *headers])
    assert connection.read_response(interim=True).status == status
    assert connection.at_end(), "nobody knows whether the body comes"


def test_refusals_of_other_repositories_come_instead_of_continue(server):
    for path in (f"/v2/team/none/blobs/uploads/?digest={digest_of(b'')}", "/v2/Team/blobs/uploads/"):
        answer = Transfer(server, None, "POST", path, 1 << 40).refusal
        assert answer.status in (404, 405, 413)


# -- the connection ---------------------------------------------------------------------------------------------------

def test_a_hundred_requests_on_one_connection(server, connect):
    connection = connect()
    for number in range(100):
        connection.request("GET", "/v2/" if number % 2 else f"/v2/team/app/manifests/t{number}")
        answer = connection.read_response()
        assert answer.status == (200 if number % 2 else 404)
        assert answer.header("connection") is None


def test_a_hundred_requests_at_once(server, connect):
    """Pipelined, of every kind; the answers come in order."""
    connection, data = connect(), os.urandom(70_000)
    digest = digest_of(data)
    steps = [
        ("POST", f"/v2/team/app/blobs/uploads/?digest={digest}", data, 201),
        ("HEAD", f"/v2/team/app/blobs/{digest}", b"", 200), ("GET", f"/v2/team/app/blobs/{digest}", b"", 200),
        ("PUT", "/v2/team/app/manifests/v1", b"not a manifest", 405), ("GET", "/v2/team/app/tags/list", b"", 200)] * 20
    sender = threading.Thread(target=lambda: [connection.request(*step[:2], body=step[2]) for step in steps])
    sender.start()
    for method, path, _, status in steps:
        answer = connection.read_response(head=method == "HEAD")
        assert answer.status == status, path
        if status == 200 and "blobs" in path:
            assert answer.header("content-length") == "70000"
            assert method == "HEAD" or answer.body == data
    sender.join()


def test_head_everywhere(server, connect):
    image = oci_image()
    registry = server.registry(login=None)
    registry.push_image("team/app", image, "v1")
    large = os.urandom(100_000)
    registry.push_blob("team/app", large)
    connection = connect()
    for path in (
            "/v2/", "/v2/team/app/tags/list", "/v2/team/app/manifests/v1", f"/v2/team/app/blobs/{digest_of(large)}",
            f"/v2/team/app/blobs/{image.config.digest}", "/v2/team/app/manifests/none", "/v2/none/tags/list",
            "/_drydock/health", "/nothing"):
        connection.request("GET", path)
        get = connection.read_response()
        connection.request("HEAD", path)
        head = connection.read_response(head=True)
        assert head.status == get.status
        assert dict(head.headers) | {"date": ""} == dict(get.headers) | {"date": ""}
    assert still_answers(connection)
    registry.close()


def test_a_client_that_stops_sending_still_reads(server, connect):
    connection = connect()
    connection.request("GET", "/v2/team/app/tags/list")
    connection.finish_sending()
    assert connection.read_response().status == 200
    assert connection.at_end()


def test_clients_that_leave_in_the_middle(server, connect):
    """Of the head, of a body, of an answer: the server notices, and goes on."""
    registry = server.registry(login=None)
    large = os.urandom(10 << 20)
    registry.push_blob("team/app", large)
    for sent in (
            b"", b"G", b"GET /v2/ HTTP/1.1\r\nHost: x",
            b"PUT /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
            f"GET /v2/team/app/blobs/{digest_of(large)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()):
        for reset in (False, True):
            connection = server.connect()
            connection.send(sent)
            if reset:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
    assert registry.get_blob("team/app", digest_of(large)).content == large
    registry.close()


def test_garbage(server):
    """Two hundred connections of random bytes, some of which begin like a request."""
    source = random.Random(1)
    beginnings = [
        b"", b"GET /v2/ HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n",
        b"PUT /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"]
    for number in range(200):
        connection = server.connect()
        connection.send(beginnings[number % 4] + source.randbytes(source.randrange(1, 3000)))
        connection.finish_sending()
        try:
            while answer := connection.socket.recv(65536):
                assert answer.startswith(b"HTTP/1.1 ") or b"HTTP/1.1 " in answer
        except ConnectionResetError:
            pass
        connection.close()
    assert server.admin("GET", "health")["status"] == "ok"


def begin(connection):
    """Half of a request, which the server is known to be at: the connection does not give way to another."""
    connection.request("POST", "/_drydock/clock", [("Content-Length", "15"), ("Expect", "100-continue")])
    assert connection.read_response(interim=True).status == 100


def finish(connection):
    connection.send(b'{"reset": true}')
    return connection.read_response().status == 200


def test_too_many_connections(make_server):
    """One more than --max-connections is told so when all are busy; when another leaves there is room again."""
    server = make_server("--auth", "open", "--max-connections", "3")
    held = [server.connect() for _ in range(3)]
    for connection in held:
        begin(connection)
    extra = server.connect()
    answer = extra.read_response()
    assert (answer.status, answer.header("connection")) == (503, "close")
    extra.close()
    assert finish(held[0])
    begin(held[0])
    held[1].close()
    deadline = time.monotonic() + 10
    while True:
        connection = server.connect()
        try:
            connection.request("GET", "/_drydock/health")
            if connection.read_response().status == 200:
                break
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            connection.close()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for connection in held:
        connection.close()


def test_more_connections_than_descriptors(make_server):
    """Those that are at work are served; the others wait in the kernel until some leave, or are idle."""
    server = make_server("--auth", "open")
    busy = [server.connect()]
    begin(busy[0])
    in_use = len(os.listdir(f"/proc/{server.pid}/fd"))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (in_use + 5, in_use + 5))
    for _ in range(2):
        busy.append(server.connect())
        begin(busy[-1])
    many = [server.connect() for _ in range(20)]
    for connection in busy:
        assert finish(connection)
    last = server.connect()
    assert still_answers(last)
    for connection in [last, *busy, *many]:
        connection.close()


# -- slow clients -----------------------------------------------------------------------------------------------------

def test_a_slow_but_steady_client(server, connect):
    """A head and a body in small pieces over some time are as good as any."""
    connection = connect()
    pieces = [b"POST /v2/team/app/blobs/uploads/?digest=", digest_of(b"12345").encode(), b" HTTP/1.1\r\n", b"Host: x\r",
              b"\nContent-Length: 5\r\n", b"\r", b"\n", b"1", b"23", b"4", b"5"]
    for piece in pieces:
        connection.send(piece)
        time.sleep(0.05)
    assert connection.read_response().status == 201


def test_a_head_that_does_not_end(server, connect):
    """After ten seconds it is told so, however steadily bytes come; a connection that says nothing is left alone."""
    slow, silent = connect(), connect()
    began = time.monotonic()
    slow.send(b"GET /v2/ HTTP/1.1\r\n")
    slow.socket.settimeout(0.5)
    answer = None
    while answer is None:
        slow.send(b"X-A: b\r\n")
        try:
            answer = slow.read_response()
        except TimeoutError:
            assert time.monotonic() - began < 20
    assert (answer.status, slow.at_end()) == (408, True)
    assert 9 < time.monotonic() - began
    assert still_answers(silent)
