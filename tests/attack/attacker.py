"""Sends mutated requests to one server and judges what comes back: alive, in time, no status 500, of the model's shapes."""

import collections
import errno
import random
import re
import socket
import struct
import time
from pathlib import Path

from support.shapes import check_answer

from doors import World, encoded, paths, pretend, sign
from light_client import Client
from mutations import on_the_wire, spoil_parts

DEADLINE = 30  # seconds for an answer, of a server that shares its processor
REBUILD = 300  # requests between two beginnings
WELL_KNOWN = {501, 505, 507}  # 5xx that say something about the request or the disk


class Fault(AssertionError):
    pass


class Exchange:
    """One connection: what was sent, how it ended, what came back."""

    def __init__(self, data, ending, must_answer, operation):
        self.data, self.ending, self.must_answer, self.operation = data, ending, must_answer, operation
        self.received, self.seconds = b"", 0.0

    def run(self, port, dice):
        began = time.monotonic()
        connection = socket.create_connection(("127.0.0.1", port), DEADLINE)
        try:
            self._send(connection, dice)
            if self.ending == "vanish":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self._receive(connection)
        except socket.timeout:
            raise Fault(f"no end of the answer within {DEADLINE} s") from None
        except (ConnectionResetError, BrokenPipeError):
            pass  # what is refused need not be read
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # the same, seen by shutdown()
                raise
        finally:
            connection.close()
        self.seconds = time.monotonic() - began

    def _send(self, connection, dice):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cuts = sorted(dice.randint(0, len(self.data)) for _ in range(dice.choice((0, 0, 0, 1, 4))))
        for first, last in zip([0, *cuts], [*cuts, len(self.data)]):
            connection.sendall(self.data[first:last])
        if self.ending == "half":
            connection.shutdown(socket.SHUT_WR)

    def _receive(self, connection):
        while data := connection.recv(1 << 18):
            self.received += data
            if self.ending == "patient" and answers_of(self.received, self.data):
                return

    def judge(self):
        answers = answers_of(self.received, self.data)
        for status, headers, _ in answers:
            if status >= 500 and status not in WELL_KNOWN:
                raise Fault(f"status {status}")
        if self.must_answer and not answers:
            raise Fault(f"no answer, but {self.received[:300]!r}")
        if answers and self.operation and answers[0][1].get("Content-Type") == "application/x-amz-json-1.1":
            status, headers, body = answers[0]
            if status in (200, 400):
                try:
                    check_answer(self.operation, status, headers, body)
                except (AssertionError, ValueError) as wrong:
                    raise Fault(f"not of the model's shape: {wrong}") from None


def answers_of(data, sent):
    """The whole answers at the beginning of what was received, as (status, headers, body); fails when it is not HTTP."""
    found = []
    headless = re.search(rb"(?i)head", sent) is not None
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            break
        lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", lines[0])
        if not match:
            if headless:  # an answer to HEAD has no body where others have one
                break
            raise Fault(f"not an answer: {data[:300]!r}")
        if match[1] == "100":
            data = rest
            continue
        headers = dict(line.split(": ", 1) if ": " in line else (line, "") for line in lines[1:])
        length = 0 if match[1] in ("204", "304") else int(headers.get("Content-Length", 0))
        if headless and (rest[:9] == b"HTTP/1.1 " or not rest):
            length = 0
        if len(rest) < length:
            break
        found.append((int(match[1]), headers, rest[:length]))
        data = rest[length:]
    return found


class Attacker:
    def __init__(self, server, seed, auth, profile):
        self.server, self.seed, self.auth, self.mode = server, seed, auth, f"{auth} {profile}"
        self.world = World(server, random.Random(f"{seed} world"), auth)
        self.host, self.done, self.answered = server.host, 0, {}
        self.slowest, self.slowest_name = 0.0, None
        self.recent = collections.deque(maxlen=20)  # when the server is gone, one of these has ended it
        self.begin()

    def begin(self):
        """The world as it was. A policy that an attack has put may forbid that: then by another server."""
        try:
            self.world.build()
        except (AssertionError, TypeError, KeyError):
            if self.auth != "iam":
                raise
            self.server.restart()
            self.world.build()

    def draw(self, number):
        """The request of this number: bytes, ending and what may be expected, whatever was sent before."""
        dice = random.Random(f"{self.seed} {self.mode} {number}")
        request = self.world.draw(dice)
        framing = spoil_parts(dice, request)
        operation, late = request.operation, dice.random() < 0.8
        if request.signer and self.auth == "iam" and late:
            sign(request, self.world.credentials, self.host)
        elif request.signer:
            pretend(request)
        data, well = on_the_wire(dice, request, self.host)
        well = well and not framing
        if dice.random() < 0.08:
            data, operation = self._pipelined(dice, data, well), None
        if not well:
            operation = None
        ending = dice.choice(("half", "half", "half", "patient" if well else "half", "vanish"))
        return dice, Exchange(data, ending, well and ending == "patient", operation)

    def _pipelined(self, dice, data, well):
        others = []
        for _ in range(dice.choice((1, 3, 20))):
            request = self.world.draw(dice)
            if request.signer:
                pretend(request)
            others.append(on_the_wire(dice, request, self.host, spoil=False)[0])
        return data + b"".join(others) if well or dice.random() < 0.5 else b"".join(others) + data

    def attack(self, numbers):
        """Each of them, one after another; fails with the first that shows a fault, and how to send it again."""
        for number in numbers:
            if self.done and self.done % REBUILD == 0:
                self.begin()
            dice, exchange = self.draw(number)
            self.one(dice, exchange, f"--seed {self.seed} --request {number}")
            self.done += 1
            if self.done % 50 == 0:
                self.health(exchange, number)
        self.health(None, "the last")

    def sweep(self):
        """Every path of every door, with each of its characters by itself written as %XX."""
        dice = random.Random(f"{self.seed} sweep")
        for method, path in paths(self.world, dice):
            for at in range(1, min(len(path), 60)):
                data = f"{method} {encoded(path, at)} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: 0\r\n\r\n".encode()
                self.one(dice, Exchange(data, "half", True, None), f"{method} {encoded(path, at)}")
                self.done += 1
            self.begin()

    def one(self, dice, exchange, name):
        self.recent.append(f"{name}: {exchange.ending}, {exchange.data[:300]!r}")
        try:
            exchange.run(self.server.port, dice)
            exchange.judge()
        except (Fault, OSError) as fault:
            time.sleep(0.5)  # for a dying server's last words
            raise AssertionError(self.describe(exchange, name, fault)) from None
        if exchange.seconds > self.slowest:
            self.slowest, self.slowest_name = exchange.seconds, name
        for status, *_ in answers_of(exchange.received, exchange.data):
            self.answered[status] = self.answered.get(status, 0) + 1

    def health(self, exchange, number):
        try:
            client = Client(self.server.port, timeout=DEADLINE)
            answer = client.request("GET", "/_drydock/health")
            client.close()
            assert answer.status == 200, answer
            assert self.server.alive()
        except (OSError, AssertionError) as fault:
            raise AssertionError(self.describe(exchange, f"request {number}, or one of the 50 before", fault)) from None

    def describe(self, exchange, name, fault):
        process = self.server.process
        state = "the server lives" if self.server.alive() else f"the server ended with {process and process.returncode}"
        sent = f"{exchange.ending}, {len(exchange.data)} bytes: {exchange.data[:4000]!r}" if exchange else ""
        recent = "" if self.server.alive() else "\n".join(["the last ones:", *self.recent])
        return f"{name}, after {self.done} requests: {fault!r}; {state}\nsent ({sent})\n{recent}\n{self.server.log()[-6000:]}"

    def resident_bytes(self):
        return resident_bytes(self.server)


def resident_bytes(server):
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text())[1]) * 1024
