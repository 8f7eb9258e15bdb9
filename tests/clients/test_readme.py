"""README.md says what works: its commands, run as printed, but for the port and what `.` and `~` are."""

import re
import subprocess
import sys

import pytest
from application import Application
from engine import run
from readme import PRINTED_ADDRESS, blocks, examples, files
from support.binary import SOURCE, clean_environment, find_binary, python_tool
from support.images import oci_image


@pytest.fixture
def shell_of(engine, tmp_path):
    """Of a server: runs a block of README.md in bash, in the folder of an application; any failure in it fails."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "aws").symlink_to(python_tool("aws"))
    (tools / "docker").symlink_to(engine.client)
    (tools / "python3").symlink_to(sys.executable)
    application = Application(tmp_path / "application", [1000])
    (application.folder / "version").write_text("one")
    environment = engine.env | {"PATH": f"{tools}:{engine.env['PATH']}", "HOME": str(tmp_path)}

    def make(server):
        def execute(block):
            script = "set -euo pipefail\n" + block.replace(PRINTED_ADDRESS, server.host)
            return run(["bash", "-c", script], environment, cwd=application.folder).stdout
        return execute

    return make


@pytest.fixture
def shell(drydock, shell_of):
    return shell_of(drydock)


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


def test_users_roles_and_policies(engine, make_server, shell_of):
    """The server is started with what the section's first block says."""
    serve, make, play = blocks("Users, roles and policies")
    verb = "drydock serve "
    assert serve.startswith(verb)
    shell = shell_of(make_server(*serve[len(verb):].replace("testdata/", f"{SOURCE}/testdata/").split()))
    said = shell(make)
    assert '"registryId": "503561414328"' in said and "Login Succeeded" in said and "digest: sha256:" in said
    engine.forget_images()
    said = shell(play)
    assert '"arn:aws:sts::503561414328:assumed-role/app-instance/try-it"' in said
    assert "Downloaded newer image" in said and said.endswith("refused, as on AWS\n")


def test_thirty_days_later(shell):
    (command,) = blocks("Doors for tests")
    assert '"offset_seconds"' in shell(command)


def test_lifecycle_examples(drydock, tmp_path):
    """What the examples print is what README.md says, and nothing else."""
    section = "Lifecycle policies"
    drydock.ecr().create_repository(repositoryName="team/app")
    drydock.registry().push_image("team/app", oci_image(), "v1")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "aws").symlink_to(python_tool("aws"))
    (tools / "drydock").symlink_to(find_binary())
    for name, text in files(section).items():
        (tmp_path / name).write_text(text)
    environment = clean_environment(
        PATH=f"{tools}:/usr/bin:/bin", HOME=str(tmp_path), AWS_ENDPOINT_URL=drydock.url, AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    found = examples(section)
    assert len(found) >= 6
    for command, output in found:
        said = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        assert said.stdout == output, command
        assert said.returncode == (1 if output.startswith("drydock ") else 0), command
    assert '"KEPT"' in (tmp_path / "decisions.json").read_text()


ROWS = {
    "buildkitd": "BuildKit", "buildctl": "BuildKit", "docker-credential-ecr-login": "amazon-ecr-credential-helper"}


def test_the_versions_of_the_clients():
    """Those that are compiled are the ones that README names."""
    rows = dict(re.findall(r"^\| ([\w(`), -]+) \| ([\d., ]+) \|", (SOURCE / "README.md").read_text(), re.MULTILINE))
    listed = [line.split() for line in (SOURCE / "tests/clients/go/tools.list").read_text().splitlines()
              if line and not line.startswith("#")]
    assert len(listed) >= 8
    for name, _, version, *_ in listed:
        assert rows[ROWS.get(name, name)] == version.removeprefix("v"), name
