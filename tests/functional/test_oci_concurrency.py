"""32 clients on one repository: pushes that share layers, tags that move, deletions and garbage collections under them."""

import hashlib
import random
import threading
import time

import pytest
from support.images import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Blob, Image
from support.registry import error_of
from support.upkeep import run_json

pytestmark = [pytest.mark.alone, pytest.mark.threads]

CLIENTS, ROUNDS, TAGS = 32, 10, 6


def layer(number):
    """One of a few layers that all clients share; some are rows in the store, some are files."""
    size = 200 if number % 2 else 70_000 + number
    return Blob(hashlib.shake_256(b"layer %d" % number).digest(size), OCI_LAYER)


LAYERS = [layer(number) for number in range(8)]


def image_of(dice, client):
    layers = dice.sample(LAYERS, dice.randint(1, 4))
    config = Blob(b'{"client": %d, "dice": %d}' % (client, dice.randrange(1 << 60)), OCI_CONFIG)
    document = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.descriptor(),
        "layers": [one.descriptor() for one in layers]}
    return Image(document, OCI_MANIFEST, [config, *layers])


def push(registry, repository, image, tag, form, grace):
    """Like push_image, but another client may have deleted what this one looks for: then it is sent again. What was said
    to be there, or was just sent, is there for (nearly) the grace time."""
    while True:
        began = time.monotonic()
        for blob in image.blobs:
            if registry.head_blob(repository, blob.digest).status_code == 404:
                answer = registry.push_blob(repository, blob.data, form=form)
                assert answer.status_code == 201, answer.text
        answer = registry.put_manifest(repository, tag, image.manifest, image.media_type)
        if answer.status_code == 201:
            return
        took = time.monotonic() - began
        assert error_of(answer)[0] == "MANIFEST_BLOB_UNKNOWN", answer.text
        assert took > grace * 7 / 8, f"a layer was lost after {took:.2f} s: {answer.text}"


def collect(server, failures, freed, over):
    while not over.is_set():
        freed.append(server.admin("POST", "gc")["freed_blobs"])
        over.wait(0.02)


def work(server, client, repository, grace, failures, last_round):
    dice, registry = random.Random(client), server.registry()
    try:
        for left in reversed(range(ROUNDS)):
            if left == 0:
                last_round.wait(120)  # nobody deletes any more
            image, tag = image_of(dice, client), f"t{dice.randrange(TAGS)}"
            push(registry, repository, image, tag, dice.choice(["put", "patch", "post"]), grace)
            assert registry.put_manifest(
                repository, f"t{dice.randrange(TAGS)}", image.manifest, image.media_type).status_code in (201, 404)
            for target in (f"t{dice.randrange(TAGS)}", image.digest):
                if left and dice.random() < 0.3:
                    answer = registry.request("DELETE", f"{repository}/manifests/{target}")
                    assert answer.status_code in (202, 404), answer.text
            got = registry.get_manifest(repository, f"t{dice.randrange(TAGS)}")
            assert got.status_code in (200, 404), got.text
    except (AssertionError, threading.BrokenBarrierError) as failure:
        last_round.abort()
        failures.append(f"client {client}: {failure}")
    finally:
        registry.close()


@pytest.mark.parametrize("profile, durable, grace", [
    ("ecr", False, 0), ("ecr", True, 2), ("oci", False, 2), ("oci", True, 0)])
def test_every_tag_resolves_to_a_whole_image(make_server, tmp_path, profile, durable, grace):
    server = make_server(
        "--profile", profile, "--gc-grace", str(grace), "--gc-interval", "1",
        data=tmp_path / "data" if durable else None)
    repository, failures, last_round = "team/app", [], threading.Barrier(CLIENTS)
    freed, over = [], threading.Event()
    server.ecr().create_repository(repositoryName=repository)
    threads = [
        threading.Thread(target=work, args=(server, client, repository, grace, failures, last_round))
        for client in range(CLIENTS)]
    collector = threading.Thread(target=collect, args=(server, failures, freed, over))
    collector.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    collector.join()
    assert not failures, "\n".join(failures[:5])
    assert len(freed) > 10 and sum(freed) > 0
    if durable:
        server.restart(kill=True)
    registry, ecr = server.registry(), server.ecr()
    tags = registry.tags(repository).json()["tags"]
    assert tags, "nothing was left to look at"
    for tag in tags:
        registry.pull_image(repository, tag)
    listed = ecr.get_paginator("describe_images").paginate(repositoryName=repository).build_full_result()
    assert sorted(tag for image in listed["imageDetails"] for tag in image.get("imageTags", ())) == tags
    for image in listed["imageDetails"]:
        registry.pull_image(repository, image["imageDigest"])
    registry.close()
    if durable:
        server.stop()
        assert run_json("check", "--data", server.data)["findings"] == []
