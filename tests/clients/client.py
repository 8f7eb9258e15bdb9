"""A client that a scenario drives: found, run in a folder of its own, and logged in as ECR's users log in."""

import os
import shutil

import pytest
from engine import run
from support.binary import SOURCE, clean_environment, python_tool

COMPILED = SOURCE / "build/clients/bin"


def find_client(name):
    """The program: the one that tests/setup/go_clients.sh compiled, else what the distribution has. A test whose client
    is not here is skipped."""
    path = shutil.which(name, path=f"{COMPILED}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not path:
        pytest.skip(f"there is no {name} here: make test-clients installs it")
    return path


def login_password(server):
    """What `aws ecr get-login-password` prints."""
    command = [python_tool("aws"), "ecr", "get-login-password", "--endpoint-url", server.url]
    return run(command, clean_environment()).stdout.strip()


class Client:
    """run("copy", ...) any number of times. `options` stand before the arguments of each call.

    `folder` is its home; nothing outside of it is read or written. `enter` is a Machine's.
    """

    def __init__(self, name, folder, *options, enter=(), **environment):
        self.name, self.folder = name, folder
        self.command = [*enter, find_client(name), *map(str, options)]
        self.env = clean_environment(**({
            "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"), "XDG_RUNTIME_DIR": str(folder),
            "DOCKER_CONFIG": str(folder / "docker"), "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
            "TMPDIR": str(folder)} | environment))

    def __call__(self, *arguments, check=True, **settings):
        """Runs it; with check=True it must succeed. Standard output and error are text."""
        settings = {"cwd": self.folder, "timeout": 120} | settings
        return run([*self.command, *map(str, arguments)], self.env, check, **settings)

    def refused(self, *arguments, **settings):
        """Runs what must fail, and returns what it says."""
        result = self(*arguments, check=False, **settings)
        assert result.returncode != 0, f"{self.name} {' '.join(map(str, arguments))} succeeded:\n{result.stdout}"
        return result.stdout + result.stderr

    def login(self, server, *arguments):
        """`... login --username AWS --password-stdin host`, with the arguments that the client has for it."""
        words = arguments or ("login",)
        return self(*words, "--username", "AWS", "--password-stdin", server.host, input=login_password(server))
