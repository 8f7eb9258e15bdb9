"""Everything at once for minutes: pushes, pulls, moved tags, deletions, lists, lifecycle, collections, garbage and clients that
vanish. At the end the server is as large as it was after the first quarter, and holds what it should."""

import json
import os
import random
import threading
import time
from pathlib import Path

from sizes import SOAK_SECONDS
from support.upkeep import run_json
from support.waiting import wait_until

from attacker import Exchange, resident_bytes
from doors import Request, World, image_of, layer_of, pretend
from light_client import Client
from mutations import on_the_wire, spoil_parts

PUSHERS, KEPT = 4, 15
MEMORY_GROWTH, DISK_LEFT = 8 << 20, 2 << 20
HARMFUL = ("reset", "clock", "lifecycle", "Delete", "Put", "Create", "Update", "Set", "Register", "Deregister", "Tag", "Untag")


def descriptors(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def disk_bytes(folder):
    return sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("*") if path.is_file())


class Soak:
    def __init__(self, server, seed):
        self.server, self.seed, self.failures, self.done = server, seed, [], {}
        self.stop, self.lock = threading.Event(), threading.Lock()
        dice = random.Random(f"{seed} soak")
        self.shared = [layer_of(dice, size) for size in (500, 40_000, 100_000, 1 << 20)]
        self.world = World(server, dice, "open")
        self.world.login, self.world.uploads = None, ["00000000-0000-4000-8000-000000000000"]
        self.world.link, self.world.page = "/_drydock/layers/x", "none"

    def client(self):
        return Client(self.server.port)

    def run(self, what, number):
        dice, client, mine = random.Random(f"{self.seed} {what.__name__} {number}"), self.client(), {}
        try:
            while not self.stop.is_set():
                what(client, dice, number, mine)
                with self.lock:
                    self.done[what.__name__] = self.done.get(what.__name__, 0) + 1
        except Exception as failure:  # noqa: B902 (a thread's failure is the test's)
            self.failures.append(f"{what.__name__} {number}: {failure!r}")
        finally:
            client.close()

    # -- what goes on ---------------------------------------------------------------------------------------------------

    def push(self, client, dice, number, mine):
        """Also moves tags, reads back what it has pushed, and deletes."""
        image = image_of(dice, dice.sample(self.shared, dice.randint(0, 2)) + [layer_of(dice, dice.choice((50, 90_000)))])
        tag = f"p{number}-{dice.randrange(20)}"
        answer = client.push("app", image, tag, attempts=500)
        assert answer.status == 201, answer
        mine[image.digest] = image
        other = dice.choice(list(mine.values()))
        client.read_whole("app", other)
        answer = client.put_manifest("app", other, f"p{number}-{dice.randrange(20)}")
        assert answer.status == 201, answer
        while len(mine) > KEPT:
            digest = dice.choice(list(mine))
            status, document = client.api("BatchDeleteImage", repositoryName="app", imageIds=[{"imageDigest": digest}])
            assert status == 200 and document["failures"] == [], document
            del mine[digest]
            assert client.get_manifest("app", digest, image.media_type).status == 404

    def fleet(self, client, dice, _number, _mine):
        """What the lifecycle policy takes."""
        answer = client.push("fleeting", image_of(dice, [layer_of(dice, 300)]), f"f{dice.randrange(60)}", attempts=500)
        assert answer.status == 201, answer

    def describe(self, client, dice, _number, _mine):
        for operation in ("DescribeImages", "ListImages"):
            status, document = client.api(operation, repositoryName="app", maxResults=dice.randint(1, 1000))
            assert status == 200, document
        assert client.request("GET", "/v2/app/tags/list?n=10").status == 200
        self.stop.wait(0.01)

    def upkeep(self, client, dice, _number, _mine):
        for door, body in (("gc", b'{"grace_seconds": 0}'), ("lifecycle/run", b'{"repositoryName": "fleeting"}')):
            answer = client.request("POST", f"/_drydock/{door}", body)
            assert answer.status == 200, answer
        self.stop.wait(dice.uniform(0, 0.2))

    def rubbish(self, _client, dice, _number, _mine):
        """Mutated requests, but of those doors that change nothing of the others'."""
        request = self.world.draw(dice)
        if request.method not in ("GET", "HEAD") and any(word in f"{request.target} {request.operation}" for word in HARMFUL):
            return
        spoil_parts(dice, request)
        if request.signer:
            pretend(request)
        data, _ = on_the_wire(dice, request, self.server.host)
        if b"/team/" not in data and b"/v2/" in data:
            return
        exchange = Exchange(data, dice.choice(("half", "vanish")), False, None)
        exchange.run(self.server.port, dice)
        exchange.judge()

    def vanish(self, _client, dice, _number, _mine):
        """Begins a push or a pull, and is gone in the middle."""
        body = dice.randbytes(200_000)
        request = dice.choice((
            Request("POST", f"/v2/app/blobs/uploads/?digest={self.shared[0].digest}", (), body),
            Request("GET", f"/v2/app/blobs/{self.shared[3].digest}")))
        data, _ = on_the_wire(dice, request, self.server.host, spoil=False)
        Exchange(data[:dice.randint(1, len(data))], "vanish", False, None).run(self.server.port, dice)
        self.stop.wait(0.005)

    # -- before and after -------------------------------------------------------------------------------------------------

    def begin(self):
        client = self.client()
        for name in ("app", "fleeting"):
            assert client.api("CreateRepository", repositoryName=name)[0] == 200
        client.api("PutLifecyclePolicy", repositoryName="fleeting", lifecyclePolicyText=json.dumps({"rules": [{
            "rulePriority": 1, "action": {"type": "expire"},
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 20}}]}))
        client.close()
        works = [(self.push, number) for number in range(PUSHERS)] + [
            (what, 0) for what in (self.fleet, self.describe, self.upkeep, self.rubbish, self.vanish)]
        self.threads = [threading.Thread(target=self.run, args=work) for work in works]
        for thread in self.threads:
            thread.start()

    def watch(self, until):
        while time.monotonic() < until:
            time.sleep(0.1)
            assert not self.failures, "\n".join(self.failures[:5]) + ("" if self.server.alive() else "\nthe server has ended")
        return resident_bytes(self.server)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def empty(self):
        """Everything is deleted, and collected twice: what an upload has sent a moment ago is young."""
        client = self.client()
        for name in ("app", "fleeting"):
            assert client.api("DeleteRepository", repositoryName=name, force=True)[0] == 200
        for _ in range(2):
            assert client.request("POST", "/_drydock/gc", b'{"grace_seconds": 0}').status == 200
        client.close()


def test_soak(make_release, tmp_path, seed):
    server = make_release("--auth", "open", "--log-level", "error", data=tmp_path / "data")
    start, soak = descriptors(server), Soak(server, seed)
    began = time.monotonic()
    soak.begin()
    try:
        early = soak.watch(began + SOAK_SECONDS / 4)
        late = soak.watch(began + SOAK_SECONDS)
        held = descriptors(server)
    finally:
        soak.end()
    assert not soak.failures, "\n".join(soak.failures[:5])
    wait_until(lambda: descriptors(server) <= start + 4)  # connections that vanished, and the database's own
    full = disk_bytes(server.data / "blobs")
    soak.empty()
    wait_until(lambda: disk_bytes(server.data / "blobs") < DISK_LEFT)
    print(f"{SOAK_SECONDS} s, {sorted(soak.done.items())}, RSS {early >> 20} -> {late >> 20} MiB, peak "
          f"{server.peak_memory_bytes() >> 20} MiB, descriptors {start}, {held}, {descriptors(server)}, "
          f"blobs {full >> 20} -> {disk_bytes(server.data / 'blobs') >> 20} MiB")
    assert late < early + MEMORY_GROWTH, "memory grows"
    server.stop()
    found = run_json("check", "--data", server.data, code=None)["findings"]
    assert {finding["kind"] for finding in found} <= {"file-left-over"}, found
    assert all(soak.done.get(what, 0) > 0 for what in ("push", "fleet", "describe", "upkeep", "rubbish", "vanish"))
