"""A docker engine of our own: private socket, data and settings, and nothing left of it afterwards."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from support.binary import clean_environment, python_tool

START_SECONDS = 60
STOP_SECONDS = 60


def find_docker():
    """(dockerd, docker): the client that came with the engine, should the machine have another one besides."""
    dockerd = shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    beside = "/usr/bin/docker"
    docker = beside if os.access(beside, os.X_OK) else shutil.which("docker")
    if not dockerd or not docker:
        raise FileNotFoundError("there is no docker engine here: tests/setup/install.sh clients")
    if os.geteuid() != 0:
        raise PermissionError("a docker engine needs root")
    return dockerd, docker


class Engine:
    """start(), then docker(...) any number of times, then stop(). `enter` is a Machine's."""

    def __init__(self, enter=()):
        self._dockerd, self.client = find_docker()
        self._enter = enter
        # Not below pytest's folder: the path of a socket is at most 107 characters long.
        self.folder = Path(tempfile.mkdtemp(prefix="drydock-engine-"))
        self._process = None
        self.env = clean_environment(
            DOCKER_HOST=f"unix://{self.folder}/socket", DOCKER_CONFIG=str(self.folder / "config"), DOCKER_BUILDKIT="0",
            TMPDIR=str(self.folder))

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self):
        log = self.folder / "log"
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self._enter, self._dockerd, f"--storage-driver={self._storage_driver()}",
                 "--iptables=false", "--bridge=none", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
                 "--pidfile", self.folder / "pid", "-H", f"unix://{self.folder}/socket"],
                env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while self.docker("version", check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(errors="replace")
                self.stop()
                raise AssertionError(f"dockerd did not start:\n{text[-5000:]}")
            time.sleep(0.1)
        return self

    def _storage_driver(self):
        """overlay2 where this file system can carry it; else vfs, which copies every layer, but works everywhere."""
        folders = [self.folder / f"probe/{name}" for name in ("lower", "upper", "work", "merged")]
        for folder in folders:
            folder.mkdir(parents=True)
        lower, upper, work, merged = folders
        try:
            options = f"lowerdir={lower},upperdir={upper},workdir={work}"
            if run(["mount", "-t", "overlay", "-o", options, "overlay", str(merged)], self.env, check=False).returncode:
                return "vfs"
            run(["umount", str(merged)], self.env)
            return "overlay2"
        finally:
            shutil.rmtree(self.folder / "probe")

    def stop(self):
        """Ends the engine and everything it started, whatever state they are in, and removes its folder."""
        if self._process:
            if self._process.poll() is None:
                self.clear(check=False)
                self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._kill_descendants()
        self._unmount()
        shutil.rmtree(self.folder)

    def _kill_descendants(self):
        """containerd and its shims outlive an engine that had to be killed; our folder is in their command lines."""
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(self.folder) in command:
                os.kill(int(entry.name), signal.SIGKILL)

    def _unmount(self):
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for mount in reversed(mounts):
            if mount.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", mount], check=False)

    def clear(self, check=True):
        """Removes every container, image, volume and login."""
        containers = self.docker("ps", "-aq", check=check).stdout.split()
        if containers:
            self.docker("rm", "-f", "-v", *containers, check=check)
        self.docker("system", "prune", "--all", "--force", "--volumes", check=check)
        shutil.rmtree(self.folder / "config", ignore_errors=True)

    # -- use --------------------------------------------------------------------------------------------------------

    def docker(self, *arguments, check=True, **settings):
        """Runs the docker command; with check=True it must succeed. Standard output and error are text."""
        return run([*self._enter, self.client, *map(str, arguments)], self.env, check, **settings)

    def refused(self, *arguments):
        """Runs a docker command that must fail, and returns what it says on its standard error."""
        result = self.docker(*arguments, check=False)
        assert result.returncode != 0, f"docker {' '.join(arguments)} succeeded:\n{result.stdout}"
        return result.stderr

    def login(self, server, **keys):
        """The documented way to log in, as one shell pipeline of the AWS command line and docker; keys: AWS_... of who
        logs in."""
        pipeline = (
            f"set -o pipefail; {python_tool('aws')} ecr get-login-password --endpoint-url {server.url} |"
            f" {self.client} login --username AWS --password-stdin {server.host}")
        result = run(["bash", "-c", pipeline], self.env | keys)
        assert "Login Succeeded" in result.stdout

    def push(self, reference):
        """Pushes and returns (digest, what docker printed)."""
        output = self.docker("push", reference).stdout
        return re.search(r"digest: (sha256:[0-9a-f]{64}) ", output)[1], output

    def run(self, reference):
        """What the program in the image prints."""
        return self.docker("run", "--rm", "--network", "none", reference).stdout

    def forget_images(self):
        """Deletes all local images; what is run afterwards has been pulled."""
        self.docker("image", "prune", "--all", "--force")
        assert self.docker("images", "--quiet", "--all").stdout == ""


def run(command, env, check=True, **settings):
    result = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace", **settings)
    if check:
        assert result.returncode == 0, f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}{result.stderr}"
    return result
