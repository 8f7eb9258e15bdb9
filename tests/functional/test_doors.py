"""--doors: who may use Drydock's own doors."""

import http.server
import json
import os
import stat
import subprocess
import threading

import pytest
from support.api import call
from support.binary import SOURCE, clean_environment, find_binary
from support.failpoints import arm, need_failpoints
from support.iam import options
from support.server import DOORS_TOKEN, Server
from support.upkeep import run_json

TOKEN = "a-token-of-some-length"
DOORS = [("GET", "_drydock/clock"), ("POST", "_drydock/clock"), ("POST", "_drydock/reset"), ("GET", "metrics"),
         ("POST", "_drydock/gc"), ("POST", "_drydock/lifecycle/run"), ("GET", "_drydock/nothing")]


def ask(server, method, path, **headers):
    client = server.registry(login=None)
    answer = client.request(method, f"{server.url}/{path}", headers=headers, data=b'{"reset": true}')
    client.close()
    return answer


def health(server):
    answer = ask(server, "GET", "_drydock/health")
    done = subprocess.run([find_binary(), "health", "--listen", server.host], env=clean_environment(), check=True)
    return answer.status_code, done.returncode


def gc(*words, **environment):
    return subprocess.run(
        [find_binary(), "gc", *map(str, words), "--json"], env=clean_environment(**environment), capture_output=True,
        text=True, timeout=60)


def test_closed(make_server):
    server = make_server("--doors", "off")
    for method, path in DOORS:
        answer = ask(server, method, path, Authorization=f"Bearer {TOKEN}")
        assert answer.status_code == 403
        assert "--doors off" in answer.json()["message"]
    assert health(server) == (200, 0)
    server.ecr().create_repository(repositoryName="app")


@pytest.mark.parametrize("words", [["--doors", "token"], []])
def test_by_a_given_token(make_server, words):
    """Naming one is enough to ask for it."""
    server = make_server(*words, env={"DRYDOCK_DOORS_TOKEN": TOKEN})
    for method, path in DOORS:
        for headers in (
                {}, {"Authorization": "Bearer " + TOKEN + "x"}, {"Authorization": "Bearer " + TOKEN[:-1]},
                {"Authorization": "Bearer "}, {"Authorization": TOKEN}, {"Authorization": "Basic " + TOKEN},
                {"X-Drydock-Token": ""}, {"X-Drydock-Token": TOKEN.upper()}):
            answer = ask(server, method, path, **headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="drydock"'
            assert "X-Drydock-Token" in answer.json()["message"]
        expected = 404 if path.endswith("nothing") else 400 if path.endswith(("gc", "run")) else 200
        for headers in (
                {"Authorization": "Bearer " + TOKEN}, {"Authorization": "bearer  " + TOKEN}, {"X-Drydock-Token": TOKEN}):
            assert ask(server, method, path, **headers).status_code == expected
    assert health(server) == (200, 0)
    assert gc("--to", server.url).returncode == 1
    for done in (gc("--to", server.url, "--doors-token", TOKEN), gc("--to", server.url, DRYDOCK_DOORS_TOKEN=TOKEN)):
        assert done.returncode == 0 and json.loads(done.stdout)["freed_blobs"] == 0
    assert TOKEN not in server.log(limit=None) + "".join(server.output)


def test_by_a_token_that_is_made(make_server, tmp_path):
    """It is in the data folder, for whoever may read that, and the same after a restart."""
    server = make_server("--doors", "token", data=tmp_path / "data")
    path = tmp_path / "data/doors-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = path.read_text().rstrip("\n")
    assert len(token) >= 43 and token not in server.log(limit=None) + "".join(server.output)
    server.wait_for_log(str(path))
    assert ask(server, "POST", "_drydock/reset").status_code == 401
    assert ask(server, "POST", "_drydock/reset", Authorization=f"Bearer {token}").status_code == 200
    assert gc("--to", server.url).returncode == 1
    assert gc("--to", server.url, "--data", tmp_path / "data").returncode == 0
    server.restart(kill=True)
    assert path.read_text() == token + "\n"
    server.stop()
    assert run_json("check", "--data", tmp_path / "data")["findings"] == []
    server.options += ["--doors-token", TOKEN]
    server.start()
    assert not path.exists(), "a token that is not asked for any more"
    assert ask(server, "GET", "_drydock/clock", Authorization=f"Bearer {token}").status_code == 401


def test_the_token_of_a_folder_stays_on_this_machine(make_server, tmp_path):
    """`drydock gc --to` sends what it was given to whom it was given for, and what it found to this machine alone."""
    make_server("--doors", "token", data=tmp_path / "data")
    heard = []

    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(self.headers["X-Drydock-Token"])
            self.send_error(401)

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.2", 0), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        url = f"http://127.0.0.2:{stranger.server_port}"
        assert gc("--to", url, "--data", tmp_path / "data").returncode == 1
        assert gc("--to", url, "--data", tmp_path / "data", "--doors-token", TOKEN).returncode == 1
        stranger.shutdown()
    assert heard == [None, TOKEN]


def test_with_iam(make_server, tmp_path):
    """Where callers must prove who they are, nobody who does not may empty the store."""
    server = make_server(*options()[:4], data=tmp_path / "data")
    for method, path in DOORS:
        assert ask(server, method, path).status_code == 401
    token = (tmp_path / "data/doors-token").read_text().strip()
    assert ask(server, "GET", "metrics", Authorization=f"Bearer {token}").status_code == 200
    assert health(server) == (200, 0)
    server.options += ["--doors", "open"]
    server.restart()
    assert ask(server, "POST", "_drydock/reset").status_code == 200


# -- the door of development builds -----------------------------------------------------------------------------------

def test_failpoints(make_server):
    server = make_server("--doors-token", DOORS_TOKEN)
    need_failpoints(server)

    def post(plan, **headers):
        client = server.registry(login=None)
        answer = client.request("POST", f"{server.url}/_drydock/failpoints", data=plan, headers=headers)
        client.close()
        return answer.status_code

    assert post("sql:1-") == 401
    assert post("what:", Authorization=f"Bearer {DOORS_TOKEN}") == 400
    assert ask(server, "GET", "_drydock/failpoints", Authorization=f"Bearer {DOORS_TOKEN}").status_code == 405
    assert arm(server, "sql.REPOSITORY_LIST:1=ENOSPC") == 0
    failed = call(server, "DescribeRepositories")
    assert failed.status == 500 and failed.message.startswith("The disk that holds Drydock's data is full")
    assert arm(server) == 1
    assert call(server, "DescribeRepositories").document == {"repositories": []}


def test_a_release_build_has_no_failpoints(tmp_path, monkeypatch):
    release = SOURCE / "build/drydock"
    if not release.exists():
        reason = "there is no release build at build/drydock"
        if os.environ.get("DRYDOCK_WHOLE_RUN"):
            pytest.fail(reason)
        pytest.skip(reason)
    monkeypatch.setenv("DRYDOCK_BIN", str(release))
    server = Server(folder=tmp_path).start()
    try:
        for path in ("_drydock/failpoints", "_drydock/nothing"):
            answer = ask(server, "POST", path)
            assert (answer.status_code, answer.json()) == (404, {"message": "There is nothing at this path."})
        assert call(server, "DescribeRepositories").document == {"repositories": []}
    finally:
        server.stop()


@pytest.mark.parametrize("words, says", [
    (["--doors", "shut"], "--doors expects open, token or off"),
    (["--doors-token", "short"], "--doors-token expects at least 16"),
    (["--doors-token", "with a blank in between"], "--doors-token expects at least 16"),
    (["--host-name", "http://x"], "--host-name expects a host name")])
def test_wrong_usage(words, says):
    done = subprocess.run(
        [find_binary(), "serve", "--ephemeral", "--listen", "127.0.0.1:0", *words], env=clean_environment(),
        capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and says in done.stderr
