"""The file of --iam: what is wrong with it is said in words, by the member, before anything is opened."""

import json
import subprocess

import pytest
from support.binary import clean_environment, find_binary
from support.iam import ACCOUNT, SAMPLE


def serve(*arguments):
    done = subprocess.run(
        [find_binary(), "serve", "--listen", "127.0.0.1:0", "--ephemeral", *arguments], env=clean_environment(),
        capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("arguments, says", [
    (["--auth", "iam"], "drydock: --auth iam needs --iam FILE, which says who exists\n"),
    (["--iam", str(SAMPLE)], "drydock: --iam is for --auth iam: add that, or leave it out\n"),
    (["--auth", "iam", "--iam", "/absent"], "drydock: --iam /absent cannot be read: No such file or directory\n"),
    (["--auth", "IAM"], 'drydock: --auth expects token, open or iam, not "IAM"\n')])
def test_options(arguments, says):
    assert serve(*arguments) == (2, "", says)


@pytest.mark.parametrize("spoil, says", [
    (lambda text: text.replace('"users": {', '"users": {,', 1),
     "line 4: here, or before it, the file is not JSON (RFC 8259, in UTF-8)"),
    (lambda text: text.replace('"accessKeys"', '"keys"', 1),
     f"accounts.{ACCOUNT}.users.pipeline.keys: there is no member of this name here"),
    (lambda text: text.replace('"Effect": "Allow"', '"Effect": "Allowed"', 1),
     f"accounts.{ACCOUNT}.users.pipeline.policies.push: a statement's Effect is neither Allow nor Deny"),
    (lambda text: text.replace("AKIASTRANGER00000001", "AKIAPIPELINE00000001"),
     "accounts: the access key AKIAPIPELINE00000001 is there twice"),
    (lambda text: text + " " * (1 << 20), "the file: it is larger than 1 MiB")])
def test_faults(tmp_path, spoil, says):
    path = tmp_path / "iam.json"
    path.write_text(spoil(SAMPLE.read_text()))
    assert serve("--auth", "iam", "--iam", str(path)) == (2, "", f"drydock: --iam {path}: {says}\n")


def test_nothing_is_made_when_it_is_refused(tmp_path):
    (tmp_path / "iam.json").write_text(json.dumps({}))
    done = subprocess.run(
        [find_binary(), "serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data", "--auth", "iam", "--iam",
         tmp_path / "iam.json"], env=clean_environment(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and not (tmp_path / "data").exists()
