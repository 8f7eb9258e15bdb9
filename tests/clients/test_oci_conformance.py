"""The official OCI conformance suite (opencontainers/distribution-spec, pinned in conformance/go.mod), against --profile oci.

With OCI_VERSION=dev: release 1.1 and what the specification's main branch has added since. Its data for sparse manifests
is left off, as it is by default: an image without its layers is refused here.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from client import find_client
from support.binary import clean_environment

pytestmark = pytest.mark.sanitizers

SUITE = "github.com/opencontainers/distribution-spec/conformance"
TESTS_MIN = 900  # it made 986 tests when it was pinned: should it make few, it did not run


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    go = find_client("go")
    program = tmp_path_factory.mktemp("conformance") / "conformance"
    built = subprocess.run(
        [go, "build", "-mod=readonly", "-o", str(program), SUITE], cwd=Path(__file__).parent / "conformance",
        capture_output=True, text=True, timeout=280, env=os.environ | {"GOWORK": "off"}, check=False)
    assert built.returncode == 0, built.stderr
    return program


def run_suite(suite, server, folder, **settings):
    """(exit code, how many tests of each outcome, what it printed)."""
    environment = clean_environment(
        OCI_VERSION="dev", OCI_REGISTRY=server.host, OCI_TLS="disabled", OCI_RESULTS_DIR=str(folder), **settings)
    ended = subprocess.run(
        [str(suite)], cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False)
    said = ended.stdout + ended.stderr
    counts = {name.lower(): int(count) for name, count in re.findall(r"^  (\w+)\.*: +(\d+)$", said, re.MULTILINE)}
    return ended.returncode, counts, said


def test_profile_oci_conforms(suite, make_server, tmp_path):
    server = make_server("--profile", "oci", "--auth", "open")
    code, counts, said = run_suite(suite, server, tmp_path)
    report = said[said.find("Test results"):][-20000:]
    assert code == 0, report
    assert (counts["fail"], counts["error"], counts["skip"], counts["disabled"]) == (0, 0, 0, 0), report
    assert counts["pass"] == counts["total"] >= TESTS_MIN, report


def test_profile_oci_conforms_with_a_login(suite, make_server, tmp_path):
    server = make_server("--profile", "oci")
    user, password = server.token()
    code, counts, said = run_suite(suite, server, tmp_path, OCI_USERNAME=user, OCI_PASSWORD=password)
    assert code == 0, said[-20000:]
    assert (counts["fail"], counts["error"], counts["skip"]) == (0, 0, 0)


def test_the_suite_can_fail(suite, make_server, tmp_path):
    """Profile ecr is not what the specification asks for, and the suite says so."""
    server = make_server("--auth", "open")
    code, counts, _ = run_suite(suite, server, tmp_path)
    assert code != 0 and counts["fail"] > 0
