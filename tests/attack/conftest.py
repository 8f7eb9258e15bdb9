"""The measures of an attack, repeated: each test is one of them, and says what it prints and what must not happen.

    pytest tests/attack                     a share of each, which `make test` runs
    make attack                             all of it (ATTACK=full); sizes.py has the numbers, ATTACK_KILLS=50 sets one
    pytest tests/attack --seed 7            what is drawn by lot, drawn again: every test prints its seed
    ... --seed 7 --request 1234             of the mutated requests just that one, after the same beginnings

Requests are mutated against the program of DRYDOCK_BIN (sanitizers); kills, soak, readers and idle connections measure
the release build, because memory and speed of a build with sanitizers say nothing.
"""

import os
import random

import pytest
from support.binary import SOURCE
from support.fixtures import *  # noqa: F401,F403
from support.server import Server


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=None, help="what is drawn by lot, drawn again")
    parser.addoption("--request", type=int, default=None, help="only this one of the mutated requests")


@pytest.fixture
def seed(request):
    given = request.config.getoption("--seed")
    seed = random.SystemRandom().randrange(1 << 31) if given is None else given
    print(f"--seed {seed}")
    return seed


class ReleaseServer(Server):
    """The program as it is released, DRYDOCK_RELEASE or build/drydock; `limits` are prlimit's options for it."""

    limits = ()
    program = os.environ.get("DRYDOCK_RELEASE") or SOURCE / "build/drydock"

    def command(self):
        _, *arguments = super().command()
        return [*(["prlimit", *self.limits] if self.limits else ()), str(self.program), *arguments]


@pytest.fixture
def make_release(make_server):
    """make_server() of the release build."""
    if not os.access(ReleaseServer.program, os.X_OK):
        pytest.skip(f"there is no release build at {ReleaseServer.program}: run `make build`, or set DRYDOCK_RELEASE")

    def make(*options, limits=(), start=True, **settings):
        server = make_server(*options, start=False, kind=ReleaseServer, **settings)
        server.limits = limits
        return server.start() if start else server

    return make
