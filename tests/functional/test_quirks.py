"""--profile and --quirk: each quirk switched by itself, against the profile that has it the other way, and README's table."""

import os
import re
import subprocess
from contextlib import contextmanager

import pytest
from support.binary import SOURCE, clean_environment, find_binary
from support.images import (
    DOCKER_MANIFEST, OCI_INDEX, Blob, Image, converted, digest_of, oci_artifact, oci_image, oci_index)
from support.refusals import refusal
from support.server import Server

REPOSITORY = "team/app"


def table():
    """{name: (evidence, in_ecr, in_oci)} of server/quirks.c."""
    text = (SOURCE / "server/quirks.c").read_text().split("entries[QUIRK_COUNT] = {")[1].split("};")[0]
    entries = re.findall(r'= \{"([a-z0-9-]+)", "([^"]+)",(.*?)(true|false), (true|false)\}', text, re.DOTALL)
    assert len(entries) == text.count("[QUIRK_"), "an entry is not of the form that this reads"
    return {name: (evidence, ecr == "true", oci == "true") for name, evidence, _, ecr, oci in entries}


QUIRKS = table()


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """serve("NAME=on"): a server of the profile in which that quirk is the other way (ecr when it is in neither)."""
    running = {}

    def start(quirk, on):
        in_ecr = QUIRKS[quirk][1]
        key = (quirk, on)
        if key not in running:
            profile = "oci" if in_ecr == on else "ecr"
            running[key] = Server(
                "--profile", profile, "--quirk", f"{quirk}={'on' if on else 'off'}",
                folder=tmp_path_factory.mktemp(f"{quirk}-{on}")).start()
        running[key].reset()
        return running[key]

    yield start
    for server in running.values():
        server.stop()


def prepared(server):
    server.ecr().create_repository(repositoryName=REPOSITORY)
    return server.registry()


# What each quirk does: a function of a server and whether it is on, which fails unless that is what happens.

def repository_must_exist(server, on):
    registry, image = server.registry(), oci_image()
    assert registry.start_upload("team/new").status_code == (404 if on else 202)
    if not on:
        registry.push_image("team/new", image, "v1")
        child = oci_index([])
        assert registry.put_manifest("team/newer", "v1", child.manifest, child.media_type).status_code == 201
        names = [one["repositoryName"] for one in server.ecr().describe_repositories()["repositories"]]
        assert names == ["team/new", "team/newer"]
    lacking = oci_image()
    assert registry.put_manifest("team/none", "v1", lacking.manifest, lacking.media_type).status_code == 404
    assert registry.tags("team/none").status_code == 404  # a push that failed has made none


def mount_needs_image(server, on):
    registry, data = prepared(server), b"a blob of another repository"
    server.ecr().create_repository(repositoryName="team/other")
    registry.push_blob("team/other", data)
    for query in ({"from": "team/other"}, {}):
        answer = registry.start_upload(REPOSITORY, mount=digest_of(data), **query)
        assert answer.status_code == (202 if on else 201)
    assert registry.head_blob(REPOSITORY, digest_of(data)).status_code == (404 if on else 200)


def invalid_parameter_405(server, on):
    registry = prepared(server)
    answer = registry.put_manifest(REPOSITORY, "v1", b"{", OCI_INDEX)
    assert refusal(answer)[:2] == ((405, "UNSUPPORTED") if on else (400, "MANIFEST_INVALID"))
    assert refusal(registry.tags("Team"))[:2] == ((405, "UNSUPPORTED") if on else (400, "NAME_INVALID"))


def opaque_paging(server, on):
    registry, image = prepared(server), oci_image()
    tags = [f"t{number:03}" for number in range(101)]
    registry.push_image(REPOSITORY, image, *tags)
    answer = registry.tags(REPOSITORY)
    assert answer.headers["Content-Type"].split(";")[0] == ("text/plain" if on else "application/json")
    assert answer.json()["tags"] == (tags[:100] if on else tags)
    assert (registry.tags(REPOSITORY, last="t050").status_code == 200) != on
    seen, path, pages = [], f"{REPOSITORY}/tags/list?n=40", 0
    while path:
        answer = registry.request("GET", path)
        seen, pages = seen + answer.json()["tags"], pages + 1
        link = answer.headers.get("Link")
        path = re.fullmatch(r'<(.+)>; rel="next"', link)[1] if link else None
        assert not path or path.startswith("http://" if on else "/v2/")
    assert (seen, pages) == (tags, 3)


def blob_delete_refused(server, on):
    registry, data = prepared(server), b"to be deleted"
    registry.push_blob(REPOSITORY, data)
    path = f"{REPOSITORY}/blobs/{digest_of(data)}"
    assert registry.request("DELETE", path).status_code == (405 if on else 202)
    assert registry.request("GET", path).status_code == (200 if on else 404)


def children_first(server, on):
    registry, index = prepared(server), oci_index([oci_image()])
    assert registry.put_manifest(REPOSITORY, "v1", index.manifest, OCI_INDEX).status_code == (404 if on else 201)


def children_kept(server, on):
    registry, index = prepared(server), oci_index([oci_image()])
    registry.push_image(REPOSITORY, index, "v1")
    path = f"{REPOSITORY}/manifests/{index.children[0].digest}"
    assert registry.request("DELETE", path).status_code == (405 if on else 202)
    assert registry.request("GET", path).status_code == (200 if on else 404)


def tag_delete_takes_image(server, on):
    registry, image = prepared(server), oci_image()
    registry.push_image(REPOSITORY, image, "v1", "v2")
    for tag in ("v1", "v2"):
        assert registry.get_manifest(REPOSITORY, image.digest).status_code == 200
        assert registry.request("DELETE", f"{REPOSITORY}/manifests/{tag}").status_code == 202
        assert registry.get_manifest(REPOSITORY, tag).status_code == 404
    assert registry.get_manifest(REPOSITORY, image.digest).status_code == (404 if on else 200)


def orphaned_referrers_go(server, on):
    registry, ecr, subject = prepared(server), server.ecr(), oci_image()
    absent = oci_image()
    follower, stray = (oci_artifact("application/vnd.example.sbom", subject=to) for to in (subject, absent))
    for image in (subject, follower, stray):
        registry.push_image(REPOSITORY, image)
    ecr.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": subject.digest}])
    assert registry.get_manifest(REPOSITORY, follower.digest).status_code == 200  # not at once
    report, = server.admin("POST", "lifecycle/run", {"repositoryName": REPOSITORY})["repositories"]
    assert [image["cause"] for image in report["images"]] == (["its subject was deleted"] if on else [])
    assert registry.get_manifest(REPOSITORY, follower.digest).status_code == (404 if on else 200)
    # its subject never was there
    assert registry.get_manifest(REPOSITORY, stray.digest).status_code == 200


def chunk_minimum(server, on):
    registry, least = prepared(server), 5 << 20
    for sizes, small in (((1000,), False), ((least, 1), False), ((least - 1, 1), True), ((10, 10, 10), True)):
        data = os.urandom(sum(sizes))
        location, first = registry.start_upload(REPOSITORY).headers["Location"], 0
        for size in sizes:
            assert registry.patch_upload(location, data[first:first + size], first).status_code == 202
            first += size
        answer = registry.finish_upload(location, digest_of(data))
        assert answer.status_code == (400 if on and small else 201), answer.text


def chunk_minimum_after_a_restart(server):
    """The sizes of an upload's parts are kept with it."""
    registry = prepared(server)
    location = registry.start_upload(REPOSITORY).headers["Location"]
    assert registry.patch_upload(location, b"small").status_code == 202
    server.restart(kill=True)
    registry = server.registry()
    answer = registry.finish_upload(location, digest_of(b"small and more"), b" and more")
    assert refusal(answer)[:2] == (400, "SIZE_INVALID")


def cache_index_refused(server, on):
    registry, image = prepared(server), oci_image()
    registry.push_image(REPOSITORY, image, "v1")
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [layer.descriptor() for layer in image.layers]}
    cache = Image(document, OCI_INDEX)
    answer = registry.put_manifest(REPOSITORY, "cache", cache.manifest, OCI_INDEX)
    # Where it is not refused for what it is, it still names no image that is there: children-first.
    others = 404 if server.options[1] == "ecr" else 201
    refused = 405 if server.options[1] == "ecr" else 400
    assert answer.status_code == (refused if on else others)


def accept_conversion(server, on):
    registry, image = prepared(server), oci_image()
    registry.push_image(REPOSITORY, image, "v1")
    answer = registry.get_manifest(REPOSITORY, "v1", accept=[DOCKER_MANIFEST])
    assert (answer.status_code, answer.content) == (200, converted(image) if on else image.manifest)
    assert registry.get_manifest(REPOSITORY, "v1", accept=[OCI_INDEX]).status_code == (404 if on else 200)


def patch_201(server, on):
    registry = prepared(server)
    location = registry.start_upload(REPOSITORY).headers["Location"]
    assert registry.patch_upload(location, b"x").status_code == (201 if on else 202)


def absolute_location(server, on):
    registry = prepared(server)
    location = registry.start_upload(REPOSITORY).headers["Location"]
    assert location.startswith(f"{server.url}/v2/" if on else "/v2/")
    blob = Blob(b"an absolute blob")
    answer = registry.finish_upload(location, blob.digest, blob.data)
    assert answer.headers["Location"] == (server.url if on else "") + f"/v2/{REPOSITORY}/blobs/{blob.digest}"


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("quirk", QUIRKS)
def test_quirk(serve, quirk, on):
    server = serve(quirk, on)
    globals()[quirk.replace("-", "_")](server, on)
    server.check()


def test_parts_are_kept(make_server, tmp_path):
    chunk_minimum_after_a_restart(make_server(data=tmp_path / "data"))


def readme_quirks():
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (on|off) \| (on|off) \| (.+) \|$", (SOURCE / "README.md").read_text(), re.MULTILINE)
    return {name: (ecr == "on", oci == "on") for name, ecr, oci, _ in rows}


def test_readme_lists_the_table():
    assert readme_quirks() == {name: entry[1:] for name, entry in QUIRKS.items()}


def test_evidence_is_named():
    for name, (evidence, *_) in QUIRKS.items():
        assert re.fullmatch(r"ours|\d+\.\d+(, \d+\.\d+)*", evidence), name


# -- the options --------------------------------------------------------------------------------------------------------

@contextmanager
def stopped(*options, **env):
    yield subprocess.run(
        [str(find_binary()), "serve", "--ephemeral", "--listen", "127.0.0.1:0", *options], capture_output=True,
        text=True, timeout=30, env=clean_environment(**env), check=False)


@pytest.mark.parametrize("options, says", [
    (("--profile", "acr"), '--profile expects ecr or oci, not "acr"'),
    (("--quirk", "patch-201"), '--quirk expects NAME=on or NAME=off'),
    (("--quirk", "patch-201=yes"), '--quirk expects NAME=on or NAME=off'),
    (("--quirk", "no-such=on"), '--quirk expects NAME=on or NAME=off'),
    (("--quirk", "patch-201=on,no-such=on"), '--quirk expects NAME=on or NAME=off'),
    (("--quirk", ""), '--quirk expects NAME=on or NAME=off'),
])
def test_wrong_usage(options, says):
    with stopped(*options) as ended:
        assert ended.returncode == 2
        assert says in ended.stderr


@pytest.mark.parametrize("options, env, status", [
    ((), {"DRYDOCK_QUIRK": "patch-201=on,children-first=off"}, 201),
    (("--quirk", "patch-201=on"), {}, 201),
    (("--quirk=patch-201=on",), {}, 201),
    (("--quirk", "patch-201=on", "--profile", "oci"), {}, 201),
    (("--quirk", "patch-201=on", "--quirk", "children-first=off"), {}, 201),
    (("--quirk", "patch-201=off"), {"DRYDOCK_QUIRK": "patch-201=on"}, 202),
    (("--quirk", "patch-201=on", "--quirk", "patch-201=off"), {}, 202),
])
def test_the_last_word_counts(make_server, options, env, status):
    registry = prepared(make_server(*options, env=env))
    location = registry.start_upload(REPOSITORY).headers["Location"]
    assert registry.patch_upload(location, b"x").status_code == status


def test_profile_from_the_environment(make_server):
    registry = make_server(env={"DRYDOCK_PROFILE": "oci"}).registry()
    assert registry.start_upload("made/on-push").status_code == 202
