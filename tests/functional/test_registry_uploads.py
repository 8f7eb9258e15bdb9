"""Uploads: every form, every way to go wrong, and what is left behind (OCI distribution-spec "Pushing blobs")."""

import hashlib
import os
import re

import pytest
from support.fixtures import serve
from support.images import digest_of, oci_image
from support.refusals import ACCOUNT, refusal, upload_unknown
from support.transfer import Transfer
from support.waiting import wait_until


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """Parts of any size: that ECR wants 5 MiB of them is test_quirks.py's."""
    yield from serve(tmp_path_factory, "--quirk", "chunk-minimum=off")


INLINE_MAX = 65536
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
NOWHERE = "00000000-0000-4000-8000-000000000000"
MISMATCH = (
    "The layer with digest '{}' in repository 'team/app' and registry ID '" + ACCOUNT + "' does not match the digest "
    "calculated from the bytes that were uploaded")


def started(registry, repository, **query):
    response = registry.start_upload(repository, **query)
    assert response.status_code == 202, response.text
    return response.headers["Location"]


def status_of(registry, location):
    """How many bytes the server has, as GET tells it; an upload without bytes is told like one with a single byte."""
    response = registry.upload_status(location)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Location"] == location
    first, last = response.headers["Range"].split("-")
    assert first == "0"
    return int(last) + 1


# -- the steps --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", ["uploads/", "uploads"])
def test_start(registry, repository, path):
    response = registry.request("POST", f"{repository}/blobs/{path}")
    assert (response.status_code, response.content) == (202, b"")
    upload = response.headers["Docker-Upload-UUID"]
    assert UUID.fullmatch(upload)
    assert response.headers["Location"] == f"/v2/{repository}/blobs/uploads/{upload}"
    assert response.headers["Range"] == "0-0"
    assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert response.headers["Content-Length"] == "0"


def test_every_upload_is_another(registry, repository):
    assert len({started(registry, repository) for _ in range(20)}) == 20


def test_a_patch_tells_what_came(registry, repository):
    """docker's form: no Content-Range; several in a row go on where the last one ended."""
    location, data = started(registry, repository), os.urandom(3000)
    for begin in range(0, 3000, 1000):
        response = registry.patch_upload(location, data[begin:begin + 1000])
        assert (response.status_code, response.content) == (202, b"")
        assert response.headers["Location"] == location, "it stays the same between parts"
        assert response.headers["Range"] == f"0-{begin + 999}"
        assert response.headers["Docker-Upload-UUID"] == location.rsplit("/", 1)[1]
        assert status_of(registry, location) == begin + 1000
    assert registry.finish_upload(location, digest_of(data)).status_code == 201
    assert registry.get_blob(repository, digest_of(data)).content == data


@pytest.mark.parametrize("sizes", [
    [INLINE_MAX], [INLINE_MAX - 1, 1], [INLINE_MAX, 1], [INLINE_MAX + 1], [1, INLINE_MAX], [INLINE_MAX - 1, 2],
    [0, 1, 0, 2, 0], [1] * 50, [0], [30_000] * 5, [1 << 20, 1, 1 << 20], [100, 1 << 20]], ids=str)
@pytest.mark.parametrize("last_in_put", [False, True])
@pytest.mark.parametrize("ranges", [False, True])
def test_parts_of_any_size(registry, repository, sizes, last_in_put, ranges):
    location, data, first = started(registry, repository), os.urandom(sum(sizes)), 0
    for number, size in enumerate(sizes, 1):
        piece, where = data[first:first + size], first if ranges and size else None
        if number == len(sizes) and last_in_put:
            break
        response = registry.patch_upload(location, piece, where)
        assert response.status_code == 202, response.text
        first += size
        assert response.headers["Range"] == f"0-{max(first - 1, 0)}"
    else:
        piece, where = b"", None
    assert registry.finish_upload(location, digest_of(data), piece, where).status_code == 201
    assert registry.get_blob(repository, digest_of(data)).content == data
    assert refusal(registry.upload_status(location))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("form", [
    "0-99", "bytes 0-99", "bytes=0-99", "bytes 0-99/*", "bytes 0-99/200", "BYTES 0-99"])
def test_forms_of_content_range(registry, repository, form):
    location = started(registry, repository)
    response = registry.request("PATCH", location, data=b"x" * 100, headers={"Content-Range": form})
    assert (response.status_code, response.headers["Range"]) == (202, "0-99")


@pytest.mark.parametrize("content_range", [
    "0-99", "50-149", "101-200", "200-299", "100-198", "100-200", "100-98", "99-198", "bytes", "", "a-b", "100", "-100",
    "100-", "bytes */200", "100-199/150", "18446744073709551616-18446744073709551715"])
def test_a_chunk_out_of_order(registry, repository, content_range):
    """416, and where to go on; nothing of it was taken."""
    location, data = started(registry, repository), os.urandom(200)
    registry.patch_upload(location, data[:100], 0)
    headers = {"Content-Range": content_range}
    for method, path in (("PATCH", location), ("PUT", f"{location}?digest={digest_of(data)}")):
        response = registry.request(method, path, data=data[100:], headers=headers)
        assert refusal(response)[:2] == (416, "BLOB_UPLOAD_INVALID")
        assert refusal(response)[2] == (
            f"The part does not begin where the upload with id '{location.rsplit('/', 1)[1]}' ends")
        assert (response.headers["Range"], response.headers["Location"]) == ("0-99", location)
        assert status_of(registry, location) == 100
    assert registry.finish_upload(location, digest_of(data), data[100:], 100).status_code == 201
    assert registry.get_blob(repository, digest_of(data)).content == data


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("content_range, came", [("100-199", 100), ("100-298", 200), ("100-100", 1), ("100-150", 200)])
@pytest.mark.parametrize("pieces", [1, 40])
def test_a_chunk_of_unknown_length(registry, repository, method, content_range, came, pieces):
    """Its Content-Range is held against what has come; 416 says how far that is, to go on from there."""
    location, data = started(registry, repository), os.urandom(300)
    registry.patch_upload(location, data[:100], 0)
    sent = data[100:100 + came]
    body = iter([sent[at:at + came // pieces + 1] for at in range(0, came, came // pieces + 1)])
    path = location if method == "PATCH" else f"{location}?digest={digest_of(data[:100 + came])}"
    response = registry.request(method, path, data=body, headers={"Content-Range": content_range})
    promised = int(content_range.partition("-")[2]) + 1
    if 100 + came == promised:
        assert response.status_code == (202 if method == "PATCH" else 201)
        return
    assert refusal(response)[:2] == (416, "BLOB_UPLOAD_INVALID")
    kept = status_of(registry, location)
    assert response.headers["Range"] == f"0-{kept - 1}" and 100 <= kept <= min(promised, 100 + came)
    assert registry.finish_upload(location, digest_of(data), data[kept:], kept).status_code == 201
    assert registry.get_blob(repository, digest_of(data)).content == data


def test_cancel(registry, repository):
    for size in (0, 1000, INLINE_MAX + 1):
        location, data = started(registry, repository), os.urandom(size)
        registry.patch_upload(location, data)
        response = registry.cancel_upload(location)
        assert (response.status_code, response.content) == (204, b"")
        for again in (
                registry.cancel_upload(location), registry.upload_status(location),
                registry.patch_upload(location, b"x"), registry.finish_upload(location, digest_of(data))):
            assert refusal(again) == upload_unknown(location.rsplit("/", 1)[1], repository)
        assert registry.head_blob(repository, digest_of(data)).status_code == 404


@pytest.mark.parametrize("query", [
    {"mount": digest_of(b"x")}, {"mount": digest_of(b"x"), "from": "other"}, {"from": "other"}, {"mount": "nonsense"}])
def test_a_mount_is_an_upload(ecr, registry, repository, query):
    """ECR's account setting BLOB_MOUNTING is off: the client is told to upload."""
    ecr.create_repository(repositoryName="other")
    registry.push_blob("other", b"x")
    location = started(registry, repository, **query)
    assert registry.head_blob(repository, digest_of(b"x")).status_code == 404
    assert registry.finish_upload(location, digest_of(b"y"), b"y").status_code == 201


# -- digests ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("form", ["put", "patch", "chunks", "post", "another algorithm first"])
@pytest.mark.parametrize("size", [0, 1000, INLINE_MAX + 1, 1 << 20])
def test_sha512(registry, repository, form, size):
    data = os.urandom(size)
    digest = "sha512:" + hashlib.sha512(data).hexdigest()
    if form == "another algorithm first":  # nobody says before the end with which the digest is made
        location = started(registry, repository)
        registry.patch_upload(location, data[:size // 2])
        response = registry.finish_upload(location, digest, data[size // 2:])
    else:
        response = registry.push_blob(repository, data, digest=digest, form=form, chunk=100_000)
    assert response.status_code == 201, response.text
    assert response.headers["Docker-Content-Digest"] == digest
    assert registry.get_blob(repository, digest).content == data
    assert registry.head_blob(repository, digest_of(data)).status_code == 404, "it is known by the digest it was given"


@pytest.mark.parametrize("form", ["put", "patch", "stream", "chunks", "chunks-put", "post"])
@pytest.mark.parametrize("size", [0, 1000, INLINE_MAX + 1, 1 << 20])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_wrong_digest(registry, repository, form, size, algorithm):
    """Refused; the upload is gone, and neither the one nor the other digest is there."""
    data = os.urandom(size)
    wrong = f"{algorithm}:{hashlib.new(algorithm, data + b'!').hexdigest()}"
    response = registry.push_blob(repository, data, digest=wrong, form=form, chunk=100_000)
    assert refusal(response) == (400, "DIGEST_INVALID", MISMATCH.format(wrong))
    right = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    assert registry.head_blob(repository, wrong).status_code == 404
    assert registry.head_blob(repository, right).status_code == 404
    if form != "post":
        location = response.request.path_url.split("?")[0]
        assert refusal(registry.upload_status(location))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.push_blob(repository, data, digest=right, form=form).status_code == 201


@pytest.mark.parametrize("digest", [
    None, "", "sha256:", "sha256:abc", "SHA256:" + "0" * 64, "sha256:" + "A" * 64,
    "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:" + "0" * 63 + "/", "../../blobs", "%"])
def test_a_digest_that_is_none(registry, repository, digest):
    """Refused before anything is taken; the upload stays, and can be finished well."""
    location, data = started(registry, repository), b"some bytes"
    registry.patch_upload(location, data)
    query = {} if digest is None else {"digest": digest}
    assert refusal(registry.request("PUT", location, params=query, data=b"more"))[:2] == (400, "DIGEST_INVALID")
    if digest is not None:
        response = registry.request("POST", f"{repository}/blobs/uploads/", params=query, data=data)
        assert refusal(response)[:2] == (400, "DIGEST_INVALID")
    assert status_of(registry, location) == len(data)
    assert registry.finish_upload(location, digest_of(data)).status_code == 201


# -- uploads that are not there ---------------------------------------------------------------------------------------

def all_steps(registry, location):
    return {
        "status": registry.upload_status(location), "patch": registry.patch_upload(location, b"x"),
        "chunk": registry.patch_upload(location, b"x", 0),
        "finish": registry.finish_upload(location, digest_of(b"x"), b"x"),
        "cancel": registry.cancel_upload(location)}


@pytest.mark.parametrize("upload", [
    NOWHERE, "x", "latest", "0" * 36, NOWHERE[:-1], NOWHERE + "0", NOWHERE.replace("-", "_"), "..%2f..%2fblobs"])
def test_unknown_uploads(registry, repository, upload):
    for response in all_steps(registry, f"{repository}/blobs/uploads/{upload}").values():
        status, code, message = refusal(response)
        assert (status, code) in ((404, "BLOB_UPLOAD_UNKNOWN"), (405, "UNSUPPORTED"), (404, "UNSUPPORTED"))
        if "%" not in upload:
            assert (status, code, message) == upload_unknown(upload, repository)


def test_an_upload_belongs_to_its_repository(ecr, registry, repository):
    ecr.create_repository(repositoryName="other")
    location = started(registry, repository)
    registry.patch_upload(location, b"mine")
    upload = location.rsplit("/", 1)[1]
    for response in all_steps(registry, f"other/blobs/uploads/{upload}").values():
        assert refusal(response) == upload_unknown(upload, "other")
    assert status_of(registry, location) == 4
    assert registry.finish_upload(location, digest_of(b"mine")).status_code == 201
    assert registry.head_blob("other", digest_of(b"mine")).status_code == 404


def test_an_upload_belongs_to_its_account_and_region(drydock, registry, repository):
    location = started(registry, repository)
    for place in ({"access_key": "123456789012"}, {"region": "eu-west-1"}):
        drydock.ecr(**place).create_repository(repositoryName=repository)
        stranger = drydock.registry(drydock.token(**place))
        for response in all_steps(stranger, location).values():
            assert refusal(response)[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
        stranger.close()
    assert registry.finish_upload(location, digest_of(b"x"), b"x").status_code == 201


def test_a_finished_upload_is_over(registry, repository):
    location = started(registry, repository)
    assert registry.finish_upload(location, digest_of(b"x"), b"x").status_code == 201
    for response in all_steps(registry, location).values():
        assert refusal(response) == upload_unknown(location.rsplit("/", 1)[1], repository)


def test_no_repository_no_upload(registry):
    text = f"The repository with name 'team/none' does not exist in the registry with id '{ACCOUNT}'"
    assert refusal(registry.start_upload("team/none")) == (404, "NAME_UNKNOWN", text)
    assert refusal(registry.push_blob("team/none", b"x", form="post")) == (404, "NAME_UNKNOWN", text)
    for response in all_steps(registry, f"team/none/blobs/uploads/{NOWHERE}").values():
        assert refusal(response) == (404, "NAME_UNKNOWN", text)


@pytest.mark.parametrize("size", [100, INLINE_MAX + 1])
@pytest.mark.parametrize("step", ["PATCH", "PUT", "POST"])
def test_the_repository_goes_while_a_body_comes(drydock, ecr, registry, repository, size, step):
    """The answer says so, and a new repository of that name has nothing of it."""
    location, data = started(registry, repository), os.urandom(2 * size)
    path = {"PATCH": location, "PUT": f"{location}?digest={digest_of(data)}",
            "POST": f"/v2/{repository}/blobs/uploads/?digest={digest_of(data)}"}[step]
    body = Transfer(drydock, drydock.token(), step, path, 2 * size)
    body.send(data[:size])
    ecr.delete_repository(repositoryName=repository)
    body.send(data[size:])
    answer = body.finish()
    assert answer.status == 404 and b"UNKNOWN" in answer.body
    ecr.create_repository(repositoryName=repository)
    assert registry.upload_status(location).status_code == 404
    assert registry.head_blob(repository, digest_of(data)).status_code == 404


# -- bodies that do not end well --------------------------------------------------------------------------------------

@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("size", [2000, 200_000])
@pytest.mark.parametrize("step", ["PATCH", "PUT"])
def test_a_client_that_vanishes(drydock, registry, repository, framing, size, step):
    """Nothing is visible; the upload goes on from where the server says, and the whole is what it should be."""
    location, data = started(registry, repository), os.urandom(size)
    path = location + (f"?digest={digest_of(data)}" if step == "PUT" else "")
    body = Transfer(drydock, drydock.token(), step, path, size if framing == "length" else None)
    body.send(data[:size // 2])
    body.vanish()
    wait_until(lambda: registry.patch_upload(location, b"").status_code == 202)
    assert registry.head_blob(repository, digest_of(data)).status_code == 404
    had = status_of(registry, location)
    assert had <= size // 2 or had == 1
    had = 0 if had == 1 else had
    assert registry.finish_upload(location, digest_of(data), data[had:], had or None).status_code == 201
    assert registry.get_blob(repository, digest_of(data)).content == data


def test_a_single_post_that_is_cut(drydock, registry, repository):
    data = os.urandom(200_000)
    digest = digest_of(data)
    body = Transfer(drydock, drydock.token(), "POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", len(data))
    body.send(data[:-1])
    body.vanish()
    assert registry.head_blob(repository, digest).status_code == 404
    assert registry.push_blob(repository, data, form="post").status_code == 201


@pytest.mark.parametrize("size", [1000, INLINE_MAX + 1])
def test_two_writers_on_one_upload(drydock, registry, repository, size):
    """The second one is told that it is; the first one's bytes are not touched."""
    location, data, login = started(registry, repository), os.urandom(size), drydock.token()
    registry.patch_upload(location, data[:100])
    first = Transfer(drydock, login, "PATCH", location, size - 100)
    first.send(data[100:size // 2])
    upload = location.rsplit("/", 1)[1]
    for response in (
            registry.patch_upload(location, b"other"), registry.finish_upload(location, digest_of(data)),
            registry.cancel_upload(location)):
        assert refusal(response) == (
            409, "BLOB_UPLOAD_INVALID",
            f"Another request is writing to the upload with id '{upload}': try again when it has ended")
    assert status_of(registry, location) == 100, "what was acknowledged"
    second = Transfer(drydock, login, "PATCH", location, 10)
    assert second.refusal.status == 409, "before the body is sent"
    first.send(data[size // 2:])
    assert first.finish().status == 202
    assert registry.finish_upload(location, digest_of(data)).status_code == 201
    assert registry.get_blob(repository, digest_of(data)).content == data


def test_many_uploads_at_once(drydock, registry, repository):
    """Sessions do not mix, also beyond what is kept in memory between two parts."""
    uploads = [(started(registry, repository), os.urandom(300 + i)) for i in range(300)]
    for location, data in uploads:
        assert registry.patch_upload(location, data[:200]).status_code == 202
    for location, data in reversed(uploads):
        assert registry.patch_upload(location, data[200:], 200).status_code == 202
    for location, data in uploads:
        assert registry.finish_upload(location, digest_of(data)).status_code == 201
    for _, data in uploads[::25]:
        assert registry.get_blob(repository, digest_of(data)).content == data


def test_docker_retries_a_layer_from_the_beginning(registry, repository):
    """After an error it starts a new upload; the old one is in nobody's way."""
    image = oci_image()
    abandoned = started(registry, repository)
    registry.patch_upload(abandoned, image.layers[0].data[:500])
    registry.push_image(repository, image, "v1")
    assert registry.pull_image(repository, "v1") == image.manifest
    assert status_of(registry, abandoned) == 500


def test_old_uploads_do_not_outlive_a_reset(drydock, ecr, registry, repository):
    location = started(registry, repository)
    registry.patch_upload(location, b"some")
    drydock.reset()
    ecr.create_repository(repositoryName=repository)
    assert registry.upload_status(location).status_code in (401, 404)
    fresh = drydock.registry()
    assert refusal(fresh.patch_upload(location, b"x"))[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
    fresh.close()
