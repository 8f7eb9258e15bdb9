"""drydock import and export: archives in and out of a data folder, and of a running server."""

import contextlib
import gzip
import io
import json
import os
import pty
import re
import socket
import subprocess
import tarfile
import threading
import time

import pytest
from support.binary import clean_environment, find_binary
from support.images import OCI_INDEX, Blob, digest_of, docker_image, oci_image, oci_index


def run(*words):
    return subprocess.run(
        [find_binary(), *map(str, words)], env=clean_environment(), capture_output=True, text=True, timeout=60)


def done(*words):
    result = run(*words)
    assert result.returncode == 0, result.stderr
    assert "Sanitizer" not in result.stderr
    return result.stdout


def refused(*words, code=1):
    result = run(*words)
    assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
    assert "Sanitizer" not in result.stderr and "runtime error" not in result.stderr
    return result.stderr


def entry(name, **members):
    info = tarfile.TarInfo(name)
    for key, value in members.items():
        setattr(info, key, value)
    return info


def write_tar(path, files, links=(), form=tarfile.PAX_FORMAT):
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in files.items():
            tar.addfile(entry(name, size=len(data)), io.BytesIO(data))
        for name, target in links:
            tar.addfile(entry(name, type=tarfile.SYMTYPE, linkname=target))
    return path


def parts_of(image):
    yield image.digest, image.manifest
    for blob in image.blobs:
        yield blob.digest, blob.data
    for child in image.children:
        yield from parts_of(child)


def layout(*images, names=()):
    """An OCI layout of these images as {name: bytes}."""
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    entries = [image.descriptor() for image in images]
    for item, name in zip(entries, names):
        item["annotations"] = {"org.opencontainers.image.ref.name": name}
    files["index.json"] = json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    for image in images:
        files |= {"blobs/" + digest.replace(":", "/"): data for digest, data in parts_of(image)}
    return files


def layer_tar(**files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            tar.addfile(entry(name, size=len(text)), io.BytesIO(text))
    return packed.getvalue()


def saved(layers, **change):
    """A classic docker save archive of these plain tars, and its config."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {
        "type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}}).encode()
    name = digest_of(config).partition(":")[2] + ".json"
    files = {f"layer{number}/layer.tar": layer for number, layer in enumerate(layers)} | {name: config}
    manifest = {"Config": name, "RepoTags": ["app:v1"], "Layers": [f"layer{n}/layer.tar" for n in range(len(layers))]}
    files["manifest.json"] = json.dumps([manifest | change]).encode()
    return files, config


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.mark.parametrize("form", ["tar", "gnu", "gzip", "folder"])
def test_a_layout_is_imported_as_it_is(drydock, registry, tmp_path, form):
    image = oci_image(layers=3, size=300_000)
    path = tmp_path / "image"
    if form == "folder":
        for name, content in layout(image).items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    else:
        write_tar(path, layout(image), form=tarfile.GNU_FORMAT if form == "gnu" else tarfile.PAX_FORMAT)
    if form == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    said = done("import", path, "team/new:v1", "--to", drydock.url)
    assert "made the repository team/new" in said and image.digest in said
    assert registry.pull_image("team/new", "v1")
    assert registry.get_manifest("team/new", "v1").content == image.manifest
    assert "made the repository" not in done("import", path, "team/new:v2", "--to", drydock.url)


def test_from_one_place_to_another_with_the_same_digests(drydock, registry, make_server, data, tmp_path):
    index = oci_index([oci_image(layers=2), docker_image(architecture="arm64")])
    done("import", write_tar(tmp_path / "a.tar", layout(index)), "app:v1", "--data", data)
    done("export", "app:v1", tmp_path / "b.tar", "--data", data)
    done("import", tmp_path / "b.tar", "app:v2", "--to", drydock.url)
    assert registry.get_manifest("app", "v2").content == index.manifest
    for child in index.children:
        assert registry.get_manifest("app", child.digest).content == child.manifest
        for blob in child.blobs:
            assert registry.get_blob("app", blob.digest).content == blob.data
    done("export", f"app@{index.digest}", tmp_path / "c.tar", "--from", drydock.url)
    with tarfile.open(tmp_path / "b.tar") as one, tarfile.open(tmp_path / "c.tar") as two:
        names = set(one.getnames())
        assert names == set(two.getnames()) and {"oci-layout", "index.json", "manifest.json"} <= names
        for name in names - {"index.json", "manifest.json"}:
            assert one.extractfile(name).read() == two.extractfile(name).read()
            if name.startswith("blobs/"):
                assert digest_of(one.extractfile(name).read()) == name[6:].replace("/", ":")
        (docker,) = json.load(one.extractfile("manifest.json"))
        assert docker["RepoTags"] == ["app:v1"]
        assert {docker["Config"], *docker["Layers"]} <= names
    # What was imported into the folder is what a server on it serves.
    server = make_server(data=data)
    assert server.registry().get_manifest("app", "v1").content == index.manifest


def test_a_docker_save_archive(drydock, registry, tmp_path):
    layers = [layer_tar(one=b"1" * 500_000), layer_tar(two=b"2")]
    files, config = saved(layers)
    answer = json.loads(done(
        "import", write_tar(tmp_path / "a.tar", files), "app:v1", "--to", drydock.url, "--json"))
    assert answer["created"] is True and answer["tag"] == "v1" and answer["blobs"] == 3
    response = registry.get_manifest("app", "v1")
    assert digest_of(response.content) == answer["digest"]
    manifest = response.json()
    assert registry.get_blob("app", manifest["config"]["digest"]).content == config
    unpacked = [gzip.decompress(registry.get_blob("app", layer["digest"]).content) for layer in manifest["layers"]]
    assert unpacked == layers
    again = json.loads(done("import", tmp_path / "a.tar", "app:v2", "--to", drydock.url, "--json"))
    assert again["digest"] == answer["digest"] and again["created"] is False


def test_a_layer_that_is_a_link_to_another(drydock, registry, tmp_path):
    layer = layer_tar(one=b"1")
    files, _ = saved([layer, layer])
    del files["layer1/layer.tar"]
    path = write_tar(tmp_path / "a.tar", files, links=[("layer1/layer.tar", "../layer0/layer.tar")])
    done("import", path, "app:v1", "--to", drydock.url)
    one, two = registry.get_manifest("app", "v1").json()["layers"]
    assert one == two


def test_one_of_several_images(drydock, registry, tmp_path):
    one, two = oci_image(), oci_image()
    path = write_tar(tmp_path / "a.tar", layout(one, two, names=["one", "two"]))
    assert "it holds 2 images" in refused("import", path, "app:v1", "--to", drydock.url)
    assert 'no image "three"' in refused("import", path, "app:v1", "--to", drydock.url, "--image", "three")
    done("import", path, "app:v1", "--to", drydock.url, "--image", "two")
    assert registry.get_manifest("app", "v1").content == two.manifest


def change_digest(files, image):
    files["blobs/" + image.layers[0].digest.replace(":", "/")] = b"x" * image.layers[0].size


def change_manifest(files, image):
    files["blobs/" + image.digest.replace(":", "/")] += b" "


def lose_layer(files, image):
    del files["blobs/" + image.layers[0].digest.replace(":", "/")]


def lead_out(files, image):
    files["../../etc/passwd"] = b"x"


def absolute(files, image):
    files["/etc/passwd"] = b"x"


def no_layout(files, image):
    del files["index.json"]


def no_json(files, image):
    files["index.json"] = b"{"


@pytest.mark.parametrize("change, words", [
    (change_digest, "the server says 400"), (change_manifest, "another digest than its name says"),
    (lose_layer, "it has no file"), (lead_out, "leads out of it"), (absolute, "leads out of it"),
    (no_layout, "neither an OCI layout nor"), (no_json, "no JSON"),
])
def test_hostile_layouts(drydock, registry, tmp_path, change, words):
    image = oci_image()
    files = layout(image)
    change(files, image)
    assert words in refused("import", write_tar(tmp_path / "a.tar", files), "app:v1", "--to", drydock.url)
    assert registry.get_manifest("app", "v1").status_code == 404


@pytest.mark.parametrize("member, words", [
    ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "it has no file"),
    ({"type": tarfile.SYMTYPE, "linkname": "../../../etc/passwd"}, "it has no file"),
    ({"type": tarfile.LNKTYPE, "linkname": "index.json"}, "neither a file nor a folder"),
    ({"type": tarfile.CHRTYPE}, "neither a file nor a folder"),
])
def test_hostile_members(drydock, tmp_path, member, words):
    image = oci_image()
    files = layout(image)
    name = "blobs/" + image.layers[0].digest.replace(":", "/")
    del files[name]
    path = write_tar(tmp_path / "a.tar", files)
    with tarfile.open(path, "a") as tar:
        tar.addfile(entry(name, **member))
    assert words in refused("import", path, "app:v1", "--to", drydock.url)


def write_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


OUTSIDE = b'{"secret": "outside"}'


@pytest.fixture
def outside(tmp_path):
    """A file beside the folder that is imported, which nobody may get to see."""
    path = tmp_path / "outside.json"
    path.write_bytes(OUTSIDE)
    return path


@pytest.mark.parametrize("layers", [False, True])
@pytest.mark.parametrize("name", ["../outside.json", "layer0/../../outside.json", "{outside}", "./../outside.json"])
def test_a_folder_whose_manifest_names_what_is_outside(drydock, registry, tmp_path, outside, name, layers):
    name = name.format(outside=outside)
    files, config = saved([layer_tar(one=b"1")], **({} if layers else {"Config": name, "Layers": []}))
    if layers:
        config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest_of(OUTSIDE)]}}).encode()
        config_name = digest_of(config)[7:] + ".json"
        files[config_name] = config
        files["manifest.json"] = json.dumps([{"Config": config_name, "RepoTags": [], "Layers": [name]}]).encode()
    path = write_folder(tmp_path / "image", files)
    assert "it has no file" in refused("import", path, "app:v1", "--to", drydock.url)
    assert registry.get_blob("app", digest_of(OUTSIDE)).status_code == 404


@pytest.mark.parametrize("place", ["file", "folder", "within"])
def test_a_folder_with_links(drydock, registry, tmp_path, outside, place):
    """A blob that is a link, or that lies behind one, is not followed, wherever it leads."""
    image = oci_image()
    files = layout(image)
    path = write_folder(tmp_path / "image", files)
    blob = path / "blobs" / image.config.digest.replace(":", "/")
    if place == "file":
        outside.write_bytes(blob.read_bytes())
        blob.unlink()
        blob.symlink_to(outside)
    elif place == "within":
        blob.rename(path / "there")
        blob.symlink_to(path / "there")
    else:
        (path / "blobs").rename(tmp_path / "blobs")
        (path / "blobs").symlink_to(tmp_path / "blobs")
    assert "it has no file" in refused("import", path, "app:v1", "--to", drydock.url)
    assert registry.get_manifest("app", "v1").status_code == 404


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder"])
def test_a_folder_with_what_is_no_file(drydock, tmp_path, kind):
    image = oci_image()
    path = write_folder(tmp_path / "image", layout(image))
    blob = path / "blobs" / image.config.digest.replace(":", "/")
    blob.unlink()
    if kind == "fifo":
        os.mkfifo(blob)
    elif kind == "folder":
        blob.mkdir()
    else:
        listener = socket.socket(socket.AF_UNIX)
        here = os.open(blob.parent, os.O_PATH)
        listener.bind(f"/proc/self/fd/{here}/{blob.name}")
        os.close(here)
        listener.close()
    assert "it has no file" in refused("import", path, "app:v1", "--to", drydock.url)


@pytest.mark.parametrize("lost", [1, 4, 8, 9, 12])
def test_a_compressed_archive_that_lacks_its_end(drydock, registry, tmp_path, lost):
    """All of the tar is there; what says that it is whole is not, or not all of it."""
    path = write_tar(tmp_path / "a.tar", layout(oci_image(size=50_000)))
    whole = gzip.compress(path.read_bytes() + bytes(100_000))
    path.write_bytes(whole[:-lost])
    assert "cut short" in refused("import", path, "app:v1", "--to", drydock.url)
    path.write_bytes(whole[:-8] + bytes(4) + whole[-4:])
    assert "damaged" in refused("import", path, "app:v1", "--to", drydock.url)
    assert registry.get_manifest("app", "v1").status_code == 404
    path.write_bytes(whole)
    done("import", path, "app:v1", "--to", drydock.url)


def test_each_part_once_however_often_it_is_named(drydock, registry, tmp_path):
    """An index of 1,000 times an index of 1,000 times the same image: in and out in a few requests."""
    child = oci_image()
    inner = oci_index([child] * 1000)
    outer = oci_index([inner] * 1000)
    files = layout(child) | {"blobs/" + item.digest.replace(":", "/"): item.manifest for item in (inner, outer)}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [outer.descriptor()]}).encode()
    before = len(drydock.log().splitlines())
    done("import", write_tar(tmp_path / "a.tar", files), "app:v1", "--to", drydock.url)
    done("export", "app:v1", tmp_path / "b.tar", "--from", drydock.url)
    assert len(drydock.log().splitlines()) - before < 40
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert {name for name in tar.getnames() if name.startswith("blobs/")} == {
            name for name in files if name.startswith("blobs/")}


@pytest.mark.parametrize("mask, rights", [(0o077, 0o600), (0o022, 0o644)])
def test_an_exported_file_has_the_rights_of_a_new_one(drydock, tmp_path, mask, rights):
    done("import", write_tar(tmp_path / "b.tar", layout(oci_image())), "app:v1", "--to", drydock.url)
    subprocess.run([find_binary(), "export", "app:v1", tmp_path / "a.tar", "--from", drydock.url],
                   env=clean_environment(), check=True, capture_output=True, timeout=60, umask=mask)
    assert (tmp_path / "a.tar").stat().st_mode & 0o777 == rights
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("a.tar")] == ["a.tar"]


@pytest.mark.parametrize("packed", [False, True])
def test_archives_that_are_cut_short_or_lie_about_sizes(drydock, tmp_path, packed):
    path = write_tar(tmp_path / "a.tar", layout(oci_image(size=50_000)))
    whole = gzip.compress(path.read_bytes()) if packed else path.read_bytes()
    for length in (0, 100, 511, 1000, len(whole) // 2, len(whole) - 10_300):
        path.write_bytes(whole[:length])
        said = refused("import", path, "app:v1", "--to", drydock.url)
        assert "cut short" in said or "no tar archive" in said
    with open(path, "wb") as file:
        file.write(entry("big", size=1 << 60).tobuf(tarfile.GNU_FORMAT))
    assert "cut short" in refused("import", path, "app:v1", "--to", drydock.url)


def test_indexes_that_name_each_other_too_deep(drydock, tmp_path):
    index = oci_image()
    for _ in range(6):
        index = oci_index([index])
    path = write_tar(tmp_path / "a.tar", layout(index))
    assert "nested too deep" in refused("import", path, "app:v1", "--to", drydock.url)


def test_an_index_in_an_index(drydock, registry, tmp_path):
    """It goes out and comes in whole; docker is told of the first image in it."""
    inner = oci_index([oci_image(), oci_image(architecture="arm64")])
    outer = oci_index([inner, oci_image(architecture="s390x")])
    done("import", write_tar(tmp_path / "a.tar", layout(outer)), "team/new:v1", "--to", drydock.url)
    assert registry.pull_image("team/new", "v1") == outer.manifest
    done("export", "team/new:v1", tmp_path / "b.tar", "--from", drydock.url)
    with tarfile.open(tmp_path / "b.tar") as tar:
        found = {name: tar.extractfile(name).read() for name in tar.getnames()}
    for digest, content in parts_of(outer):
        assert found["blobs/" + digest.replace(":", "/")] == content
    (docker,) = json.loads(found["manifest.json"])
    first = inner.children[0]
    assert docker["Config"] == "blobs/" + first.config.digest.replace(":", "/")
    assert docker["Layers"] == ["blobs/" + layer.digest.replace(":", "/") for layer in first.layers]
    done("import", tmp_path / "b.tar", "team/newer:v1", "--to", drydock.url)
    assert registry.pull_image("team/newer", "v1") == outer.manifest


def test_an_image_that_is_archived(drydock, ecr, registry, repository, tmp_path):
    """Cannot be pulled, and so not exported, until it is restored."""
    image = oci_image()
    registry.push_image(repository, image, "v1")
    wanted = {"repositoryName": repository, "imageId": {"imageTag": "v1"}}
    ecr.update_image_storage_class(**wanted, targetStorageClass="ARCHIVE")
    assert "404" in refused("export", f"{repository}:v1", tmp_path / "a.tar", "--from", drydock.url)
    assert not list(tmp_path.glob("a.tar*"))
    ecr.update_image_storage_class(**wanted, targetStorageClass="STANDARD")
    drydock.advance(120)
    done("export", f"{repository}:v1", tmp_path / "a.tar", "--from", drydock.url)
    done("import", tmp_path / "a.tar", "team/copy:v1", "--to", drydock.url)
    assert registry.get_manifest("team/copy", "v1").content == image.manifest


# -- progress ---------------------------------------------------------------------------------------------------------

MIB = 1 << 20


class SlowLine:
    """Between a client and a server: everything passes, at so many bytes a second."""

    def __init__(self, server, bytes_per_second):
        self._to, self._pace = ("127.0.0.1", server.port), bytes_per_second
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # what is sent does not wait in the kernel
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, far = self._listener.accept()[0], socket.create_connection(self._to)
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
                time.sleep(len(piece) / self._pace)
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self._listener.close()


@pytest.fixture
def slow_line(drydock):
    line = SlowLine(drydock, 6 * MIB)
    yield line
    line.close()


def on_a_terminal(*words):
    """(exit code, what it writes to the terminal that its standard error is)."""
    master, slave = pty.openpty()
    with subprocess.Popen(
            [find_binary(), *map(str, words)], env=clean_environment(), stdout=subprocess.DEVNULL, stderr=slave) as ended:
        os.close(slave)
        said = b""
        with contextlib.suppress(OSError):  # EIO: its end
            while piece := os.read(master, 4096):
                said += piece
        os.close(master)
    return ended.returncode, said.decode()


def check_bar(said, total_mib):
    """It grows, never beyond its end, and is gone at last."""
    shown = re.findall(r"\r\[(#*)( *)\] (\d+) of (\d+) MiB", said)
    assert len(shown) >= 3, said
    done_mib = [int(done) for _, _, done, _ in shown]
    assert done_mib == sorted(done_mib) and done_mib[0] < done_mib[-1] <= total_mib
    assert {int(total) for *_, total in shown} == {total_mib} and {len(bar + rest) for bar, rest, *_ in shown} == {30}
    assert said.endswith("\r\x1b[K"), said


def test_a_bar_where_it_is_long(drydock, registry, slow_line, tmp_path):
    image = oci_image(layers=5, size=3 * MIB)
    path = write_tar(tmp_path / "a.tar", layout(image))
    code, said = on_a_terminal("import", path, "team/new:v1", "--to", slow_line.url)
    assert code == 0, said
    check_bar(said, 15)
    assert registry.get_manifest("team/new", "v1").content == image.manifest
    code, said = on_a_terminal("export", "team/new:v1", tmp_path / "b.tar", "--from", slow_line.url)
    assert code == 0, said
    check_bar(said, 15)


def test_no_bar_elsewhere(drydock, slow_line, tmp_path):
    """Not where it is short, not for programs, not in a file."""
    path = write_tar(tmp_path / "a.tar", layout(oci_image()))
    assert on_a_terminal("import", path, "team/new:v1", "--to", drydock.url) == (0, "")
    path = write_tar(tmp_path / "b.tar", layout(oci_image(size=4 * MIB)))
    assert on_a_terminal("import", path, "team/new:v2", "--to", slow_line.url, "--json") == (0, "")
    result = run("export", "team/new:v2", tmp_path / "c.tar", "--from", slow_line.url)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_name_that_is_there_twice(drydock, tmp_path):
    path = write_tar(tmp_path / "a.tar", layout(oci_image()))
    with tarfile.open(path, "a") as tar:
        tar.addfile(entry("index.json", size=2), io.BytesIO(b"{}"))
    assert "twice" in refused("import", path, "app:v1", "--to", drydock.url)


def test_a_saved_layer_that_its_config_does_not_name(drydock, tmp_path):
    files, _ = saved([layer_tar(one=b"1")])
    files["layer0/layer.tar"] = layer_tar(one=b"2")
    path = write_tar(tmp_path / "a.tar", files)
    assert "not the layer that its config names" in refused("import", path, "app:v1", "--to", drydock.url)
    files, _ = saved([layer_tar(one=b"1")], Layers=[])
    path = write_tar(tmp_path / "b.tar", files)
    assert "different layers" in refused("import", path, "app:v1", "--to", drydock.url)


def test_a_folder_that_a_server_runs_on(make_server, data, tmp_path):
    make_server(data=data)
    said = refused("import", write_tar(tmp_path / "a.tar", layout(oci_image())), "app:v1", "--data", data)
    assert "--to" in said


def test_what_is_not_there(drydock, data, tmp_path):
    assert "the server says 404" in refused("export", "app:v1", tmp_path / "a.tar", "--from", drydock.url)
    assert "the server says 404" in refused("export", "app:v1", tmp_path / "a.tar", "--data", data)
    assert not list(tmp_path.glob("a.tar*"))
    assert "nothing answers" in refused("export", "app:v1", tmp_path / "a.tar", "--from", "http://127.0.0.1:1")
    result = run("import", tmp_path / "none", "app:v1", "--data", data, "--json")
    assert result.returncode == 1 and "No such file" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("words", [
    [], ["a.tar"], ["a.tar", "UPPER:v1"], ["a.tar", "app:-"], ["a.tar", "app", "more"], ["a.tar", "app", "--none", "x"],
    ["a.tar", "app@sha256:" + "0" * 64], ["a.tar", "app", "--ephemeral"],
])
def test_wrong_usage(words):
    assert refused("import", *words, code=2).startswith("drydock import: ")


def test_help():
    assert "usage: drydock import" in done("import", "--help")
    assert "usage: drydock export" in done("export", "--help")


def test_accounts_and_open_servers(make_server, tmp_path):
    server = make_server("--auth", "open")
    path = write_tar(tmp_path / "a.tar", layout(oci_image()))
    done("import", path, "app:v1", "--to", server.url, "--account", "123456789012", "--region", "eu-west-1")
    names = server.ecr(access_key="123456789012", region="eu-west-1").describe_repositories()["repositories"]
    assert [item["repositoryName"] for item in names] == ["app"]


def test_memory_stays_flat(drydock, registry, tmp_path):
    layer = Blob(bytes(64 << 20))
    path = write_tar(tmp_path / "a.tar", layout(oci_image([layer])))
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); " \
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    result = subprocess.run(
        ["python3", "-c", script, find_binary(), "import", path, "app:v1", "--to", drydock.url],
        env=clean_environment(), capture_output=True, text=True, check=True)
    assert int(result.stdout.split()[-1]) < 48 << 10
    assert registry.head_blob("app", layer.digest).status_code == 200
