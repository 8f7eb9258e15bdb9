"""The verbs that look after a data folder."""

import json
import subprocess

from .binary import clean_environment, find_binary


def run(*words):
    """What `drydock WORDS...` did; fails when a sanitizer complains."""
    result = subprocess.run(
        [find_binary(), *map(str, words)], env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=120)
    assert "Sanitizer" not in result.stderr and "runtime error" not in result.stderr, result.stderr
    return result


def run_json(*words, code=0):
    """What a verb with --json says; fails unless it ends with this exit code."""
    result = run(*words, "--json")
    assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
    return json.loads(result.stdout)
