"""ECR's real names, on port 443, over TLS that is verified: clients as they are used with AWS, told of no endpoint.

Each runs on a Machine, where the hosts file has the lines of `drydock hosts` and the certificate of `drydock ca` is where that
command says that the client keeps it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from application import Application
from client import COMPILED, Client, find_client
from containerd_daemon import containerd_of_our_own
from engine import Engine, run
from layouts import layout_digests, unpackable_image, write_layout
from machine import ADDRESS, Machine
from readme import blocks
from support.binary import clean_environment, find_binary, python_tool
from test_docker_workflow import commit_hash

ACCOUNT, REGION = "503561414328", "us-east-1"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
NAME = "smart-budget-planner"
URI = f"{REGISTRY}/{NAME}"
ELSEWHERE = REGISTRY.replace(ACCOUNT, "111122223333")  # at the machine's other address


class Site:
    """A Machine with a Drydock on its port 443, which its clients trust; set up by README's commands."""

    def __init__(self, folder):
        self.folder = folder
        tools = folder / "bin"
        tools.mkdir()
        (tools / "drydock").symlink_to(find_binary())
        (tools / "aws").symlink_to(python_tool("aws"))
        (tools / "python3").symlink_to(sys.executable)
        self.env = clean_environment(HOME=str(folder), TMPDIR=str(folder), XDG_DATA_HOME=str(folder / "share"))
        self.env["PATH"] = f"{tools}:{COMPILED}:{self.env['PATH']}:/usr/sbin:/sbin"
        self.machine = Machine(folder / "machine").start()
        self.serve, self.setup, self.script = blocks("Use your AWS scripts unchanged")
        self.server = None

    def start(self):
        self.server = self.machine.popen(
            ["bash", "-c", "exec " + self.serve], env=self.env, stdout=subprocess.PIPE,
            stderr=open(self.folder / "log", "wb"), text=True)
        lines = [self.server.stdout.readline(), self.server.stdout.readline()]
        assert lines[1] == "drydock ready on https://127.0.0.1:443\n", (lines, (self.folder / "log").read_text())
        self.shell(self.setup)
        # Before anybody looks: programs in Go read the hosts file again only after some seconds.
        self.shell(f"echo {ADDRESS} {ELSEWHERE} >> /etc/hosts")
        # From here on for the clients that are told of it in the environment.
        self.env |= {"AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}

    def stop(self):
        try:
            if self.server:
                self.server.terminate()
                assert self.server.wait(30) == 0
        finally:
            self.machine.stop()

    def shell(self, script, **settings):
        """What a script says that is run there; it must succeed."""
        settings.setdefault("env", self.env)
        return self.machine.run(["bash", "-c", "set -euo pipefail\n" + script], cwd=settings.pop("cwd", self.folder), **settings).stdout

    def aws(self, *words):
        return json.loads(self.machine.run(["aws", *words, "--output", "json"], self.env).stdout or "null")

    def tags(self):
        """{digest: tags} of the repository."""
        details = self.aws("ecr", "describe-images", "--repository-name", NAME)["imageDetails"]
        return {detail["imageDigest"]: set(detail.get("imageTags", [])) for detail in details}

    def client(self, name, folder, *options, **environment):
        return Client(name, folder, *options, enter=self.machine.enter, **environment)

    def password(self):
        return self.machine.run(["aws", "ecr", "get-login-password"], self.env).stdout.strip()


@pytest.fixture(scope="module")
def site():
    folder = Path(tempfile.mkdtemp(prefix="drydock-site-"))
    site = Site(folder)
    try:
        site.start()
        yield site
        print((folder / "log").read_text()[-5000:])
    finally:
        site.stop()
        shutil.rmtree(folder)


@pytest.fixture
def repository(site):
    """Empty."""
    site.machine.run(["aws", "ecr", "delete-repository", "--force", "--repository-name", NAME], site.env, check=False)
    site.aws("ecr", "create-repository", "--repository-name", NAME)


@pytest.fixture(scope="module")
def site_engine(site):
    """A docker engine on the site, logged in as nobody."""
    engine = Engine(site.machine.enter)
    try:
        engine.env |= {"PATH": site.env["PATH"], "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}
        yield engine.start()
    finally:
        engine.stop()


@pytest.fixture
def engine(site_engine):
    site_engine.clear()
    yield site_engine
    site_engine.clear()


def login(site, engine):
    said = engine.docker("login", "--username", "AWS", "--password-stdin", REGISTRY, input=site.password())
    assert "Login Succeeded" in said.stdout


# -- the AWS tools ----------------------------------------------------------------------------------------------------

def test_nothing_leads_out_of_here(site):
    """What the other tests reach is Drydock: a name that has no line in the hosts file is nowhere."""
    done = site.machine.run(
        ["aws", "ecr", "describe-repositories", "--region", "eu-west-3", "--cli-connect-timeout", "3"],
        site.env | {"AWS_MAX_ATTEMPTS": "1"}, check=False)
    assert done.returncode != 0 and "Could not connect to the endpoint" in done.stderr


def test_aws_cli(site, repository):
    assert site.aws("sts", "get-caller-identity")["Account"] == ACCOUNT
    found = site.aws("ecr", "describe-repositories", "--repository-names", NAME)["repositories"]
    assert [one["repositoryUri"] for one in found] == [URI]
    data = site.aws("ecr", "get-authorization-token")["authorizationData"]
    assert [one["proxyEndpoint"] for one in data] == [f"https://{REGISTRY}"]


BOTO3 = f"""
import base64, boto3, requests
ecr = boto3.client("ecr")
assert boto3.client("sts").get_caller_identity()["Account"] == "{ACCOUNT}"
assert ecr.describe_repositories()["repositories"][0]["repositoryUri"] == "{URI}"
login = base64.b64decode(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]).decode()
answer = requests.get("https://{REGISTRY}/v2/", auth=tuple(login.split(":")), verify="/etc/ssl/certs/ca-certificates.crt")
print(answer.status_code)
"""


def test_boto3(site, repository):
    assert site.machine.run(["python3", "-c", BOTO3], site.env).stdout == "200\n"


# What each runtime is told, by `drydock ca`, and how it then asks.
RUNTIMES = {
    "curl": "curl --fail --silent --show-error https://{host}/_drydock/health",
    "Python": "SSL_CERT_FILE={ca} python3 -c 'import urllib.request as r;"
              " print(r.urlopen(\"https://{host}/_drydock/health\").read().decode())'",
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("host", [REGISTRY, "api.ecr.us-east-1.amazonaws.com", "localhost", "127.0.0.1"])
def test_runtimes(site, runtime, host):
    command = RUNTIMES[runtime].format(host=host, ca=site.folder / "share/drydock/ca/ca.pem")
    assert '"status":"ok"' in site.shell(command)


# -- docker -----------------------------------------------------------------------------------------------------------

def test_readme(site, engine, tmp_path):
    """README's page, as printed: its first two blocks have made the site."""
    application = Application(tmp_path / "application", [1000])
    (application.folder / "version").write_text("one")
    environment = engine.env | {"PATH": site.env["PATH"], "HOME": str(tmp_path)}
    site.machine.run(["aws", "ecr", "delete-repository", "--force", "--repository-name", NAME], site.env, check=False)
    script = site.script.replace("docker ", f"{engine.client} ")  # the one that came with the engine
    said = site.shell(script, env=environment, cwd=application.folder)
    assert "Login Succeeded" in said
    ((digest, tags),) = site.tags().items()
    assert tags == {"latest"} and said.count(digest) >= 3  # pushed, pulled, described


def deliver(site, engine, application, version):
    """Builds a version and pushes it under its commit and as latest; (commit, digest, what it prints)."""
    commit = commit_hash()
    expected = application.build(engine, version, f"{URI}:{commit}")
    engine.docker("tag", f"{URI}:{commit}", f"{URI}:latest")
    digest, _ = engine.push(f"{URI}:{commit}")
    assert engine.push(f"{URI}:latest")[0] == digest
    return commit, digest, expected


COMPOSE = f"""
services:
  planner:
    image: {URI}:${{HASH:-latest}}
    network_mode: none
"""


def compose_run(site, engine, folder, commit):
    """What the service prints, of an image that was not here before."""
    engine.forget_images()
    environment = engine.env | {"HASH": commit}
    for words in (["pull"], ["run", "--rm", "planner"]):
        done = run([*site.machine.enter, shutil.which("docker-compose"), *words], environment, cwd=folder)
    return done.stdout


def test_docker_and_compose(site, engine, repository, tmp_path):
    """Two deliveries, each run by docker-compose from the literal name; then the rollback to the first one's hash."""
    find_client("docker-compose")
    login(site, engine)
    application = Application(tmp_path / "application", [300_000, 40_000])
    first, first_digest, first_prints = deliver(site, engine, application, "one")
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    assert compose_run(site, engine, tmp_path, "latest") == first_prints
    second, second_digest, second_prints = deliver(site, engine, application, "two")
    assert site.tags() == {first_digest: {first}, second_digest: {second, "latest"}}
    assert compose_run(site, engine, tmp_path, "latest") == second_prints
    assert compose_run(site, engine, tmp_path, first) == first_prints
    assert engine.docker("pull", f"{URI}@{first_digest}").returncode == 0


def test_credential_helper(site, engine, repository, tmp_path):
    """Nobody logs in: docker asks the helper, which asks ECR."""
    find_client("docker-credential-ecr-login")
    Path(engine.env["DOCKER_CONFIG"]).mkdir()
    (Path(engine.env["DOCKER_CONFIG"]) / "config.json").write_text(json.dumps({"credHelpers": {REGISTRY: "ecr-login"}}))
    environment = {"HOME": str(tmp_path)}
    engine.env |= environment
    application = Application(tmp_path / "application", [1000])
    expected = application.build(engine, "one", f"{URI}:v1")
    digest, _ = engine.push(f"{URI}:v1")
    engine.forget_images()
    engine.docker("pull", f"{URI}:v1")
    assert engine.run(f"{URI}:v1") == expected
    assert site.tags() == {digest: {"v1"}}


def test_docker_verifies(site, engine):
    """What is on 127.0.0.1 docker trusts in any case; here is a server at another address, and at first no certificate in
    the folder for its name."""
    site.shell("mv /etc/ssl/certs /etc/ssl/kept && mkdir /etc/ssl/certs")
    server = site.machine.popen(
        ["drydock", "serve", "--ephemeral", "--listen", "none", "--tls-listen", f"{ADDRESS}:443"], env=site.env,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout.readline() == f"drydock ready on https://{ADDRESS}:443\n"
        login = ("login", "--username", "AWS", "--password", "x", ELSEWHERE)
        assert "x509: certificate signed by unknown authority" in engine.refused(*login)
        site.shell(f"mkdir -p /etc/docker/certs.d/{ELSEWHERE} && drydock ca --pem > /etc/docker/certs.d/{ELSEWHERE}/ca.crt")
        assert f"https://{ELSEWHERE}/v2/ failed with status: 401" in engine.refused(*login)
    finally:
        site.shell("rmdir /etc/ssl/certs; mv /etc/ssl/kept /etc/ssl/certs")
        server.terminate()
        assert server.wait(30) == 0


# -- the others -------------------------------------------------------------------------------------------------------

@pytest.fixture
def trusted(site):
    """Puts the certificate into a client's own folder for the registry, and takes it out of the system's and docker's, where
    these clients look too."""
    site.shell("rm -f /usr/local/share/ca-certificates/drydock.crt && update-ca-certificates --fresh")
    site.shell("mv /etc/docker/certs.d /etc/docker/kept")

    def trust(folder):
        site.shell(f"mkdir -p {folder}/{REGISTRY} && drydock ca --pem > {folder}/{REGISTRY}/ca.crt")

    yield trust
    site.shell("rm -rf /etc/containers/certs.d /etc/containerd/certs.d")
    site.shell("mv /etc/docker/kept /etc/docker/certs.d")
    site.shell("drydock ca --pem > /usr/local/share/ca-certificates/drydock.crt && update-ca-certificates")


@pytest.fixture
def aside():
    """A folder with a short path, as podman wants one."""
    folder = Path(tempfile.mkdtemp(prefix="drydock-"))
    yield folder
    shutil.rmtree(folder)


def bundle_of(site):
    """The AWS tools are told of the certificate by itself, while the system has it not."""
    return site.env | {"AWS_CA_BUNDLE": str(site.folder / "share/drydock/ca/ca.pem")}


def test_skopeo(site, repository, trusted, aside):
    site.env = bundle_of(site)
    image, password = unpackable_image(), site.password()
    skopeo = site.client("skopeo", aside, "--insecure-policy")
    layout = write_layout(aside / "out", image)
    word = ("login", "--username", "AWS", "--password-stdin", REGISTRY)
    assert "x509" in skopeo.refused(*word, input=password)
    trusted("/etc/containers/certs.d")
    skopeo(*word, input=password)
    skopeo("copy", f"oci:{layout}:v1", f"docker://{URI}:v1")
    skopeo("copy", f"docker://{URI}@{image.digest}", f"oci:{aside / 'in'}:v1")
    assert layout_digests(aside / "in") == [image.digest]
    assert site.tags() == {image.digest: {"v1"}}


def test_podman(site, repository, trusted, aside):
    site.env = bundle_of(site)
    trusted("/etc/containers/certs.d")
    podman = site.client(
        "podman", aside, "--root", aside / "root", "--runroot", aside / "run", "--storage-driver", "vfs", "--tmpdir",
        aside / "tmp", "--cgroup-manager", "cgroupfs", "--events-backend", "file")
    podman("login", "--username", "AWS", "--password-stdin", REGISTRY, input=site.password())
    (aside / "context").mkdir()
    (aside / "context/file").write_bytes(os.urandom(10_000))
    (aside / "context/Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    podman("build", "--isolation", "chroot", "--tag", f"{URI}:v1", aside / "context")
    podman("push", f"{URI}:v1")
    podman("rmi", "--all", "--force")
    podman("pull", f"{URI}:v1")
    assert list(site.tags().values()) == [{"v1"}]


def test_containerd(site, repository, trusted, aside):
    site.env = bundle_of(site)
    image, login = unpackable_image(), ("--user", f"AWS:{site.password()}")
    layout = write_layout(aside / "out", image)
    subprocess.run(["tar", "-C", layout, "-cf", aside / "image.tar", "."], check=True)
    with containerd_of_our_own(site.machine.enter) as folder:
        ctr = site.client("ctr", folder, "--address", folder / "socket", "--namespace", "site")
        ctr("images", "import", "--snapshotter", "native", "--base-name", URI, aside / "image.tar")
        hosts = ("--hosts-dir", "/etc/containerd/certs.d")
        assert "x509" in ctr.refused("images", "push", *login, *hosts, f"{URI}:v1")
        trusted("/etc/containerd/certs.d")
        ctr("images", "push", *login, *hosts, f"{URI}:v1")
        ctr("images", "remove", "--sync", f"{URI}:v1")
        ctr("images", "pull", "--snapshotter", "native", *login, *hosts, f"{URI}@{image.digest}")
        assert image.digest in ctr("images", "list").stdout
    assert site.tags() == {image.digest: {"v1"}}
