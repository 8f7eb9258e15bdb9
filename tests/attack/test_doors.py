"""What is attacked is every door there is: a door that doors.py does not know fails here."""

import json
import random
import re

from support.binary import SOURCE

from attacker import Exchange, answers_of
from doors import OPERATIONS, Request, World, pretend
from mutations import on_the_wire

# What says of a request which door it came by, as the log names it.
TABLES = {
    "server/registry/route.c": r'\{RESOURCE_\w+, METHOD_\w+, "(\w+)"',
    "server/admin/admin.c": r'\{"/[^"]+", METHOD_\w+, "(\w+)"',
}

# It makes storage fail, which is what the others must never do; a release build has none.
NOT_ATTACKED = {"ArmFailpoints"}


def declared():
    found = {name: set(re.findall(pattern, (SOURCE / name).read_text())) for name, pattern in TABLES.items()}
    assert all(found.values()), "a table has another form now"
    return set().union(*found.values())


def logged(server):
    lines = [json.loads(line) for line in server.log(limit=None).splitlines() if line.startswith("{")]
    return {line["operation"]: line["status"] for line in lines if line.get("operation")}


def send(server, dice, request):
    if request.signer:
        pretend(request)
    data, _ = on_the_wire(dice, request, server.host, spoil=False)
    exchange = Exchange(data, "half", True, request.operation)
    exchange.run(server.port, dice)
    exchange.judge()
    return answers_of(exchange.received, data)[0][0]


def test_every_door_is_known(make_server):
    server = make_server("--profile", "oci", "--log-format", "json", env={"DRYDOCK_LOG_LEVEL": "info"})
    dice = random.Random("doors")
    world = World(server, dice, "token")
    world.build()
    statuses = [send(server, dice, world.call(dice, operation)) for operation in OPERATIONS]
    for doors in (world.registry, world.sts, world.own):
        for door in doors(dice):
            if door[1] == "/_drydock/reset":
                world.build()
            statuses.append(send(server, dice, Request(*door)))
    server.wait_for_log('"operation":"Metrics"')
    missing = (declared() | set(OPERATIONS)) - set(logged(server)) - NOT_ATTACKED
    assert not missing, f"add a valid request of each to doors.py: {missing}"
    assert sum(status < 400 for status in statuses) > len(statuses) / 2, f"few of the requests are valid: {statuses}"
