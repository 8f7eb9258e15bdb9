"""kill -9 under load, again and again on one folder: what was acknowledged is there byte for byte, what was deleted stays
deleted, and of what was under way there is all or nothing."""

import http.client
import json
import random
import threading
import time

from sizes import KILLS
from support.upkeep import run_json

from doors import image_of, layer_of
from ledger import Ledger
from light_client import Client

PUSHERS, TAGS, KEPT = 6, 5, 12  # KEPT: images of one pusher in one repository before it deletes some
WEST = "000000000000.dkr.ecr.us-west-2.amazonaws.com"
GONE = (OSError, http.client.HTTPException)
CHECK_EVERY, RESET_EVERY, SAMPLE = 5, 8, 25


class LoadClient(Client):
    """Notes every answer that says that the server has failed."""

    def __init__(self, port, failures, **settings):
        super().__init__(port, **settings)
        self.failures = failures

    def request(self, method, path, *arguments, **settings):
        answer = super().request(method, path, *arguments, **settings)
        if answer.status >= 500:
            self.failures.append(f"{method} {path}: {answer}")
        return answer


class Load:
    """Clients that push, move tags, delete, collect and run lifecycle policies until the server is killed under them."""

    def __init__(self, server, seed):
        self.server, self.seed, self.failures = server, seed, []
        dice = random.Random(f"{seed} layers")
        self.shared = [layer_of(dice, size) for size in (100, 4000, 60_000, 70_000, 300_000, 3 << 20)]
        self.ledgers = {name: Ledger(name, loose=name == "fleeting") for name in ("app/a", "app/b", "copied/x", "fleeting")}
        self.stop, self.threads, self.pushed = threading.Event(), [], 0

    def client(self, **settings):
        return LoadClient(self.server.port, self.failures, **settings)

    def prepare(self):
        """Repositories, a policy, a rule of replication, as they are after a reset or a kill or at the beginning."""
        client = self.client()
        for name in self.ledgers:
            status, document = client.api("CreateRepository", repositoryName=name)
            assert status == 200 or document["__type"] == "RepositoryAlreadyExistsException", document
        client.api("PutReplicationConfiguration", replicationConfiguration={"rules": [{
            "destinations": [{"region": "us-west-2", "registryId": "000000000000"}],
            "repositoryFilters": [{"filter": "copied/", "filterType": "PREFIX_MATCH"}]}]})
        client.api("PutLifecyclePolicy", repositoryName="fleeting", lifecyclePolicyText=json.dumps({"rules": [{
            "rulePriority": 1, "action": {"type": "expire"},
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 20}}]}))
        client.close()

    def begin(self, round_number):
        self.stop.clear()
        works = [(self.push, number) for number in range(PUSHERS)] + [(self.collect, 0), (self.expire, 0)]
        self.threads = [threading.Thread(target=self.work, args=(work, number, round_number)) for work, number in works]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def work(self, what, number, round_number):
        client, dice = self.client(), random.Random(f"{self.seed} {round_number} {what.__name__} {number}")
        try:
            while not self.stop.is_set():
                what(client, dice, number)
        except GONE:
            pass  # killed
        except Exception as failure:  # noqa: B902 (a thread's failure is the test's)
            self.failures.append(f"{what.__name__} {number}: {failure!r}")
        finally:
            client.close()

    # -- the work -------------------------------------------------------------------------------------------------------

    def push(self, client, dice, number):
        ledger = self.ledgers[dice.choice(list(self.ledgers))]
        tag, own = f"p{number}-{dice.randrange(TAGS)}", self.own(ledger, number)
        if own and not ledger.loose and (len(own) > KEPT or dice.random() < 0.2):
            self.delete(client, ledger, dice.choice(own))
            return
        if own and not ledger.loose and dice.random() < 0.25:
            image = dice.choice(own)
        else:
            layers = dice.sample(self.shared, dice.randint(0, 2)) + [layer_of(dice, dice.choice((50, 5000, 80_000)))]
            image = image_of(dice, layers, annotations={"pusher": f"{number}"})
        ledger.push_begins(image, tag)
        answer = client.push(ledger.name, image, tag, attempts=200)
        assert answer.status == 201, f"push of {ledger.name}:{tag}: {answer}"
        ledger.push_ended(image, tag)
        self.pushed += 1

    @staticmethod
    def own(ledger, number):
        with ledger.lock:
            images = list(ledger.images.values())
        return [image for image, state in images
                if state == "sure" and image.document["annotations"]["pusher"] == f"{number}"]

    @staticmethod
    def delete(client, ledger, image):
        ledger.deletion_begins(image)
        status, document = client.api(
            "BatchDeleteImage", repositoryName=ledger.name, imageIds=[{"imageDigest": image.digest}])
        assert status == 200 and document["failures"] == [], document
        ledger.deletion_ended(image)

    def collect(self, client, dice, _number):
        answer = client.request("POST", "/_drydock/gc", b'{"grace_seconds": 0}')
        assert answer.status == 200, answer
        self.stop.wait(dice.uniform(0, 0.1))

    def expire(self, client, dice, _number):
        answer = client.request("POST", "/_drydock/lifecycle/run", b'{"repositoryName": "fleeting"}')
        assert answer.status == 200, answer
        self.stop.wait(dice.uniform(0, 0.1))

    def reset(self):
        """True when it was acknowledged."""
        try:
            return self.client().request("POST", "/_drydock/reset").status == 200
        except GONE:
            return False

    # -- looking --------------------------------------------------------------------------------------------------------

    def look(self, dice, everything):
        """Holds all lists against the ledgers; reads whole what was touched since the last look and some of the rest."""
        client, west, read = self.client(), self.client(host=WEST), 0
        for ledger in self.ledgers.values():
            seen = client.tags_by_digest(ledger.name)
            ledger.compare(seen)
            listed = client.request("GET", f"/v2/{ledger.name}/tags/list").json()["tags"] or []
            assert sorted(listed) == sorted(tag for tags in seen.values() for tag in tags), ledger.name
            images = ledger.there()
            rest = [image for image in images if image.digest not in ledger.touched]
            if not everything:
                images = [image for image in images if image.digest in ledger.touched] + dice.sample(
                    rest, min(SAMPLE, len(rest)))
            for image in images:
                client.read_whole(ledger.name, image, dice.choice([image.digest, *seen[image.digest]]))
            read += len(images)
            if ledger.name == "copied/x":
                read += self.look_at_copies(west, ledger, dice, everything)
            ledger.touched = set()
        client.close()
        west.close()
        return read

    @staticmethod
    def look_at_copies(west, ledger, dice, everything):
        """A copy is made with the push, and stays when what it was made of is deleted."""
        seen = set(west.tags_by_digest(ledger.name))
        assert seen >= set(ledger.copied), f"copies are lost: {set(ledger.copied) - seen}"
        assert seen <= set(ledger.images), f"copies of what nobody pushed: {seen - set(ledger.images)}"
        known = list(ledger.copied.values())
        images = known if everything else dice.sample(known, min(SAMPLE, len(known)))
        for image in images:
            west.read_whole(ledger.name, image)
        ledger.copied |= {digest: ledger.images[digest][0] for digest in seen}
        return len(images)

    def empty(self):
        client = self.client()
        status, document = client.api("DescribeRepositories")
        client.close()
        assert status == 200, document
        return document["repositories"] == []


def check(server):
    """Files that nobody needs any more may be left, for the next collection; nothing else."""
    found = run_json("check", "--data", server.data, code=None)["findings"]
    assert {finding["kind"] for finding in found} <= {"file-left-over"}, found


def kill_in_a_reset(server, load, dice):
    """All is there, or nothing."""
    load.end()
    said = []
    thread = threading.Thread(target=lambda: said.append(load.reset()))
    thread.start()
    time.sleep(dice.uniform(0, 0.03))
    server.kill()
    thread.join()
    server.start()
    if said[0] or load.empty():
        assert load.empty(), "a reset was acknowledged, and not all is gone"
        for ledger in load.ledgers.values():
            ledger.emptied()


def test_kills_under_load(make_release, tmp_path, seed):
    server = make_release("--auth", "open", "--log-level", "error", data=tmp_path / "data")
    dice, load = random.Random(f"{seed} kills"), Load(server, seed)
    read, resets = 0, 0
    for number in range(1, KILLS + 1):
        load.prepare()
        load.begin(number)
        time.sleep(dice.uniform(0.02, 0.5))
        if number % RESET_EVERY == 0:
            kill_in_a_reset(server, load, dice)
            resets += 1
        else:
            server.kill()
            load.end()
            if number % CHECK_EVERY == 0:
                check(server)
            server.start()
        load.prepare()
        assert not load.failures, f"--seed {seed}, kill {number}:\n" + "\n".join(load.failures[:5])
        read += load.look(dice, number == KILLS)
    print(f"{KILLS} kills, {resets} of them in a reset, {load.pushed} images acknowledged, {read} read back whole")
    server.stop()
    check(server)
    assert load.pushed > KILLS * 3, "hardly anything was pushed: the kills hit nothing"
