"""A containerd of our own: private socket, data and settings, and nothing left of it afterwards."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from client import Client, find_client
from support.binary import clean_environment

START_SECONDS = 30
# What is not needed to pull and push, and wants kernel modules or a network.
CONFIG = """version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{0}/socket"
[ttrpc]
  address = "{0}/ttrpc"
"""


@contextlib.contextmanager
def containerd_of_our_own(enter=()):
    """Its folder. `enter` is a Machine's."""
    if os.geteuid() != 0:
        pytest.skip("containerd needs root")
    program = find_client("containerd")
    folder = Path(tempfile.mkdtemp(prefix="drydock-containerd-"))  # the path of a socket is at most 107 characters long
    (folder / "config.toml").write_text(CONFIG.format(folder))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *enter, program, "--config", folder / "config.toml"],
            env=clean_environment(TMPDIR=str(folder)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        ctr = Client("ctr", folder, "--address", folder / "socket", enter=enter)
        deadline = time.monotonic() + START_SECONDS
        while ctr("version", check=False).returncode != 0:
            said = (folder / "log").read_text()
            assert process.poll() is None and time.monotonic() < deadline, f"containerd did not start:\n{said[-5000:]}"
            time.sleep(0.1)
        yield folder
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        shutil.rmtree(folder)
