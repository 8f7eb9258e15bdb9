"""A BuildKit of the test's own: a daemon with an empty state, and buildctl, which builds with it."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from base64 import b64encode
from pathlib import Path

import pytest
from client import Client, find_client, login_password

START_SECONDS = 60
STOP_SECONDS = 30


class BuildKit:
    """`with BuildKit(folder) as buildkit: buildkit.build(...)`. Each has its own state below `folder`."""

    def __init__(self, folder):
        if os.geteuid() != 0:
            pytest.skip("buildkitd is run as root here")
        self.folder = folder
        folder.mkdir()
        self._daemon = Client("buildkitd", folder)
        # The path of a socket is at most 107 characters long.
        self._sockets = tempfile.TemporaryDirectory(prefix="drydock-")
        self._address = f"unix://{self._sockets.name}/socket"
        self.buildctl = Client("buildctl", folder, "--addr", self._address)
        self._process = None

    def __enter__(self):
        log = self.folder / "log"
        (self.folder / "buildkitd.toml").write_text("")  # none of this machine
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self._daemon.command, "--config", self.folder / "buildkitd.toml",
                 "--root", self.folder / "state", "--addr", self._address, "--containerd-worker=false",
                 "--oci-worker-binary", find_client("runc"), "--oci-worker-snapshotter=native", "--oci-worker-net=host"],
                env=self._daemon.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while self.buildctl("debug", "workers", check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(errors="replace")
                self.__exit__()
                raise AssertionError(f"buildkitd did not start:\n{text[-5000:]}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._sockets.cleanup()

    def login(self, server):
        """buildctl has no login of its own: it reads docker's."""
        login = b64encode(f"AWS:{login_password(server)}".encode()).decode()
        folder = Path(self.buildctl.env["DOCKER_CONFIG"])
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": login}}}))

    def build(self, context, *options, check=True):
        """Builds a folder with a Dockerfile; returns what it said."""
        result = self.buildctl(
            "build", "--progress=plain", "--frontend", "dockerfile.v0", "--local", f"context={context}", "--local",
            f"dockerfile={context}", *options, check=check)
        assert check or result.returncode != 0, result.stderr
        return result.stdout + result.stderr


def steps(said):
    """{COPY step of a build: is it from a cache}. Of one from a registry's cache the layer is fetched and unpacked, when
    a later step or the output wants it."""
    names = dict(re.findall(r"^#(\d+) (\[.*\] COPY .*)$", said, re.MULTILINE))
    cached = set(re.findall(r"^#(\d+) (?:CACHED|extracting sha256:.*)$", said, re.MULTILINE))
    return {name: number in cached for number, name in names.items()}
