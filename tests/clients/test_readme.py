"""README.md says what works: its commands, run as printed, but for the port and what `.` and `~` are."""

import subprocess
import sys

import pytest
from application import Application
from engine import run
from readme import PRINTED_ADDRESS, blocks
from support.binary import python_tool


@pytest.fixture
def shell(engine, drydock, tmp_path):
    """Runs a block of README.md in bash, in the folder of an application; any failure in it fails."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "aws").symlink_to(python_tool("aws"))
    (tools / "docker").symlink_to(engine.client)
    (tools / "python3").symlink_to(sys.executable)
    application = Application(tmp_path / "application", [1000])
    (application.folder / "version").write_text("one")
    environment = engine.env | {"PATH": f"{tools}:{engine.env['PATH']}", "HOME": str(tmp_path)}

    def execute(block):
        script = "set -euo pipefail\n" + block.replace(PRINTED_ADDRESS, drydock.host)
        return run(["bash", "-c", script], environment, cwd=application.folder).stdout

    return execute


def test_the_ecr_workflow(shell, ecr):
    (workflow,) = blocks("The ECR workflow")
    said = shell(workflow)
    assert "Login Succeeded" in said
    detail = ecr.describe_images(repositoryName="team/app")["imageDetails"]
    assert [one["imageTags"] for one in detail] == [["v1"]]
    assert detail[0]["imageDigest"] in said


def test_from_python(drydock):
    (program,) = blocks("The ECR workflow", "python")
    said = subprocess.run(
        [sys.executable, "-c", program.replace(PRINTED_ADDRESS, drydock.host)], check=True, capture_output=True,
        text=True, timeout=60)
    assert said.stdout == f"{drydock.host}/team/app\n"


def test_thirty_days_later(shell):
    (command,) = blocks("Doors for tests")
    assert '"offset_seconds"' in shell(command)
