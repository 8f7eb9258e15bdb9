"""A running Drydock: started on a free port, stopped with SIGTERM or killed, looked at from outside."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import requests

from . import aws
from .binary import clean_environment, find_binary
from .registry import Registry
from .wire import Wire

READY = re.compile(r"^drydock ready on (http://127\.0\.0\.1:(\d+))$")
DOORS_TOKEN = "the-token-of-the-tests"  # for servers with --doors-token: --auth iam asks for one
# What a log must not have: a sanitizer's report; a turn of an event loop that kept all others waiting (debug builds say it).
REPORTS = (
    "ERROR: AddressSanitizer", "LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:", "busy loop: a turn took")
START_SECONDS = 30
STOP_SECONDS = 30


class Server:
    """One `drydock serve` process.

    `options` are added to its command line as they are. Without `data` it is started with --ephemeral; with a folder
    it keeps its data there, and restart() finds them again. `folder` receives what it writes to its standard error.
    """

    ready, trust = READY, None  # its readiness line; the certificate that its clients trust

    def __init__(self, *options, folder, data=None, env=None):
        self.options = list(options)
        self.data = Path(data) if data else None
        # TMPDIR: what an ephemeral server that is killed could not remove goes with `folder`.
        self.env = clean_environment(**({"TMPDIR": str(folder)} | (env or {})))
        self.process = None
        self.port = 0
        self._held = None
        self.url = None
        self.output = []
        self._judged = 0  # characters of the log
        self._log_path = Path(folder) / f"drydock-{id(self):x}.log"
        self._anonymous = requests.Session()
        self._anonymous.trust_env = False
        self._anonymous.headers["X-Drydock-Token"] = DOORS_TOKEN

    # -- life -----------------------------------------------------------------------------------------------------

    def command(self):
        where = ["--data", str(self.data)] if self.data else ["--ephemeral"]
        return [str(find_binary()), "serve", *self.listening(), *where, *self.options]

    def listening(self):
        return ["--listen", f"127.0.0.1:{self.port}"]

    def start(self):
        """Starts it and waits for its readiness line. After a stop it comes back on the port it had."""
        ready = threading.Event()
        self.output, self.url = [], None
        with open(self._log_path, "ab") as log:
            # setpriv: should the tests themselves be killed, the server does not stay behind.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.command()], env=self.env, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True)
        reader = threading.Thread(target=self._read_output, args=(self.process, ready), daemon=True)
        reader.start()
        if not ready.wait(START_SECONDS) or self.url is None:
            self.kill()
            raise AssertionError(
                f"{' '.join(self.command())} did not become ready; it said:\n{''.join(self.output)}{self.log()}")
        return self

    def _read_output(self, process, ready):
        with process.stdout:
            for line in process.stdout:
                self.output.append(line)
                match = self.ready.match(line.rstrip("\n"))
                if match and not ready.is_set():
                    self.url, self.port = match[1], int(match[2])
                    ready.set()
        ready.set()

    def stop(self):
        """SIGTERM; fails unless it ends by itself, with exit code 0 and no report of a sanitizer or a busy loop."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_SECONDS)
            self._hold_port()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"drydock did not stop within {STOP_SECONDS} s of SIGTERM\n{self.log()}") from None
        self.check_reports()
        assert code == 0, f"drydock ended with {code} after SIGTERM\n{self.log()}"

    def wait_for_exit(self, seconds=STOP_SECONDS):
        """Waits until it ends by itself, where a test expects that; returns its exit code."""
        process, self.process = self.process, None
        code = process.wait(seconds)
        self._hold_port()
        return code

    def kill(self):
        """SIGKILL: what a power cut or an out-of-memory killer does to a process."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
            self._hold_port()

    def _hold_port(self):
        """Its port stays its own while it is stopped, whatever other tests start meanwhile: a socket that is bound and does
        not listen is passed over when the kernel chooses a port, and does not hinder the server, as both allow reuse."""
        if self.port and not self._held:
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # should somebody have it already, the next start says so
                self._held.bind(("127.0.0.1", self.port))

    def restart(self, kill=False):
        """Stops (or kills) it and starts it again on the same port, with the same data folder."""
        if kill:
            self.kill()
        else:
            self.stop()
        return self.start()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def check(self):
        """Fails when it has ended by itself, a sanitizer has complained or a loop was busy for too long."""
        self.check_reports()
        assert self.alive(), f"drydock ended with {self.process and self.process.returncode}\n{self.log()}"

    def check_reports(self):
        log = self.log(limit=None)
        log, self._judged = log[self._judged:], len(log)  # what one test did is not the next one's failure
        for report in REPORTS:
            at = log.find(report)
            assert at < 0, f"drydock's log has {report!r}\n{log[max(0, at - 1000):at + 20000]}"

    # -- from outside -----------------------------------------------------------------------------------------------

    @property
    def pid(self):
        return self.process.pid

    @property
    def host(self):
        """host:port, as it stands in image references and repository URIs."""
        return f"127.0.0.1:{self.port}"

    def log(self, limit=20000):
        """What it has written to its standard error (the last `limit` characters), all starts together."""
        if not self._log_path.exists():
            return ""
        text = self._log_path.read_text(errors="replace")
        return text if limit is None else text[-limit:]

    def wait_for_log(self, text, seconds=10):
        """Waits until its log or standard output contains `text`."""
        deadline = time.monotonic() + seconds
        while text not in self.log(limit=None) + "".join(self.output):
            assert time.monotonic() < deadline, f"no {text!r} in the log:\n{self.log()}"
            time.sleep(0.02)

    def peak_memory_bytes(self):
        """The largest resident size it has had since it was started (VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def cpu_seconds(self):
        """Processor time it has used, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # -- its own interface --------------------------------------------------------------------------------------------

    def admin(self, method, path, body=None):
        """A request to /_drydock/...; fails unless it succeeds, and returns what the JSON answer holds."""
        data = None if body is None else json.dumps(body)
        response = self._anonymous.request(
            method, f"{self.url}/_drydock/{path}", data=data, timeout=30, verify=self.trust)
        assert response.ok, f"{method} /_drydock/{path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def metric(self, name):
        """A counter of /metrics, as it stands now."""
        text = self._anonymous.get(f"{self.url}/metrics", timeout=30, verify=self.trust).text
        return int(re.search(rf"^{name} (\d+)$", text, re.MULTILINE)[1])

    def begun(self, what):
        """How many "collections" or "lifecycle_runs" its clock has begun. What a move of the clock made due is among them
        as soon as that was answered, so that nothing need be waited for to see that nothing was begun."""
        return self.metric(f"drydock_{what}_begun_total")

    def reset(self):
        """Empties it and sets its clock right."""
        self.admin("POST", "reset")
        self.admin("POST", "clock", {"reset": True})

    def advance(self, seconds):
        """Moves its clock forward."""
        return self.admin("POST", "clock", {"advance_seconds": seconds})

    def set_clock(self, when):
        """Sets its clock, e.g. to "2026-01-01T00:00:00Z"."""
        return self.admin("POST", "clock", {"set": when})

    # -- clients of it --------------------------------------------------------------------------------------------------

    def ecr(self, **settings):
        """A boto3 client of its ECR API; the settings are those of aws.client()."""
        return aws.client("ecr", self.url, verify=self.trust, **settings)

    def sts(self, **settings):
        return aws.client("sts", self.url, verify=self.trust, **settings)

    def token(self, **settings):
        """(user, password) out of GetAuthorizationToken."""
        return aws.registry_login(self.ecr(**settings))

    def registry(self, login="token"):
        """A registry client: logged in, or with login=(user, password), or with login=None anonymous."""
        return Registry(self.url, self.token() if login == "token" else login, verify=self.trust)

    def connect(self, timeout=30):
        """A plain HTTP/1.1 connection for tests of the wire."""
        return Wire("127.0.0.1", self.port, timeout)
