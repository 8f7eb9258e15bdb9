"""Mutated requests of every door: whatever is sent, the server lives, answers in time, and never with 500."""

import pytest
from sizes import REQUESTS
from support import iam

from attacker import Attacker

MODES = [(auth, profile) for auth in ("token", "open", "iam") for profile in ("ecr", "oci")]
# What is freed is kept for so long that a use of it is found, and for so short that growth is seen.
QUARANTINE = "quarantine_size_mb=8:malloc_context_size=10:detect_leaks=1:detect_stack_use_after_return=1"
GROWTH = 48 << 20


@pytest.fixture
def attack(make_server, seed):
    def begin(auth, profile):
        options = iam.options() if auth == "iam" else ("--auth", auth)
        account = ("--account", iam.ACCOUNT) if auth == "iam" else ()
        server = make_server(
            *options, *account, "--profile", profile, "--log-level", "error", env={"ASAN_OPTIONS": QUARANTINE})
        return Attacker(server, seed, auth, profile)

    return begin


@pytest.mark.parametrize("auth, profile", MODES)
def test_mutated_requests(attack, request, auth, profile):
    attacker, only = attack(auth, profile), request.config.getoption("--request")
    if only is not None:
        attacker.attack([only])
        return
    count = REQUESTS // len(MODES)
    attacker.attack(range(count // 3))
    before = attacker.resident_bytes()
    attacker.attack(range(count // 3, count))
    after = attacker.resident_bytes()
    print(f"{attacker.done} requests, statuses {sorted(attacker.answered.items())}, RSS {before >> 20} -> {after >> 20} MiB, "
          f"slowest {attacker.slowest:.2f} s ({attacker.slowest_name})")
    assert after - before < GROWTH, "memory grows with requests"
    assert attacker.answered.get(200, 0) > count // 20, "hardly anything gets through: the attack hits nothing"


def test_each_character_of_a_path_encoded(attack):
    """A path means what it decodes to, at every door."""
    attacker = attack("token", "ecr")
    attacker.sweep()
    print(f"{attacker.done} requests, slowest {attacker.slowest:.2f} s ({attacker.slowest_name})")
