"""A machine within this one: a network of its own that is nothing but a loopback, and an /etc of its own.

What a test does there to the hosts file, to folders of trusted certificates and to port 443 is seen by nobody else, needs
no undoing, and reaches nothing outside: a name of AWS's that is not in its hosts file leads nowhere.
"""

import os
import shutil
import subprocess
import sys

import pytest
from engine import run

# Besides 127.0.0.1: docker takes what that one serves without looking at its certificate.
ADDRESS = "10.9.8.7"

# Runs in the new namespaces, and stays for as long as somebody holds its standard input.
HOLDER = """
import fcntl, socket, struct, subprocess, sys
with socket.socket() as any:
    fcntl.ioctl(any, 0x8914, struct.pack("16sh14x", b"lo", 0x49))  # SIOCSIFFLAGS: up, loopback, running
    address = struct.pack("H2x4s8x", socket.AF_INET, socket.inet_aton(sys.argv[3]))
    fcntl.ioctl(any, 0x8916, struct.pack("16s16s", b"lo:1", address))  # SIOCSIFADDR
etc, certificates = sys.argv[1:3]
subprocess.run(["cp", "-a", "/etc/.", etc], check=True)
subprocess.run(["mount", "--bind", etc, "/etc"], check=True)
subprocess.run(["mount", "--bind", certificates, "/usr/local/share/ca-certificates"], check=True)
print("ready", flush=True)
sys.stdin.read()
"""


class Machine:
    """start(), run([...]) any number of times, stop(). `enter` is what stands before a command to have it run there."""

    def __init__(self, folder):
        self.folder, self.enter = folder, []

    def start(self):
        if os.geteuid() != 0:
            pytest.skip("a machine within this one needs root")
        for name in ("etc", "certificates"):
            (self.folder / name).mkdir(parents=True)
        os.makedirs("/usr/local/share/ca-certificates", exist_ok=True)
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--propagation", "private", sys.executable,
             "-c", HOLDER, self.folder / "etc", self.folder / "certificates", ADDRESS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout.readline() == "ready\n", "there are no namespaces to be had here"
        # The working folder would get lost on the way.
        enter = f'exec nsenter --target={self._holder.pid} --mount --net --wdns="$PWD" "$@"'
        self.enter = ["sh", "-c", enter, "sh"]
        return self

    def stop(self):
        self._holder.stdin.close()
        self._holder.wait(10)
        shutil.rmtree(self.folder)

    def run(self, command, env, check=True, **settings):
        """As engine.run()."""
        return run([*self.enter, *map(str, command)], env, check, **settings)

    def popen(self, command, **settings):
        """A process that is stopped by its pid, and goes when the tests do."""
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self.enter, *map(str, command)], stdin=subprocess.DEVNULL, **settings)
