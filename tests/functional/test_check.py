"""drydock check: what is wrong with a data folder is found and said, and --repair mends what can be."""

import copy
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from support.binary import SOURCE, clean_environment, find_binary
from support.images import digest_of, oci_artifact, oci_image, oci_index, random_layer
from support.server import Server
from support.upkeep import run, run_json

LARGE = 100_000  # a blob that is a file


class Folder:
    """A data folder with something of everything, closed well."""

    def __init__(self, server):
        self.server, self.path = server, server.data

    def fill(self):
        server = self.server
        ecr, registry = server.ecr(), server.registry()
        for name in ("app", "other"):
            ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "a"}])
        self.image, self.small = oci_image(layers=2, size=LARGE), oci_image(size=300)
        self.index = oci_index([self.image, self.small])
        self.signature = oci_artifact("application/vnd.example.signature", subject=self.image)
        for repository in ("app", "other"):
            registry.push_image(repository, self.image, "v1", "latest")
        registry.push_image("app", self.index, "multi")
        registry.push_image("app", self.signature)
        registry.push_image("app", oci_image(), "old")
        old = ecr.describe_images(repositoryName="app", imageIds=[{"imageTag": "old"}])["imageDetails"][0]
        ecr.update_image_storage_class(
            repositoryName="app", imageId={"imageDigest": old["imageDigest"]}, targetStorageClass="ARCHIVE")
        self.stray = random_layer(LARGE)
        registry.push_blob("app", self.stray.data)
        registry.push_blob("app", b"a small one that nobody needs")
        self.upload = registry.start_upload("app").headers["Location"]
        registry.patch_upload(self.upload, b"x" * LARGE)
        registry.close()
        server.stop()
        return self

    def copy(self, server):
        """The same, with a server that was not started."""
        shutil.copytree(self.path, server.data)
        other = copy.copy(self)
        other.server, other.path = server, server.data
        return other

    def check(self, *options, code=0):
        return run_json("check", "--data", self.path, *options, code=code)

    def file_of(self, digest):
        algorithm, text = digest.split(":")
        return self.path / "blobs" / algorithm / text[:2] / text

    def sql(self, *statements):
        with sqlite3.connect(self.path / "drydock.db") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def content(self):
        """Every file's bytes but for SQLite's own scratch files."""
        return {
            str(path.relative_to(self.path)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.path.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    return Folder(Server(folder=folder, data=folder / "data").start()).fill()


@pytest.fixture
def folder(made, make_server, tmp_path):
    return made.copy(make_server("--gc-interval", "0", data=tmp_path / "data", start=False))


def kinds(answer):
    return sorted({finding["kind"] for finding in answer["findings"]})


def raw(digest):
    algorithm, text = digest.split(":")
    return f"x'{'01' if algorithm == 'sha256' else '02'}{text}'"


def test_nothing_is_wrong(folder):
    before, names = folder.content(), sorted(folder.path.rglob("*"))
    answer = folder.check()
    assert sorted(folder.path.rglob("*")) == names
    assert answer == {"findings": [], "repositories": 2, "images": 6, "blobs": answer["blobs"],
                      "bytes": answer["bytes"], "repaired": 0, "left": 0}
    assert answer["blobs"] == 11 and answer["bytes"] > 3 * LARGE
    said = run("check", "--data", folder.path)
    assert re.fullmatch(r"looked at 2 repositories, 6 images, 11 blobs, [0-9.]+ KiB: nothing is wrong\n", said.stdout)
    assert folder.content() == before, "it only reads"
    assert folder.check("--repair")["findings"] == []


def test_an_index_that_names_an_image_many_times(folder):
    """Its children are counted once each."""
    folder.server.start()
    registry = folder.server.registry()
    images = [oci_image(), oci_image()]
    registry.push_image("app", oci_index([images[0], images[1]] * 20 + [images[0]]), "often")
    registry.close()
    folder.server.stop()
    assert folder.check()["findings"] == []
    folder.sql("DELETE FROM image_child WHERE child = " + raw(images[1].digest))
    assert kinds(folder.check("--repair")) == ["reference-wrong"]
    assert folder.check()["findings"] == []


def peak_of(*words):
    """What it says, and the most memory it had when it had said most of that, in bytes."""
    with subprocess.Popen([find_binary(), *words], stdout=subprocess.PIPE, env=clean_environment()) as process:
        said = process.stdout.read(9_000_000)
        status = Path(f"/proc/{process.pid}/status").read_text()
        said += process.stdout.read()
    return said, int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def test_however_much_is_wrong(folder):
    """The answer is written as it is found: it takes no more memory than the same in words, and is whole."""
    folder.sql(
        "INSERT INTO archive WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000) "
        "SELECT 1000000 + i, 1, x'00', 0 FROM n")
    said, words_peak = peak_of("check", "--data", folder.path)
    answer, json_peak = peak_of("check", "--data", folder.path, "--json")
    answer = json.loads(answer)
    assert len(answer["findings"]) == answer["left"] == 150000
    assert said.count(b"\n") == 150001
    assert json_peak < words_peak + 10 * 1024 * 1024


def test_after_a_crash(folder):
    """What the log holds and the database does not have yet is looked at, too."""
    folder.server.start()
    registry = folder.server.registry()
    registry.push_image("app", oci_image(), "late")
    registry.close()
    folder.server.kill()
    answer = folder.check()
    assert (answer["findings"], answer["images"]) == ([], 7)
    folder.server.start()
    registry = folder.server.registry()
    registry.pull_image("app", "late")
    registry.close()


# -- blobs ------------------------------------------------------------------------------------------------------------

def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


BLOB_DAMAGE = {
    "flipped": ("blob-corrupt", "its bytes are not those of its digest", flip),
    "shorter": ("blob-corrupt", "it has 99999 bytes instead of 100000", lambda path: os.truncate(path, LARGE - 1)),
    "longer": ("blob-corrupt", "it has 100001 bytes instead of 100000",
               lambda path: path.write_bytes(path.read_bytes() + b"x")),
    "gone": ("blob-missing", "its file is not there", lambda path: path.unlink()),
}


@pytest.mark.parametrize("damage", BLOB_DAMAGE)
def test_a_broken_layer(folder, damage):
    """Dropped; its images are named, in each repository, until they are pushed again; then all is well."""
    kind, words, spoil = BLOB_DAMAGE[damage]
    layer = folder.image.layers[0]
    spoil(folder.file_of(layer.digest))
    before = folder.content()
    found = folder.check(code=1)
    assert kinds(found) == sorted([kind, "image-incomplete"]) and found["left"] == 3
    assert folder.content() == before
    blob, *images = found["findings"]
    assert blob["text"] == f"blob {layer.digest}: {words}; --repair drops it, so that clients upload it again"
    for finding, repository in zip(images, ("app", "other"), strict=True):
        assert (finding["repositoryName"], finding["imageDigest"]) == (repository, folder.image.digest)
        assert finding["tags"] == ["latest", "v1"] and finding["registryId"] == "000000000000"
        assert finding["text"] == (
            f"image {repository}@{folder.image.digest} (latest, v1) in account 000000000000, us-east-1 lacks 1 of its "
            f"blobs: {layer.digest}; push it again, or delete it")

    mended = folder.check("--repair", code=1)
    assert (mended["repaired"], mended["left"]) == (1, 2)
    assert kinds(folder.check(code=1)) == ["image-incomplete"] and not folder.file_of(layer.digest).exists()
    folder.server.start()
    registry = folder.server.registry()
    assert registry.head_blob("app", layer.digest).status_code == 404
    registry.push_image("app", folder.image, "v1")
    assert registry.pull_image("app", "v1") == folder.image.manifest
    assert folder.server.admin("POST", "gc", {"grace_seconds": 0})["freed_blobs"] == 2, "what was a stray before"
    assert registry.pull_image("app", "multi") == folder.index.manifest
    folder.server.stop()
    again = folder.check(code=1)
    assert [finding["repositoryName"] for finding in again["findings"]] == ["other"]
    assert again["findings"][0]["kind"] == "reference-wrong", "the blob is there again: it is only to be linked"
    assert folder.check("--repair")["left"] == 0
    assert folder.check()["findings"] == []
    folder.server.start()
    registry = folder.server.registry()
    assert registry.pull_image("other", "v1") == folder.image.manifest
    registry.close()


@pytest.mark.parametrize("change", [
    "UPDATE content SET data = CAST(data || 'x' AS BLOB) WHERE digest = {}",
    "UPDATE content SET data = zeroblob(length(data)) WHERE digest = {}",
    "DELETE FROM content WHERE digest = {}"])
def test_a_broken_config(folder, change):
    """A blob that is a row."""
    config = next(blob for blob in folder.small.blobs if blob not in folder.small.layers)
    folder.sql(change.format(raw(config.digest)))
    found = folder.check(code=1)
    assert "image-incomplete" in kinds(found) and {"blob-corrupt", "blob-missing"} & set(kinds(found))
    folder.check("--repair", code=1)
    folder.server.start()
    registry = folder.server.registry()
    registry.push_image("app", folder.small)
    assert registry.pull_image("app", "multi") == folder.index.manifest
    registry.close()
    folder.server.stop()
    assert folder.check()["findings"] == []


def loop(path):
    path.unlink()
    path.symlink_to(path.name)


def folder_instead(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("hide", [loop, folder_instead])
def test_what_cannot_be_read_is_not_repaired(folder, hide):
    """Its bytes may be whole: nothing of it is dropped, and no image is called incomplete."""
    layer = folder.image.layers[0]
    path = folder.file_of(layer.digest)
    hide(path)
    for options in ((), ("--repair",)):
        found = folder.check(*options, code=1)
        assert kinds(found) == ["blob-unreadable"] and found["left"] == 1, found["findings"]
        assert path.is_symlink() or path.is_dir()
    path.unlink() if path.is_symlink() else path.rmdir()
    path.write_bytes(layer.data)
    assert folder.check()["findings"] == []


def test_a_broken_layer_of_nobody(folder):
    flip(folder.file_of(folder.stray.digest))
    assert kinds(folder.check(code=1)) == ["blob-corrupt"]
    assert folder.check("--repair")["repaired"] == 1
    assert folder.check()["findings"] == []


# -- images -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", [
    "UPDATE manifest SET bytes = CAST(bytes || ' ' AS BLOB) WHERE id = {}", "DELETE FROM manifest WHERE id = {}"])
def test_a_broken_manifest(folder, change):
    """It cannot be made anew: the image goes, with its tags, so that it can be pushed again."""
    with sqlite3.connect(folder.path / "drydock.db") as connection:
        number = connection.execute(
            f"SELECT id FROM image WHERE digest = {raw(folder.index.digest)}").fetchone()[0]
    connection.close()
    folder.sql(change.format(number))
    found = folder.check(code=1)
    assert kinds(found)[0] == "image-corrupt"
    assert found["findings"][0]["tags"] == ["multi"]
    assert folder.check("--repair")["left"] == 0
    assert folder.check()["findings"] == []
    folder.server.start()
    registry = folder.server.registry()
    assert registry.get_manifest("app", "multi").status_code == 404
    registry.push_image("app", folder.index, "multi")
    assert registry.pull_image("app", "multi") == folder.index.manifest
    registry.close()
    folder.server.stop()
    assert folder.check()["findings"] == []


# What is done to the database, and what the check calls it; all of it can be mended.
IMAGE, OTHER = "(SELECT id FROM image WHERE tag_count = 2 ORDER BY repository_id LIMIT 1)", "(SELECT max(id) FROM image)"
DAMAGE = {
    "reference missing": ("reference-wrong", f"DELETE FROM image_blob WHERE image_id = {IMAGE}"),
    "reference too many": (
        "reference-wrong", f"INSERT INTO image_blob SELECT s.blob_id, s.repository_id, {IMAGE} FROM stray s LIMIT 1"),
    "reference of nobody": (
        "reference-wrong", "INSERT INTO image_blob SELECT s.blob_id, s.repository_id, 999 FROM stray s LIMIT 1"),
    "list of blobs": ("reference-wrong", f"UPDATE manifest SET blobs = x'' WHERE id = {IMAGE}"),
    "child missing": ("reference-wrong", "DELETE FROM image_child WHERE child = (SELECT min(child) FROM image_child)"),
    "child too many": (
        "reference-wrong", "INSERT INTO image_child SELECT repository_id, parent, parent FROM image_child LIMIT 1"),
    "child of nobody": ("row-left-over", "INSERT INTO image_child SELECT repository_id, child, x'0100' FROM image_child"
                                         " LIMIT 1"),
    "size": ("image-wrong", f"UPDATE image SET size_bytes = 1 WHERE id = {IMAGE}"),
    "manifest size": ("image-wrong", f"UPDATE image SET manifest_size = 1 WHERE id = {IMAGE}"),
    "artifact type": ("image-wrong", f"UPDATE image SET artifact_type = NULL WHERE id = {IMAGE}"),
    "subject": ("image-wrong", "UPDATE image SET subject = NULL WHERE subject IS NOT NULL"),
    "status": ("image-wrong", f"UPDATE image SET status = 1 WHERE id = {IMAGE}"),
    "archived unnoted": ("image-wrong", "DELETE FROM archive"),
    "archived in vain": ("image-wrong", f"INSERT INTO archive SELECT {IMAGE}, 1, x'01', 0"),
    "archive of nobody": ("row-left-over", "INSERT INTO archive VALUES(999, 1, x'01', 0)"),
    "replica of nobody": ("row-left-over", "INSERT INTO replication VALUES(999, 'r', 'a', NULL)"),
    "tag unknown": ("tag-wrong", "DELETE FROM tag WHERE name = 'v1' AND repository_id = 1"),
    "tag unlisted": ("tag-wrong", "INSERT INTO tag SELECT 1, 'new', digest FROM tag WHERE name = 'v1' LIMIT 1"),
    "tag of nobody": ("tag-wrong", "INSERT INTO tag VALUES(1, 'new', x'01')"),
    "tag of another": (
        "tag-wrong", "UPDATE tag SET digest = (SELECT digest FROM tag WHERE name = 'multi') WHERE name = 'v1' AND "
                     "repository_id = 1"),
    "tags counted wrong": ("tag-wrong", "UPDATE image SET tag_count = 7 WHERE tag_count = 2"),
    "tagged in vain": ("tag-wrong", "UPDATE image SET tagged = 1 WHERE tagged = 0"),
    "images counted wrong": ("count-wrong", "UPDATE repository SET image_count = 99"),
    "repositories counted wrong": ("count-wrong", "UPDATE registry SET repositories = 99"),
    "repositories not counted": ("count-wrong", "DELETE FROM registry"),
    "repositories of nobody": ("count-wrong", "INSERT INTO registry VALUES('1', 'r', 3)"),
    "manifest of nobody": ("row-left-over", "INSERT INTO manifest(blobs, bytes) VALUES(x'', x'7b7d')"),
    "content of nobody": ("row-left-over", "INSERT INTO content(digest, data) VALUES(x'01', x'00')"),
    "blob seen in vain": ("row-left-over", "INSERT INTO repository_blob VALUES(999, 1)"),
    "stray in vain": ("row-left-over", "INSERT INTO stray VALUES(999, 1, 0)"),
    "stray that is held": (
        "row-left-over", "INSERT INTO stray SELECT blob_id, repository_id, 0 FROM image_blob LIMIT 1"),
    "stray unnoted": ("row-left-over", "DELETE FROM stray"),
    "blob unseen": ("row-left-over", "DELETE FROM repository_blob WHERE blob_id IN (SELECT blob_id FROM stray)",
                    "DELETE FROM stray"),
    "orphan of nobody": ("row-left-over", "INSERT INTO orphan VALUES(1, x'01')"),
    "result of no preview": (
        "row-left-over", "INSERT INTO preview_item VALUES(99, 0, 1, x'01', 0, x'', 0, 0, 0, 1)"),
    "resource tag of nobody": ("row-left-over", "INSERT INTO resource_tag VALUES(99, 'a', 'b')"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_rows(folder, damage):
    kind, *statements = DAMAGE[damage]
    before = folder.content()
    folder.sql(*statements)
    assert folder.content() != before
    found = folder.check(code=1)
    assert kind in kinds(found), found["findings"]
    mended = folder.check("--repair")
    assert mended["left"] == 0 and mended["repaired"] > 0, mended
    assert folder.check()["findings"] == []
    if kind in ("row-left-over", "count-wrong"):
        return  # nothing that images are made of
    folder.server.start()
    registry = folder.server.registry()
    for tag in ("v1", "latest", "multi"):
        assert registry.pull_image("app", tag)
    assert registry.pull_image("other", "v1") == folder.image.manifest
    registry.close()
    folder.server.stop()
    assert folder.check()["findings"] == []


def test_a_repository_that_is_not_there(folder):
    """Its images go with the next start."""
    folder.sql("DELETE FROM repository WHERE name = 'other'")
    assert {"row-left-over", "count-wrong"} <= set(kinds(folder.check(code=1)))
    assert folder.check("--repair")["left"] == 0
    assert folder.check()["findings"] == []
    folder.server.start()
    assert len(folder.server.ecr().describe_repositories()["repositories"]) == 1
    folder.server.stop()
    answer = folder.check()
    assert (answer["findings"], answer["images"]) == ([], 5)


# -- the database -----------------------------------------------------------------------------------------------------

def pages_of(folder, name):
    with sqlite3.connect(folder.path / "drydock.db") as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    return root, size


def spoil_page(folder, name):
    root, size = pages_of(folder, name)
    with open(folder.path / "drydock.db", "r+b") as file:
        file.seek((root - 1) * size)
        file.write(os.urandom(size))


def test_a_damaged_table(folder):
    spoil_page(folder, "image")
    for options in ((), ("--repair",)):
        found = folder.check(*options, code=1)
        assert kinds(found) == ["database-damaged"]
        assert "restore the folder from a copy" in found["findings"][-1]["text"]


def test_no_database(folder):
    (folder.path / "drydock.db").write_bytes(b"this is none" * 1000)
    said = run("check", "--data", folder.path)
    assert said.returncode == 1 and "not a database" in said.stdout + said.stderr


# -- files ------------------------------------------------------------------------------------------------------------

def test_files_of_nobody(folder):
    orphan = folder.file_of("sha256:" + "ab" * 32)
    wide = folder.file_of("sha512:" + "cd" * 64)
    upload = folder.path / "uploads/00000000-0000-4000-8000-000000000000"
    aside = folder.path / "aside/1-1"
    for path in (orphan, wide, upload, aside):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left")
    found = folder.check(code=1)
    assert kinds(found) == ["file-left-over"] and found["left"] == 4
    assert any(str(orphan.relative_to(folder.path)) in finding["text"] for finding in found["findings"])
    assert folder.check("--repair")["repaired"] == 4
    assert not any(path.exists() for path in (orphan, wide, upload, aside))
    assert folder.check()["findings"] == []
    folder.server.start()
    registry = folder.server.registry()
    done = registry.finish_upload(folder.upload, digest_of(b"x" * LARGE))
    assert done.status_code == 201, "an upload that goes on is somebody's"
    registry.close()


def test_a_foreign_file(folder):
    """Drydock did not put it there, and leaves it."""
    foreign = folder.path / "blobs/sha256/00/notes.txt"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_bytes(b"mine")
    for options in ((), ("--repair",)):
        found = folder.check(*options, code=1)
        assert [finding["text"] for finding in found["findings"]] == [
            "the file blobs/sha256/00/notes.txt is none of Drydock's"]
    assert foreign.exists()


# -- the verb ---------------------------------------------------------------------------------------------------------

def test_words(folder):
    flip(folder.file_of(folder.stray.digest))
    said = run("check", "--data", folder.path)
    assert said.returncode == 1 and said.stdout.splitlines()[0] == (
        f"blob-corrupt: blob {folder.stray.digest}: its bytes are not those of its digest; --repair drops it, so that "
        "clients upload it again")
    assert said.stdout.splitlines()[1].endswith("1 thing is wrong; --repair mends what can be")
    said = run("check", "--data", folder.path, "--repair")
    assert said.returncode == 0 and said.stdout.endswith("1 mended, 0 left\n")


def test_a_folder_in_use(folder):
    folder.server.start()
    for options in ([], ["--repair"]):
        said = run("check", "--data", folder.path, *options)
        assert (said.returncode, said.stdout) == (1, "")
        assert f"is in use by another drydock (pid {folder.server.pid})" in said.stderr


def test_no_folder(tmp_path):
    for options in ([], ["--repair"]):
        said = run("check", "--data", tmp_path / "nowhere", *options)
        assert said.returncode == 1 and "is no data folder" in said.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("words", [["--nonsense"], ["word"], ["--ephemeral"], ["--repair=yes"]])
def test_wrong_usage(words):
    said = run("check", *words)
    assert (said.returncode, said.stdout) == (2, "") and said.stderr.startswith("drydock check: ")


def test_versions(folder):
    folder.sql("PRAGMA user_version = 999")
    said = run("check", "--data", folder.path)
    assert said.returncode == 1 and "it was written by a newer drydock (schema 999" in said.stderr


def test_an_older_folder(folder, tmp_path):
    """Looked at once it is brought up to date, which reading alone does not do."""
    old = tmp_path / "old"
    (old / "blobs").mkdir(parents=True)
    with sqlite3.connect(old / "drydock.db") as connection:
        connection.executescript((SOURCE / "testdata/schema/1.sql").read_text())
    connection.close()
    said = run("check", "--data", old)
    assert said.returncode == 1 and "was written by an older drydock" in said.stderr
    assert run_json("check", "--data", old, "--repair")["findings"] == []
    answer = run_json("check", "--data", old)
    assert (answer["repositories"], answer["images"], answer["blobs"]) == (1, 1, 3)
    assert run_json("gc", "--data", old)["freed_blobs"] == 1, "its time of last use came along"
    assert run_json("gc", "--data", old, "--grace", "0")["freed_blobs"] == 0
