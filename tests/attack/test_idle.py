"""Thousands of connections that ask nothing: pushes beside them go on as if they were not there."""

import random
import socket
import threading
import time

from sizes import IDLE, allow_descriptors

from attacker import resident_bytes
from doors import image_of, layer_of
from light_client import Client

PUSHERS, SECONDS = 8, 5
WORST = 10  # seconds for a push of three requests: far more than it takes, less than a loop that is held
EACH = 8 << 10  # bytes of memory for an idle connection


def open_connections(server):
    client = Client(server.port)
    text = client.request("GET", "/metrics").body.decode()
    client.close()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("drydock_connections_open ")))


def test_idle_connections(make_release, seed):
    allow_descriptors(IDLE + 500)
    server = make_release("--auth", "open", "--log-level", "error", "--max-connections", str(IDLE + 100))
    client = Client(server.port)
    client.api("CreateRepository", repositoryName="app")
    before, idle, took, failures = resident_bytes(server), [], [], []
    try:
        for number in range(IDLE):
            idle.append(socket.create_connection(("127.0.0.1", server.port), 30))
            if number % 3 == 0:  # one that has asked before is idle in another way
                idle[-1].sendall(f"GET /_drydock/health HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        end = time.monotonic() + 30
        while open_connections(server) < IDLE:
            assert time.monotonic() < end, "not all connections were taken"
            time.sleep(0.05)

        def push(number):
            dice, own = random.Random(f"{seed} idle {number}"), Client(server.port)
            try:
                until = time.monotonic() + SECONDS
                while time.monotonic() < until:
                    image, began = image_of(dice, [layer_of(dice, 2000)]), time.monotonic()
                    answer = own.push("app", image, f"p{number}")
                    took.append(time.monotonic() - began)
                    assert answer.status == 201, answer
            except Exception as failure:  # noqa: B902 (a thread's failure is the test's)
                failures.append(repr(failure))
            finally:
                own.close()

        threads = [threading.Thread(target=push, args=(number,)) for number in range(PUSHERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after, still = resident_bytes(server), open_connections(server)
    finally:
        for connection in idle:
            connection.close()
    print(f"{IDLE} idle connections, {len(took)} images pushed beside them, median {sorted(took)[len(took) // 2]:.4f} s, "
          f"worst {max(took):.3f} s, RSS {before >> 20} -> {after >> 20} MiB")
    assert not failures, failures[:3]
    assert still >= IDLE, "idle connections were closed for the sake of a few pushes"
    assert max(took) < WORST
    assert after - before < IDLE * EACH + (16 << 20)
    client.close()
