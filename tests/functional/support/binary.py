"""Which program is tested, and the environment that it and the clients run in."""

import os
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3]

# Tests talk to this machine only, with made-up keys, whatever the user's own settings are.
_NOT_INHERITED = ("_proxy", "_PROXY")
_NOT_INHERITED_PREFIXES = ("AWS_", "DRYDOCK_", "DOCKER_", "REGISTRY_")
_AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_PAGER": "",
}
# A report of a sanitizer ends the program and leaves a stack trace on its standard error output.
_SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}


def find_binary():
    """The program named by DRYDOCK_BIN, else the development build, else the release build."""
    named = os.environ.get("DRYDOCK_BIN")
    candidates = [Path(named)] if named else [SOURCE / "build/dev/drydock", SOURCE / "build/drydock"]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate.resolve()
    raise FileNotFoundError(
        f"there is no program at {' or '.join(map(str, candidates))}: run `make build`, or set DRYDOCK_BIN")


def clean_environment(**more):
    """The environment of every program a test starts: nothing of the user's that could lead it elsewhere."""
    kept = {
        name: value for name, value in os.environ.items()
        if not name.endswith(_NOT_INHERITED) and not name.startswith(_NOT_INHERITED_PREFIXES)
    }
    return kept | _AWS | _SANITIZERS | {"LC_ALL": "C.UTF-8"} | more


def python_tool(name):
    """A command that came with the tests' requirements, such as `aws`."""
    return str(Path(sys.executable).parent / name)
