"""Blobs: HEAD, GET, Range, and that a repository sees only its own (OCI distribution-spec "Pulling blobs")."""

import os
import threading

import pytest
from support.fixtures import serve
from support.images import digest_of
from support.refusals import blob_unknown, refusal
from support.registry import UPLOAD_FORMS


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """Parts of any size: that ECR wants 5 MiB of them is test_quirks.py's."""
    yield from serve(tmp_path_factory, "--quirk", "chunk-minimum=off")


INLINE_MAX = 65536  # bytes; smaller blobs are rows, larger ones files
SIZES = (0, 1, 1000, INLINE_MAX - 1, INLINE_MAX, INLINE_MAX + 1, 700_001)
NOWHERE = "sha256:" + "0" * 64


def pushed(registry, repository, size):
    data = os.urandom(size)
    response = registry.push_blob(repository, data, form="put")
    assert response.status_code == 201, response.text
    return data, digest_of(data)


@pytest.mark.parametrize("size", SIZES)
def test_get_and_head(registry, repository, size):
    data, digest = pushed(registry, repository, size)
    get, head = registry.get_blob(repository, digest), registry.head_blob(repository, digest)
    assert (get.status_code, head.status_code) == (200, 200)
    assert get.content == data and head.content == b""
    for response in (get, head):
        assert response.headers["Content-Length"] == str(size)
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Docker-Content-Digest"] == digest
        assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
        assert response.headers["Accept-Ranges"] == "bytes"
    assert {name for name in get.headers} == {name for name in head.headers}


@pytest.mark.parametrize("form", UPLOAD_FORMS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunk", [100_000, 1 << 20])
def test_every_form_of_upload_gives_the_same_blob(registry, repository, form, size, chunk):
    data = os.urandom(size)
    response = registry.push_blob(repository, data, form=form, chunk=chunk)
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"/v2/{repository}/blobs/{digest_of(data)}"
    assert response.headers["Docker-Content-Digest"] == digest_of(data)
    assert response.content == b""
    assert registry.request("GET", response.headers["Location"]).content == data


# Range, and what of 0..size-1 comes of it: (first, last), "all" (200) or "none" (416).
RANGES = [
    ("bytes=0-0", (0, 0)), ("bytes=0-9", (0, 9)), ("bytes=10-19", (10, 19)), ("bytes=0-", (0, -1)),
    ("bytes=500-", (500, -1)), ("bytes=999-", (999, -1)), ("bytes=-1", (-1, -1)), ("bytes=-500", (-500, -1)),
    ("bytes=-999999999", (0, -1)), ("bytes=500-99999999", (500, -1)), ("bytes=0-99999999999999999999999", (0, -1)),
    ("BYTES=0-9", (0, 9)), ("bytes=00000-00009", (0, 9)), ("bytes=0-{last}", (0, -1)),
    ("bytes={last}-{last}", (-1, -1)),
    ("bytes={size}-", "none"), ("bytes={size}-{size}", "none"), ("bytes=99999999999999999999-", "none"),
    ("bytes=-0", "none"), ("bytes=9-0", "none"),
    # Of these a server may answer everything (RFC 9110 section 14.2), and does.
    ("bytes=0-0,10-19", "all"), ("bytes=", "all"), ("bytes=-", "all"), ("bytes", "all"),
    ("items=0-9", "all"), ("bytes=a-b", "all"), ("bytes=0x0-0x9", "all"), ("bytes=1.5-2", "all"), ("bytes=--1", "all"),
    ("bytes=0 - 9", "all"), ("0-9", "all"),
]


@pytest.mark.parametrize("size", [1000, INLINE_MAX + 1])
@pytest.mark.parametrize("text, part", RANGES)
def test_ranges(registry, repository, size, text, part):
    data, digest = pushed(registry, repository, size)
    text = text.format(last=size - 1, size=size)
    response = registry.get_blob(repository, digest, headers={"Range": text})
    if part == "none":
        status, code, _ = refusal(response)
        assert (status, code) == (416, "RANGE_INVALID")
        assert response.headers["Content-Range"] == f"bytes */{size}"
    elif part == "all":
        assert (response.status_code, response.content) == (200, data)
        assert "Content-Range" not in response.headers
    else:
        first, last = (end % size for end in part)
        assert (response.status_code, response.content) == (206, data[first:last + 1])
        assert response.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert response.headers["Content-Length"] == str(last - first + 1)
        assert response.headers["Docker-Content-Digest"] == digest
    again = registry.get_blob(repository, digest)
    assert again.content == data, "the connection is in step"


def test_ranges_of_nothing(registry, repository):
    _, digest = pushed(registry, repository, 0)
    response = registry.get_blob(repository, digest, headers={"Range": "bytes=0-"})
    assert refusal(response)[:2] == (416, "RANGE_INVALID")
    assert response.headers["Content-Range"] == "bytes */0"
    assert registry.get_blob(repository, digest, headers={"Range": "bytes=-1"}).status_code == 200


def test_a_blob_in_parts(registry, repository):
    """As a client resumes a pull that was cut."""
    data, digest = pushed(registry, repository, 300_000)
    parts = [
        registry.get_blob(repository, digest, headers={"Range": f"bytes={first}-{first + 70_000 - 1}"}).content
        for first in range(0, len(data), 70_000)]
    assert b"".join(parts) == data


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_unknown_blobs(ecr, registry, repository, method):
    """What another repository holds is as unknown as what nobody holds."""
    ecr.create_repository(repositoryName="other")
    _, elsewhere = pushed(registry, "other", 10)
    _, large = pushed(registry, "other", INLINE_MAX + 1)
    for digest in (NOWHERE, elsewhere, large, "sha512:" + "0" * 128):
        response = registry.request(method, f"{repository}/blobs/{digest}")
        assert response.status_code == 404
        if method == "GET":
            assert refusal(response) == blob_unknown(digest, repository)
        else:
            assert response.content == b"" and int(response.headers["Content-Length"]) > 0


def test_no_repository_no_blobs(registry):
    status, code, message = refusal(registry.get_blob("team/none", NOWHERE))
    assert (status, code) == (404, "NAME_UNKNOWN")
    assert message == "The repository with name 'team/none' does not exist in the registry with id '000000000000'"


@pytest.mark.parametrize("digest", [
    "sha256:abc", "sha256:" + "A" * 64, "sha256:" + "g" * 64, "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256",
    "latest", "sha256:" + "0" * 65, "sha512:" + "0" * 64, ":", "sha256:", "sha384:" + "0" * 96, "sha256%3a" + "0" * 63,
    "sha256:" + "0" * 63 + "%ff"])
def test_digests_that_are_none(registry, repository, digest):
    status, code, message = refusal(registry.get_blob(repository, digest))
    assert (status, code) == (400, "DIGEST_INVALID")
    assert message.endswith(
        "is not a digest that is supported here: 'sha256:' and 64, or 'sha512:' and 128 lower-case hexadecimal digits")


def test_an_escaped_digest(registry, repository):
    data, digest = pushed(registry, repository, 100)
    assert registry.get_blob(repository, digest.replace(":", "%3A")).content == data
    assert registry.get_blob(repository.replace("/", "%2F"), digest).content == data


def test_blobs_are_not_deleted_by_hand(registry, repository):
    """ECR has no action for it."""
    data, digest = pushed(registry, repository, 100)
    assert refusal(registry.request("DELETE", f"{repository}/blobs/{digest}")) == (
        405, "UNSUPPORTED", "This method is not allowed here")
    for method in ("PUT", "POST", "PATCH", "OPTIONS"):
        assert refusal(registry.request(method, f"{repository}/blobs/{digest}", data=b"x"))[:2] == (405, "UNSUPPORTED")
    assert registry.get_blob(repository, digest).content == data


@pytest.mark.parametrize("form", ["put", "stream", "post"])
def test_the_same_blob_again(ecr, registry, repository, form):
    """Into this repository and another: the bytes are verified each time."""
    ecr.create_repository(repositoryName="other")
    for size in (100, INLINE_MAX + 1):
        data, digest = pushed(registry, repository, size)
        for name in (repository, "other", "other"):
            assert registry.push_blob(name, data, form=form).status_code == 201
            assert registry.get_blob(name, digest).content == data
        wrong = registry.push_blob(repository, data + b"?", digest=digest, form=form)
        assert refusal(wrong)[:2] == (400, "DIGEST_INVALID")
        assert registry.get_blob(repository, digest).content == data


@pytest.mark.parametrize("size", [1000, 200_000])
def test_many_clients_push_one_blob(drydock, ecr, repository, size):
    data = os.urandom(size)
    login, answers = drydock.token(), []

    def push():
        client = drydock.registry(login)
        answers.append(client.push_blob(repository, data, form="stream", chunk=50_000).status_code)
        answers.append(client.get_blob(repository, digest_of(data)).content == data)
        client.close()

    threads = [threading.Thread(target=push) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted([201, True] * 8)


def test_pulls_do_not_wait_for_each_other(drydock, registry, repository):
    """A client that reads nothing holds up nobody."""
    data, digest = pushed(registry, repository, 20 << 20)
    stalled = [registry.get_blob(repository, digest, stream=True) for _ in range(4)]
    other = drydock.registry()
    assert other.get_blob(repository, digest).content == data
    for response in stalled:
        assert response.raw.read(10) == data[:10]
        response.close()
    other.close()
