"""The program itself: its readiness line, options, exit codes, messages and log."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time

import pytest
import requests
from support.binary import clean_environment, find_binary
from support.images import oci_image

TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"


def run(*words, **environment):
    """The program with these words, when it is expected to end by itself."""
    return subprocess.run(
        [find_binary(), *words], env=clean_environment(**environment), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=30)


# -- starting ---------------------------------------------------------------------------------------------------------

def test_readiness_is_one_line(drydock):
    """And nothing else, where its output is no terminal."""
    assert drydock.output == [f"drydock ready on http://127.0.0.1:{drydock.port}\n"]


def test_at_a_terminal_it_says_what_to_try(tmp_path):
    """The four commands, with the port in them."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", str(find_binary()), "serve", "--listen", "127.0.0.1:0", "--ephemeral"],
        stdin=subprocess.DEVNULL, stdout=terminal, stderr=subprocess.DEVNULL, env=clean_environment())
    os.close(terminal)
    said, deadline = "", time.monotonic() + 30
    while "Ctrl-C" not in said and time.monotonic() < deadline:
        if select.select([controller], [], [], 0.1)[0]:
            said += os.read(controller, 65536).decode()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    os.close(controller)
    address = re.search(r"drydock ready on http://(\S+)", said)[1]
    for command in (
            "aws ecr create-repository --repository-name hello",
            f"aws ecr get-login-password | docker login --username AWS --password-stdin {address}",
            f"docker push {address}/hello:v1", f"docker pull {address}/hello:v1", f"AWS_ENDPOINT_URL=http://{address}"):
        assert command in said


def test_options_from_the_environment(make_server):
    """Those of the command line win."""
    server = make_server("--region", "eu-west-1", env={
        "DRYDOCK_ACCOUNT": "503561414328", "DRYDOCK_REGION": "ap-south-1", "DRYDOCK_AUTH": "open",
        "DRYDOCK_THREADS": "1"})
    realm = server.registry(login=None)
    realm.session.auth = None
    assert realm.request("GET", "").status_code == 200, "DRYDOCK_AUTH"
    realm.close()
    assert server.sts().get_caller_identity()["Account"] == "503561414328"
    arn = server.ecr(region="eu-west-1").create_repository(repositoryName="app")["repository"]["repositoryArn"]
    assert arn == "arn:aws:ecr:eu-west-1:503561414328:repository/app"


def test_the_data_folder_by_default(tmp_path):
    """$XDG_DATA_HOME/drydock, else ~/.local/share/drydock."""
    for environment, folder in (
            ({"XDG_DATA_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path)}, tmp_path / "xdg/drydock"),
            ({"XDG_DATA_HOME": "", "HOME": str(tmp_path / "home")}, tmp_path / "home/.local/share/drydock")):
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", str(find_binary()), "serve", "--listen", "127.0.0.1:0"],
            env=clean_environment(**environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout.readline().startswith("drydock ready on ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        process.stdout.close()
        assert (folder / "drydock.db").exists()
        assert folder.stat().st_mode & 0o777 == 0o700 and (folder / "drydock.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("ephemeral", [True, False])
def test_what_an_ephemeral_server_leaves(make_server, tmp_path, ephemeral):
    """Nothing."""
    (tmp_path / "tmp").mkdir()
    server = make_server(
        "--auth", "open", data=None if ephemeral else tmp_path / "data", env={"TMPDIR": str(tmp_path / "tmp")})
    server.ecr().create_repository(repositoryName="app")
    registry = server.registry(login=None)
    registry.push_image("app", oci_image(size=100_000), "v1")
    registry.close()
    assert bool(list((tmp_path / "tmp").iterdir())) == ephemeral
    server.stop()
    assert list((tmp_path / "tmp").iterdir()) == []


# -- wrong usage ------------------------------------------------------------------------------------------------------

WRONG = {
    "no such option": (["--color"], {}, 'there is no option "--color": see drydock serve --help'),
    "no option at all": (["data"], {}, 'there is no option "data": see drydock serve --help'),
    "no value": (["--listen"], {}, "--listen expects an address and port, such as 127.0.0.1:5001, or none after it"),
    "no port": (
        ["--listen", "127.0.0.1"], {},
        '--listen expects an address and port, such as 127.0.0.1:5001, or none, not "127.0.0.1"'),
    "port too large": (["--listen", "127.0.0.1:65536"], {}, "--listen expects an address and port"),
    "port a word": (["--listen", "127.0.0.1:http"], {}, "--listen expects an address and port"),
    "mode": (["--auth", "none"], {}, "--auth expects "),
    "account": (["--account=12345"], {}, '--account expects twelve digits, not "12345"'),
    "region": (["--region", "Mars!"], {}, '--region expects a region\'s name, such as eu-west-1, not "Mars!"'),
    "threads": (["--threads", "0"], {}, '--threads expects a number from 1 to 256, not "0"'),
    "connections": (["--max-connections", "-1"], {}, "--max-connections expects a number from 1 to 1000000"),
    "level": (["--log-level", "loud"], {}, '--log-level expects error, warn, info or debug, not "loud"'),
    "format": (["--log-format", "xml"], {}, '--log-format expects text or json, not "xml"'),
    "addresses": (["--addresses", "mine"], {}, '--addresses expects reached, ecr or localhost, not "mine"'),
    "both": (["--data", "/tmp/x"], {}, "--data and --ephemeral exclude each other"),
    "environment": (
        [], {"DRYDOCK_LOG_LEVEL": "loud"}, 'DRYDOCK_LOG_LEVEL expects error, warn, info or debug, not "loud"'),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(case):
    words, environment, text = WRONG[case]
    ended = run("serve", "--ephemeral", *words, **environment)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("drydock: ") and text in ended.stderr


def test_wrong_verbs():
    for words in ([], ["sevre"], ["--listen", "x"]):
        ended = run(*words)
        assert (ended.returncode, ended.stdout) == (2, "") and "usage: drydock VERB" in ended.stderr
    assert 'there is no verb "sevre"' in run("sevre").stderr


def test_help():
    for words in (["help"], ["--help"], ["-h"]):
        assert run(*words).returncode == 0 and "serve" in run(*words).stdout
    options = run("serve", "--help")
    assert options.returncode == 0
    for option in ("--listen", "--data", "--ephemeral", "--auth", "--account", "--region", "--threads", "--log-level"):
        assert option in options.stdout
    assert re.fullmatch(r"drydock \d+\.\d+\S*\n", run("version").stdout) and run("--version").returncode == 0


# -- failures ---------------------------------------------------------------------------------------------------------

def test_the_port_is_in_use(drydock, tmp_path):
    ended = run("serve", "--ephemeral", "--listen", drydock.host)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"drydock: port {drydock.port} is in use: stop what holds it, or choose another with --listen\n")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ended = run("serve", "--data", str(tmp_path / "data"), "--listen", f"127.0.0.1:{other.getsockname()[1]}")
        assert ended.returncode == 1 and "is in use" in ended.stderr


def test_an_address_of_another_machine():
    ended = run("serve", "--ephemeral", "--listen", "192.0.2.1:0")
    assert ended.returncode == 1 and "192.0.2.1 is not an address of this machine" in ended.stderr
    ended = run("serve", "--ephemeral", "--listen", "registry.example:0")
    assert ended.returncode == 1 and "'registry.example' is not an address to listen on" in ended.stderr


def test_a_data_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for folder in (tmp_path / "file", tmp_path / "file/below", "/proc/drydock"):
        ended = run("serve", "--listen", "127.0.0.1:0", "--data", str(folder))
        assert (ended.returncode, ended.stdout) == (1, "")
        assert f"the data folder {folder} cannot be" in ended.stderr


# -- the log ----------------------------------------------------------------------------------------------------------

def requests_of_every_kind(server):
    """What the log is to tell of; the repository's name is app."""
    server.ecr().create_repository(repositoryName="app")
    registry = server.registry()
    image = oci_image()
    registry.push_image("app", image, "v1")
    registry.get_manifest("app", "v1")
    registry.get_manifest("app", "v2")
    registry.tags("app")
    registry.request("GET", f"{server.url}/nothing/here?x=1")
    registry.close()
    return image


def lines_of(server, count):
    """The log once it has so many lines: the last is written after its answer was sent."""
    deadline = time.monotonic() + 10
    while server.log(limit=None).count("\n") < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return server.log(limit=None).splitlines()


def test_the_log_as_text(make_server):
    """One line a request: when, what, of what, how it ended, how long it took."""
    server = make_server()
    image = requests_of_every_kind(server)
    lines = lines_of(server, 15)
    upload = "[0-9a-f-]{36}"
    expected = [
        "CreateRepository app 200", "GetAuthorizationToken 200", f"GetBlob app {image.config.digest} 404",
        f"StartUpload app {upload} 202", f"AppendUpload app {upload} 202", f"FinishUpload app {upload} 201",
        f"GetBlob app {image.layers[0].digest} 404", f"StartUpload app {upload} 202", f"AppendUpload app {upload} 202",
        f"FinishUpload app {upload} 201", "PutManifest app v1 201", "GetManifest app v1 200", "GetManifest app v2 404",
        "ListTags app 200", r"GET /nothing/here\?x=1 404"]
    assert len(lines) == len(expected)
    for line, text in zip(lines, expected):
        failed = r" \w+" if " 404" in text and "nothing" not in text else ""
        assert re.fullmatch(rf"{TIME} {text} \d+\.\dms{failed}", line), (line, text)
    assert "GetManifest app v2 404" in lines[12] and lines[12].endswith(" MANIFEST_UNKNOWN")


def test_the_log_as_json(make_server):
    server = make_server("--log-format", "json")
    image = requests_of_every_kind(server)
    lines = [json.loads(line) for line in lines_of(server, 15)]
    assert len({line["request_id"] for line in lines}) == len(lines)
    put = next(line for line in lines if line.get("operation") == "PutManifest")
    assert re.fullmatch(TIME, put["time"]) and put["duration_us"] >= 0
    assert put["bytes_in"] > image.size and put["bytes_out"] > 100
    assert {name: put[name] for name in ("level", "method", "target", "repository", "reference", "status")} == {
        "level": "info", "method": "PUT", "target": "/v2/app/manifests/v1", "repository": "app", "reference": "v1",
        "status": 201}
    missing = next(line for line in lines if line["status"] == 404 and line.get("operation") == "GetManifest")
    assert missing["error"] == "MANIFEST_UNKNOWN"


def test_log_levels(make_server):
    for level, expected in (("error", 0), ("warn", 0), ("info", 15), ("debug", 15)):
        server = make_server("--log-level", level)
        requests_of_every_kind(server)
        assert len(lines_of(server, expected)) >= expected if expected else server.log() == ""
        server.stop()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_request_cannot_forge_a_line(make_server, form):
    server = make_server("--log-format", form, "--auth", "open")
    forged = "2026-01-01T00:00:00.000Z PutManifest app v1 201 1.0ms"
    registry = server.registry(login=None)
    for path in ("app/manifests/v1%0a" + forged.replace(" ", "%20"), "%0d%0aapp/tags/list", "app%1b%5b31m/tags/list",
                 "app%7f/tags/list", "app/manifests/%22%7d", "a" * 7000 + "/tags/list"):
        registry.request("GET", path)
    registry.close()
    lines = lines_of(server, 6)
    assert len(lines) == 6
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith(forged) for line in lines)
    if form == "json":
        assert all(json.loads(line)["method"] == "GET" for line in lines)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_is_whole_whatever_is_in_it(make_server, form):
    """Names of 600 bytes that are shown as four or five each once pushed the status and the newline out of the line."""
    server = make_server("--log-format", form, "--auth", "open")
    registry = server.registry(login=None)
    for _ in range(3):
        registry.request("GET", "%ff" * 600 + "/manifests/" + "%ff" * 600)
    registry.close()
    lines = lines_of(server, 3)
    assert len(lines) == 3
    for line in lines:
        assert json.loads(line)["status"] == 405 if form == "json" else re.search(r" 405 \d+\.\dms", line)


def test_a_log_that_nobody_reads_stops_nobody():
    server = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", str(find_binary()), "serve", "--listen", "127.0.0.1:0", "--ephemeral",
         "--auth", "open"], text=True,
        env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    url = re.match(r"drydock ready on (http://\S+)", server.stdout.readline())[1]
    with requests.Session() as session:
        for _ in range(2500):
            session.get(f"{url}/v2/{'x' * 600}/manifests/{'y' * 600}", timeout=20)
        lost = int(re.search(r"^drydock_log_lines_lost_total (\d+)$", session.get(
            f"{url}/metrics", timeout=20).text, re.M)[1])
    assert lost > 0
    server.terminate()
    said = server.communicate(timeout=30)[1].splitlines()
    assert server.returncode == 0
    assert len(said) + lost in (2500, 2501) and all(re.search(r" \d+ \d+\.\dms", line) for line in said)


def test_no_secrets_in_the_log(make_server):
    server = make_server("--log-level", "debug")
    requests_of_every_kind(server)
    _, password = server.token()
    registry = server.registry(("AWS", password))
    registry.tags("app")
    registry.close()
    assert password not in server.log() and password[:40] not in server.log()
