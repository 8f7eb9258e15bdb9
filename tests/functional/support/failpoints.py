"""Failpoints in a running server: a development build takes them at a door of its own (POST /_drydock/failpoints)."""

import itertools
import os

import pytest

STEPS_MAX = 150


def arm(server, plan=""):
    """What is to fail from now on (storage/fault.h), nothing with "". How many steps failed by the plan before; None: there is no
    such door."""
    answer = server._anonymous.post(f"{server.url}/_drydock/failpoints", data=plan, timeout=30)
    if answer.status_code == 404:
        return None
    assert answer.status_code == 200, answer.text
    return answer.json()["fired"]


def need_failpoints(server):
    """Skips the test on another build; where the run is said to be whole it fails."""
    if arm(server) is not None:
        return
    reason = "DRYDOCK_BIN is no development build: it has no failpoints"
    if os.environ.get("DRYDOCK_WHOLE_RUN"):
        pytest.fail(f"a whole run is one with failpoints, and {reason}")
    pytest.skip(reason)


def with_failure(server, step, ask):
    """The answer while one step of a statement fails, and how many steps failed: 0 when there were fewer."""
    arm(server, f"sql:{step}")
    try:
        answer = ask()
    finally:
        fired = arm(server)
    return answer, fired


def every_step(server, ask, failed, tries=3):
    """Makes each step of a request that only reads fail, one after another, and says how many there are. failed(answer) says
    whether an answer is that of a failure. Steps of the background are counted, too: where one of those failed instead, the
    request is made once more."""
    before = ask()
    assert not failed(before), before
    for step in range(1, STEPS_MAX):
        for _ in range(tries):
            answer, fired = with_failure(server, step, ask)
            if not fired or failed(answer):
                break
        if not fired:
            assert answer == before
            return step - 1
        assert failed(answer), f"step {step} failed, and the answer was {answer}, else {before}"
        assert ask() == before
    raise AssertionError(f"more than {STEPS_MAX} steps")


def every_step_of_writes(server, ask, right, failed, prepare=lambda name: None):
    """The same for a request that writes: ask(name) is for a new name each time, after prepare(name); right(name, answer) says
    whether the answer is that of success, and true."""
    names = map("n{}".format, itertools.count())
    for step in range(1, STEPS_MAX):
        name = next(names)
        prepare(name)
        answer, fired = with_failure(server, step, lambda name=name: ask(name))
        if not fired:
            assert right(name, answer), answer
            return step - 1
        assert failed(answer) or right(name, answer), f"step {step} failed, and the answer was {answer}"
    raise AssertionError(f"more than {STEPS_MAX} steps")
