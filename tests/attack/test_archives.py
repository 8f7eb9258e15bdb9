"""Mutated archives for `drydock import`: it ends, by itself and in time, with an image or with words, and never with a report."""

import gzip
import io
import json
import random
import subprocess
import tarfile

from sizes import ARCHIVES
from support.binary import clean_environment, find_binary
from support.images import OCI_INDEX, Image, digest_of

from doors import image_of, layer_of
from mutations import spoil_bytes, spoil_json

SECONDS = 60


def layout(dice):
    """An OCI layout of an index of two images, as {name: bytes}."""
    images = [image_of(dice, [layer_of(dice, size)]) for size in (300, 70_000)]
    inner = Image({"schemaVersion": 2, "mediaType": OCI_INDEX,
                   "manifests": [image.descriptor() for image in images]}, OCI_INDEX, children=images)
    parts = [(inner.digest, inner.manifest)]
    for image in images:
        parts += [(image.digest, image.manifest), *((blob.digest, blob.data) for blob in image.blobs)]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner.descriptor(
        annotations={"org.opencontainers.image.ref.name": "v1"})]}
    return {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode()} | {
        "blobs/" + digest.replace(":", "/"): data for digest, data in parts}


def saved(dice):
    """What an older docker save writes."""
    layer = tar_of(dice, {"etc/motd": dice.randbytes(2000)}, plain=True)
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {
        "type": "layers", "diff_ids": [digest_of(layer)]}}).encode()
    name = digest_of(config).partition(":")[2] + ".json"
    manifest = [{"Config": name, "RepoTags": ["app:v1"], "Layers": ["one/layer.tar"]}]
    return {"one/layer.tar": layer, name: config, "manifest.json": json.dumps(manifest).encode()}


def tar_of(dice, files, plain=False):
    packed = io.BytesIO()
    form = tarfile.PAX_FORMAT if plain else dice.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
    with tarfile.open(fileobj=packed, mode="w", format=form) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if not plain and dice.random() < 0.02:
                info.type = dice.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE))
                info.linkname, info.size, data = dice.choice(("../one/layer.tar", "/etc/passwd", name)), 0, b""
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def spoil_files(dice, files):
    """One of them is another, is not there, has another name, or is there twice."""
    name = dice.choice(list(files) + [one for one in files if one.endswith(".json")] * 3)
    kind = dice.randrange(8)
    if kind <= 3:
        files[name] = spoil_json(dice, files[name]) if files[name][:1] in (b"{", b"[") else spoil_bytes(dice, files[name])
    elif kind == 4:
        del files[name]
    elif kind == 5:
        files[dice.choice(("../" + name, "/" + name, "./" + name, name + "\n", "a" * 300 + "/" + name))] = files.pop(name)
    elif kind == 6:
        files["./" + name] = files[name]
    else:
        files[name] = files[dice.choice(list(files))]


def archive(dice):
    files = dice.choice((layout, saved))(dice)
    for _ in range(dice.choice((0, 1, 1, 2, 4))):
        if files:
            spoil_files(dice, files)
    data = tar_of(dice, files)
    if dice.random() < 0.25:  # a header, most likely
        at = dice.randrange(0, len(data), 512)
        data = data[:at] + spoil_bytes(dice, data[at:at + 512]) + data[at + 512:]
    if dice.random() < 0.3:
        data = gzip.compress(data, 1, mtime=0)
        if dice.random() < 0.4:
            data = spoil_bytes(dice, data)
    return data[:dice.randint(0, len(data))] if dice.random() < 0.1 else data


def test_mutated_archives(make_server, tmp_path, request, seed):
    server, codes = make_server("--auth", "open", "--profile", "oci", "--log-level", "error"), {0: 0, 1: 0}
    only, path = request.config.getoption("--request"), tmp_path / "archive"
    for number in range(ARCHIVES) if only is None else [only]:
        path.write_bytes(archive(random.Random(f"{seed} archive {number}")))
        done = subprocess.run(
            [find_binary(), "import", path, f"team/app:t{number}", "--to", server.url], env=clean_environment(),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=SECONDS)
        said = f"--seed {seed} --request {number}: {done.returncode}\n{done.stdout[-500:]}{done.stderr[-8000:]}"
        assert done.returncode in codes and "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, said
        assert done.returncode == 0 or done.stderr.startswith("drydock import: "), said
        codes[done.returncode] += 1
        server.check()
    print(f"{codes[0]} imported, {codes[1]} refused")
    assert only is not None or all(codes.values()), codes
